//! The definition of a table: its name, what its keys are, and what each entry tells besides.

use super::{Malformed, put_number, take_number};

/// One side's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// By which its sender speaks of it.
    pub id: u64,
    /// By which both sides know it.
    pub name: String,
    /// What its keys are.
    pub key: KeyKind,
    /// Bytes of a key; of text, most bytes and one.
    pub key_length: u64,
    /// A bit for each type of data that entries have.
    pub data: u64,
    /// How long entries live, in milliseconds; `None` from a sender that does not tell.
    pub expire: Option<u64>,
    /// How many elements the types of data have that are lists.
    pub(super) elements: [u64; LISTS.len()],
}

/// What the keys of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Four bytes.
    Integer,
    /// Four bytes.
    Ipv4,
    /// Sixteen bytes.
    Ipv6,
    /// A length, and so many bytes.
    Text,
    /// As many bytes as the definition says.
    Binary,
    /// One that nobody knows.
    Other(u64),
}

/// The type of data "server id": the number of a server in HAProxy's backend.
pub(super) const SERVER_ID: u32 = 0;
/// The type of data "server key": the name of a server, by the dictionary.
pub(super) const SERVER_KEY: u32 = 19;
/// How many types of data are known; what comes behind cannot be read.
pub(super) const KNOWN: u32 = 27;
/// Types whose value is a rate, which is three numbers; a definition tells its period.
const RATES: u64 = 1 << 3
    | 1 << 5
    | 1 << 8
    | 1 << 10
    | 1 << 12
    | 1 << 14
    | 1 << 16
    | 1 << 18
    | 1 << 21
    | 1 << 24
    | 1 << 26;
/// Types that are lists; a definition tells how many elements they have.
const LISTS: [u32; 3] = [22, 23, 24];

impl Definition {
    /// One of ours: entries tell the server's name.
    pub fn new(id: u64, name: &str, key: KeyKind, expire: u64) -> Self {
        let key_length = match key {
            KeyKind::Ipv6 => 16,
            _ => 4,
        };
        Self {
            id,
            name: name.to_owned(),
            key,
            key_length,
            data: 1 << SERVER_KEY,
            expire: Some(expire),
            elements: [0; LISTS.len()],
        }
    }

    /// Whether entries tell this type of data.
    pub(super) fn has(&self, kind: u32) -> bool {
        self.data & 1 << kind != 0
    }

    /// How many numbers a value of this type is.
    pub(super) fn numbers(&self, kind: u32) -> u64 {
        let each = if RATES & 1 << kind == 0 { 1 } else { 3 };
        let list = LISTS.iter().position(|list| *list == kind);
        list.map_or(each, |list| each.saturating_mul(self.elements[list]))
    }

    /// As the data of a message.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.id);
        put_number(out, self.name.len() as u64);
        out.extend(self.name.as_bytes());
        put_number(out, self.key.code());
        put_number(out, self.key_length);
        put_number(out, self.data);
        let Some(expire) = self.expire else { return };
        put_number(out, expire);
        for kind in (0..KNOWN).filter(|kind| self.has(*kind)) {
            let list = LISTS.iter().position(|list| *list == kind);
            let rate = RATES & 1 << kind != 0;
            if list.is_some() || rate {
                put_number(out, u64::from(kind));
            }
            if let Some(list) = list {
                put_number(out, self.elements[list]);
            }
            if rate {
                // The period of a rate is not remembered, as no rate is.
                put_number(out, 0);
            }
        }
    }

    /// From the data of a message.
    pub(super) fn read(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let rest = &mut bytes;
        let mut number = || take_number(rest)?.ok_or(Malformed::Definition);
        let (id, length) = (number()?, number()?);
        let length = usize::try_from(length).map_err(|_| Malformed::Definition)?;
        let (name, after) = (bytes.split_at_checked(length)).ok_or(Malformed::Definition)?;
        let name = std::str::from_utf8(name).map_err(|_| Malformed::Definition)?;
        if name.is_empty() {
            return Err(Malformed::Definition);
        }
        bytes = after;
        let mut number = || take_number(&mut bytes)?.ok_or(Malformed::Definition);
        let mut own = Self {
            id,
            name: name.to_owned(),
            key: KeyKind::of(number()?),
            key_length: number()?,
            data: number()?,
            expire: None,
            elements: [0; LISTS.len()],
        };
        own.expire = take_number(&mut bytes)?;
        if own.expire.is_some() {
            own.read_details(&mut bytes)?;
        } else if LISTS.iter().any(|list| own.has(*list)) {
            return Err(Malformed::Definition);
        }
        Ok(own)
    }

    /// What the definition tells of its types of data, each after the type's own number.
    fn read_details(&mut self, bytes: &mut &[u8]) -> Result<(), Malformed> {
        let mut number = || take_number(bytes)?.ok_or(Malformed::Definition);
        for kind in 0..KNOWN {
            let list = LISTS.iter().position(|list| *list == kind);
            let rate = RATES & 1 << kind != 0;
            if !self.has(kind) || list.is_none() && !rate {
                continue;
            }
            if number()? != u64::from(kind) {
                return Err(Malformed::Definition);
            }
            if let Some(list) = list {
                self.elements[list] = number()?;
            }
            if rate {
                number()?;
            }
        }
        Ok(())
    }
}

impl KeyKind {
    fn code(self) -> u64 {
        match self {
            Self::Integer => 2,
            Self::Ipv4 => 4,
            Self::Ipv6 => 5,
            Self::Text => 6,
            Self::Binary => 7,
            Self::Other(code) => code,
        }
    }

    fn of(code: u64) -> Self {
        let known = [
            Self::Integer,
            Self::Ipv4,
            Self::Ipv6,
            Self::Text,
            Self::Binary,
        ];
        let known = known.into_iter().find(|kind| kind.code() == code);
        known.unwrap_or(Self::Other(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_what_haproxy_would_write() {
        let ours = Definition::new(1, "hive", KeyKind::Ipv4, 3_600_000);
        let mut out = Vec::new();
        ours.put(&mut out);
        assert_eq!(out[..8], *b"\x01\x04hive\x04\x04");
        assert_eq!(Definition::read(&out), Ok(ours));
    }

    #[test]
    fn lists_and_rates_tell_of_themselves() {
        let all = (1 << KNOWN) - 1;
        let own = Definition {
            data: all,
            elements: [2, 3, 4],
            ..Definition::new(9, "t", KeyKind::Text, 10)
        };
        let mut out = Vec::new();
        own.put(&mut out);
        let read = Definition::read(&out).expect("whole");
        assert_eq!(read, own);
        assert_eq!((read.numbers(22), read.numbers(24)), (2, 12));
        assert_eq!((read.numbers(3), read.numbers(0)), (3, 1));
        for end in 0..out.len() {
            assert!(Definition::read(&out[..end]).is_err(), "{end}");
        }
        // What is told of a type stands behind that type's own number.
        let place = out.iter().rposition(|byte| *byte == 26).expect("the last");
        out[place] = 25;
        assert_eq!(Definition::read(&out), Err(Malformed::Definition));
    }

    #[test]
    fn an_old_sender_tells_neither_life_nor_lists() {
        let old = b"\x01\x01t\x04\x04\x01";
        assert_eq!(Definition::read(old).expect("whole").expire, None);
        let mut list = b"\x01\x01t\x04\x04".to_vec();
        put_number(&mut list, 1 << 22);
        assert_eq!(Definition::read(&list), Err(Malformed::Definition));
        assert_eq!(
            Definition::read(b"\x01\x00\x04\x04\x01"),
            Err(Malformed::Definition)
        );
    }
}
