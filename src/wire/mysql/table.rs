//! The answer to a query: names of columns, then rows of text (MySQL Internals, "Text Resultset").

use super::{Failure, Reply, Stranger, reply};

/// Most columns; a replica's state has some sixty.
pub const COLUMNS_MAX: usize = 256;

/// Most rows; a replica has one for each source.
const ROWS_MAX: usize = 64;

/// The name of a column stands behind four other texts.
const NAME: usize = 4;

/// A value for each column; `None`: NULL.
pub type Row = Vec<Option<String>>;

/// Takes packets in until the answer is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Option<usize>,
    names: Vec<String>,
    /// The end of the names has come.
    named: bool,
    rows: Vec<Row>,
}

impl Table {
    /// The next packet; `Ok(true)` when it was the last.
    ///
    /// # Errors
    /// [`Stranger`], or within it what the server refuses for.
    pub fn feed(&mut self, body: &[u8]) -> Result<Result<bool, Failure>, Stranger> {
        if body.first() == Some(&0xff) {
            return match reply(body)? {
                Reply::Failure(failure) => Ok(Err(failure)),
                _ => Err(Stranger),
            };
        }
        // An end is shorter than any row that could begin so.
        let end = body.first() == Some(&0xfe) && body.len() < 9;
        match self.columns {
            None => return self.begin(body).map(Ok),
            Some(columns) if self.names.len() < columns => self.names.push(name(body)?),
            Some(_) if !self.named => {
                if !end {
                    return Err(Stranger);
                }
                self.named = true;
            }
            Some(_) if end => return Ok(Ok(true)),
            Some(columns) => self.rows.push(row(body, columns)?),
        }
        if self.rows.len() > ROWS_MAX {
            return Err(Stranger);
        }
        Ok(Ok(false))
    }

    /// The rows, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The value of the column of one of these names; `None`: no such column, or NULL.
    pub fn value<'t>(&self, row: &'t Row, names: &[&str]) -> Option<&'t str> {
        let place = self
            .names
            .iter()
            .position(|own| names.iter().any(|name| own.eq_ignore_ascii_case(name)))?;
        row.get(place)?.as_deref()
    }

    /// The number of columns; a command without a table is done at once.
    fn begin(&mut self, body: &[u8]) -> Result<bool, Stranger> {
        if body.first() == Some(&0) {
            return Ok(true);
        }
        let (count, rest) = length(body)?.ok_or(Stranger)?;
        if !rest.is_empty() || count > COLUMNS_MAX {
            return Err(Stranger);
        }
        self.columns = Some(count);
        Ok(false)
    }
}

fn name(body: &[u8]) -> Result<String, Stranger> {
    let mut rest = body;
    for _ in 0..NAME {
        (_, rest) = value(rest)?;
    }
    let (name, _) = value(rest)?;
    let name = name.ok_or(Stranger)?;
    Ok(String::from_utf8_lossy(name).into_owned())
}

fn row(body: &[u8], columns: usize) -> Result<Row, Stranger> {
    let mut rest = body;
    let mut row = Vec::with_capacity(columns);
    for _ in 0..columns {
        let (text, after) = value(rest)?;
        row.push(text.map(|text| String::from_utf8_lossy(text).into_owned()));
        rest = after;
    }
    Ok(row)
}

/// A text behind its length, or NULL; and what follows.
fn value(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Stranger> {
    match length(bytes)? {
        None => Ok((None, &bytes[1..])),
        Some((length, rest)) => {
            let (text, rest) = rest.split_at_checked(length).ok_or(Stranger)?;
            Ok((Some(text), rest))
        }
    }
}

/// A number of one to nine bytes, `None` for NULL; and what follows.
fn length(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, Stranger> {
    let (&first, rest) = bytes.split_first().ok_or(Stranger)?;
    let width = match first {
        0..=0xfa => return Ok(Some((usize::from(first), rest))),
        0xfb => return Ok(None),
        0xfc => 2,
        0xfd => 3,
        // Longer than any packet.
        0xfe | 0xff => return Err(Stranger),
    };
    let (digits, rest) = rest.split_at_checked(width).ok_or(Stranger)?;
    let number = digits
        .iter()
        .rev()
        .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
    Ok(Some((number, rest)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMN: &[u8] = b"\x03def\0\0\0\x04Name\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\x1f\0\0";
    const END: &[u8] = b"\xfe\0\0\x02\0";

    fn fed(packets: &[&[u8]]) -> (Table, Result<Result<bool, Failure>, Stranger>) {
        let mut table = Table::default();
        let mut last = Ok(Ok(false));
        for packet in packets {
            last = table.feed(packet);
        }
        (table, last)
    }

    #[test]
    fn a_table_has_names_and_rows() {
        let (table, last) = fed(&[b"\x01", COLUMN, END, b"\x03abc", b"\xfb", END]);
        assert_eq!(last, Ok(Ok(true)));
        let rows = table.rows();
        assert_eq!(rows.len(), 2);
        assert_eq!(table.value(&rows[0], &["other", "NAME"]), Some("abc"));
        assert_eq!(table.value(&rows[1], &["name"]), None);
        assert_eq!(table.value(&rows[0], &["none"]), None);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert_eq!(fed(&[b"\0\0\0\x02\0\0\0"]).1, Ok(Ok(true)));
        assert_eq!(fed(&[b"\xfc\xff\xff"]).1, Err(Stranger));
        assert_eq!(fed(&[b"\x01", COLUMN, b"\x03abc"]).1, Err(Stranger));
        assert_eq!(fed(&[b"\x01", COLUMN, END, b"\x04abc"]).1, Err(Stranger));
        let (_, refused) = fed(&[b"\xff\xcb\x04#42000Access denied"]);
        assert_eq!(refused.unwrap().unwrap_err().code, 1227);
        let mut endless = vec![b"\x01".as_slice(), COLUMN, END];
        endless.extend([b"\x01a".as_slice(); ROWS_MAX + 1]);
        assert_eq!(fed(&endless).1, Err(Stranger));
    }

    proptest! {
        #[test]
        fn any_packets_are_judged(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..9)) {
            let mut table = Table::default();
            for packet in [b"\x02".to_vec(), COLUMN.to_vec(), COLUMN.to_vec(), END.to_vec()].iter().chain(&packets) {
                if table.feed(packet).is_err() {
                    break;
                }
            }
            prop_assert!(table.rows().iter().all(|row| row.len() == 2));
        }
    }
}
