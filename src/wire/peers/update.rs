//! One entry of a table on its way: its key, how long it lives, and whose it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::table::{KNOWN, SERVER_ID, SERVER_KEY};
use super::{Definition, KeyKind, Malformed, Received, Sent, take_number};

/// What a message tells of an entry; it can be read with the definition of its table alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// Counts the sender's updates of the table; `None`: one more than the one before.
    pub number: Option<u32>,
    /// Milliseconds that the entry still lives; `None`: as long as the table says.
    pub remaining: Option<u32>,
    pub(super) body: &'a [u8],
}

/// An entry as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Whose server this is about.
    pub key: Key<'a>,
    /// The number of the server in HAProxy's backend; 0 and `None`: not told.
    pub server_id: Option<u64>,
    /// The name or the address of the server.
    pub server: Option<Arc<str>>,
}

/// A key, by what the table says that its keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// A number.
    Integer(u32),
    /// A client's address; one of IPv4 that is written as IPv6 is one of IPv4.
    Ip(IpAddr),
    /// Bytes up to their length.
    Text(&'a [u8]),
    /// Bytes that are padded with zeros.
    Binary(&'a [u8]),
}

impl<'a> Update<'a> {
    pub(super) fn read(bytes: &'a [u8], numbered: bool, timed: bool) -> Result<Self, Malformed> {
        let mut body = bytes;
        let number = numbered.then(|| word(&mut body)).transpose()?;
        let remaining = timed.then(|| word(&mut body)).transpose()?;
        Ok(Self {
            number,
            remaining,
            body,
        })
    }

    /// The entry, by the definition of its table. What the dictionary is told here, it knows from then on.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes end too early, or the dictionary has no such number.
    pub fn entry(
        &self,
        table: &Definition,
        dictionary: &mut Received,
    ) -> Result<Entry<'a>, Malformed> {
        let mut rest = self.body;
        let key = key(&mut rest, table)?;
        let (mut server_id, mut server) = (None, None);
        for kind in (0..KNOWN).filter(|kind| table.has(*kind)) {
            match kind {
                SERVER_ID => server_id = Some(number(&mut rest)?).filter(|id| *id != 0),
                SERVER_KEY => server = name(&mut rest, dictionary)?,
                // Each takes a byte at least, so the loop ends with the message.
                other => {
                    for _ in 0..table.numbers(other) {
                        number(&mut rest)?;
                    }
                }
            }
        }
        Ok(Entry {
            key,
            server_id,
            server,
        })
    }

    /// An entry of a table of ours as the data of a message.
    pub(super) fn put(
        out: &mut Vec<u8>,
        number: Option<u32>,
        remaining: Option<u32>,
        (key, server): (Key<'_>, &str),
        dictionary: &mut Sent,
    ) {
        out.extend(number.into_iter().flat_map(u32::to_be_bytes));
        out.extend(remaining.into_iter().flat_map(u32::to_be_bytes));
        match key {
            Key::Integer(number) => out.extend(number.to_be_bytes()),
            Key::Ip(IpAddr::V4(address)) => out.extend(address.octets()),
            Key::Ip(IpAddr::V6(address)) => out.extend(address.octets()),
            Key::Text(text) => {
                super::put_number(out, text.len() as u64);
                out.extend(text);
            }
            Key::Binary(bytes) => out.extend(bytes),
        }
        dictionary.put(out, server);
    }
}

fn key<'a>(rest: &mut &'a [u8], table: &Definition) -> Result<Key<'a>, Malformed> {
    match table.key {
        KeyKind::Integer => word(rest).map(Key::Integer),
        KeyKind::Ipv4 => {
            let address = Ipv4Addr::from_bits(word(rest)?);
            Ok(Key::Ip(address.into()))
        }
        KeyKind::Ipv6 => {
            let bytes = rest.split_first_chunk::<16>().ok_or(Malformed::Update)?;
            *rest = bytes.1;
            Ok(Key::Ip(Ipv6Addr::from(*bytes.0).to_canonical()))
        }
        KeyKind::Text => {
            let length = number(rest)?;
            some(rest, length).map(Key::Text)
        }
        KeyKind::Binary | KeyKind::Other(_) => some(rest, table.key_length).map(Key::Binary),
    }
}

/// A length, and within it a number of the dictionary, and perhaps what it stands for from now on.
fn name(rest: &mut &[u8], dictionary: &mut Received) -> Result<Option<Arc<str>>, Malformed> {
    let length = number(rest)?;
    if length == 0 {
        return Ok(None);
    }
    let mut content = some(rest, length)?;
    let at = number(&mut content)?;
    if content.is_empty() {
        return dictionary.get(at);
    }
    let length = number(&mut content)?;
    let name = some(&mut content, length).map_err(|_| Malformed::Dictionary)?;
    dictionary.learn(at, name)
}

fn number(rest: &mut &[u8]) -> Result<u64, Malformed> {
    take_number(rest)?.ok_or(Malformed::Update)
}

fn word(rest: &mut &[u8]) -> Result<u32, Malformed> {
    let (bytes, after) = rest.split_first_chunk().ok_or(Malformed::Update)?;
    *rest = after;
    Ok(u32::from_be_bytes(*bytes))
}

fn some<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], Malformed> {
    let length = usize::try_from(length).map_err(|_| Malformed::Update)?;
    let (bytes, after) = rest.split_at_checked(length).ok_or(Malformed::Update)?;
    *rest = after;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(table: &Definition, body: &[u8]) -> Result<(String, Option<Arc<str>>), Malformed> {
        let update = Update::read(body, false, false)?;
        let entry = update.entry(table, &mut Received::default())?;
        Ok((format!("{:?}", entry.key), entry.server))
    }

    #[test]
    fn what_is_not_known_of_an_entry_is_passed_over() {
        let table = Definition {
            data: 1 << SERVER_ID | 1 << 3 | 1 << 4 | 1 << 22 | 1 << SERVER_KEY | 1 << 40,
            elements: [2, 0, 0],
            ..Definition::new(1, "t", KeyKind::Text, 1)
        };
        let body = b"\x03abc\x07\x01\x02\x03\x04\x04\x01\x02s1\x05\x06\xff\xff";
        let (key, server) = told(&table, body).expect("whole");
        assert_eq!(
            (key.as_str(), server.as_deref()),
            ("Text([97, 98, 99])", Some("s1"))
        );
        for end in 0..body.len() - 2 {
            assert!(told(&table, &body[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn every_kind_of_key_is_read_as_it_is_written() {
        let six: IpAddr = "2001:db8::7".parse().expect("an address");
        let keys: [(KeyKind, Key<'_>); 5] = [
            (KeyKind::Integer, Key::Integer(7)),
            (KeyKind::Ipv4, Key::Ip([10, 0, 0, 1].into())),
            (KeyKind::Ipv6, Key::Ip(six)),
            (KeyKind::Text, Key::Text(b"user")),
            (KeyKind::Binary, Key::Binary(b"abcd")),
        ];
        for (kind, key) in keys {
            let table = Definition::new(1, "t", kind, 1);
            let mut out = Vec::new();
            Update::put(&mut out, Some(5), Some(9), (key, "s"), &mut Sent::default());
            let update = Update::read(&out, true, true).expect("whole");
            assert_eq!((update.number, update.remaining), (Some(5), Some(9)));
            let entry = update.entry(&table, &mut Received::default());
            assert_eq!(entry.expect("whole").key, key);
        }
    }

    #[test]
    fn an_address_of_the_other_family_is_itself() {
        let table = Definition::new(1, "t", KeyKind::Ipv6, 1);
        let body = b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x00\x00\x01\x00";
        let (key, server) = told(&table, body).expect("whole");
        assert_eq!((key.as_str(), server), ("Ip(10.0.0.1)", None));
    }
}
