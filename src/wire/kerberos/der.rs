//! The few shapes of DER that Kerberos is made of: read within bounds, written whole.

use super::fault::Malformed;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const TIME: u8 = 0x18;
pub(super) const TEXT: u8 = 0x1b;
pub(super) const SEQUENCE: u8 = 0x30;

/// The tag of `[n]`.
pub(super) const fn explicit(n: u8) -> u8 {
    0xa0 | n
}

/// The tag of `[APPLICATION n]`.
pub(super) const fn application(n: u8) -> u8 {
    0x60 | n
}

/// Elements, one after the other. It never reads beyond its bytes, and its depth is that of the caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Result<Self, Malformed> {
        let (found, content, rest) = element(self.0)?;
        if found != tag {
            return Err(Malformed);
        }
        self.0 = rest;
        Ok(Self(content))
    }

    /// The same, where it may be missing.
    pub(super) fn maybe(&mut self, tag: u8) -> Result<Option<Self>, Malformed> {
        match self.0.first() == Some(&tag) {
            true => self.take(tag).map(Some),
            false => Ok(None),
        }
    }

    /// The whole of the next element, its tag included, which must be this.
    pub(super) fn whole(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let before = self.0;
        self.take(tag)?;
        Ok(&before[..before.len() - self.0.len()])
    }

    /// `[n] type`, both tags taken off.
    pub(super) fn field(&mut self, n: u8, tag: u8) -> Result<Self, Malformed> {
        self.take(explicit(n))?.take(tag)
    }

    /// The same, where it may be missing.
    pub(super) fn option(&mut self, n: u8, tag: u8) -> Result<Option<Self>, Malformed> {
        let field = self.maybe(explicit(n))?;
        field.map(|mut field| field.take(tag)).transpose()
    }

    /// `[n] INTEGER`, of at most 32 bits, with or without a sign.
    pub(super) fn integer(&mut self, n: u8) -> Result<i64, Malformed> {
        self.field(n, INTEGER)?.as_integer()
    }

    /// The same, where it may be missing.
    pub(super) fn maybe_integer(&mut self, n: u8) -> Result<Option<i64>, Malformed> {
        let field = self.option(n, INTEGER)?;
        field.map(|field| field.as_integer()).transpose()
    }

    /// The content of an INTEGER or ENUMERATED.
    pub(super) fn as_integer(self) -> Result<i64, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed)?;
        if rest.len() > 4 {
            return Err(Malformed);
        }
        let start = i64::from(i8::from_be_bytes([*first]));
        Ok(rest
            .iter()
            .fold(start, |sum, byte| sum << 8 | i64::from(*byte)))
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Text of whatever charset, as far as it can be shown.
    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(self.0).into_owned()
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// Tag, content and what follows.
fn element(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Malformed> {
    let (tag, rest) = bytes.split_first().ok_or(Malformed)?;
    let (first, rest) = rest.split_first().ok_or(Malformed)?;
    let (length, rest) = match usize::from(*first) {
        short @ ..0x80 => (short, rest),
        // Four bytes of length are far beyond anything that is read here.
        long => {
            let count = long - 0x80;
            if count == 0 || count > 4 {
                return Err(Malformed);
            }
            let (digits, rest) = rest.split_at_checked(count).ok_or(Malformed)?;
            let length = digits
                .iter()
                .fold(0u64, |sum, digit| sum << 8 | u64::from(*digit));
            (usize::try_from(length).map_err(|_| Malformed)?, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
    Ok((*tag, content, rest))
}

/// An element of these pieces.
pub(super) fn put(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short @ ..0x80) => out.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let zeros = digits.iter().take_while(|digit| **digit == 0).count();
            let digits = &digits[zeros..];
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            out.extend_from_slice(digits);
        }
    }
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out
}

/// `[n] type`.
pub(super) fn put_field(n: u8, tag: u8, content: &[u8]) -> Vec<u8> {
    put(explicit(n), &[&put(tag, &[content])])
}

/// `[n] INTEGER`.
pub(super) fn put_integer(n: u8, value: i64) -> Vec<u8> {
    put(explicit(n), &[&integer(value)])
}

/// INTEGER in its shortest form.
pub(super) fn integer(value: i64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let sign = if value < 0 { 0xff } else { 0 };
    let spare = |pair: &&[u8]| pair[0] == sign && (pair[1] ^ sign) & 0x80 == 0;
    let spared = bytes.windows(2).take_while(spare).count();
    put(INTEGER, &[&bytes[spared..]])
}

/// SEQUENCE of these pieces.
pub(super) fn sequence(pieces: &[&[u8]]) -> Vec<u8> {
    put(SEQUENCE, pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_the_shortest_and_read_back() {
        for (value, bytes) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (-1, &[2, 1, 255]),
            (-138, &[2, 2, 255, 118]),
            (0xffff_ffff, &[2, 5, 0, 255, 255, 255, 255]),
        ] {
            assert_eq!(integer(value), bytes);
            let read = Reader::new(bytes).take(INTEGER).unwrap().as_integer();
            assert_eq!(read.unwrap(), value);
        }
    }

    #[test]
    fn lengths_are_written_and_read_at_every_size() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let written = put(OCTETS, &[&content]);
            let mut reader = Reader::new(&written);
            assert_eq!(reader.take(OCTETS).unwrap().bytes(), content);
            assert!(reader.is_empty());
            let cut = &written[..written.len() - 1];
            assert!(Reader::new(cut).take(OCTETS).is_err());
        }
        for hostile in [
            &[4, 0x80][..],
            &[4, 0x85, 0, 0, 0, 0, 1, 9],
            &[4, 0x84, 255, 255, 255, 255],
        ] {
            assert!(Reader::new(hostile).take(OCTETS).is_err());
        }
    }
}
