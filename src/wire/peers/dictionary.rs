//! Names of servers by number: sent in full once, and as a number from then on, in each direction of a connection apart.
//!
//! There are 128 numbers. A sender that has more names gives the oldest number to another, in full again.

use std::collections::HashMap;
use std::sync::Arc;

use super::fault::Malformed;

/// Numbers of a direction, from 1 (`PEER_STKT_CACHE_MAX_ENTRIES`).
pub const NUMBERS: usize = 128;

/// Longer names are nobody's; of such a number nothing is remembered.
const NAME_MAX: usize = 1024;

/// What the other side has told.
#[derive(Debug, Default)]
pub struct Received(Vec<Option<Arc<str>>>);

impl Received {
    /// What is known by `number`; `None` inside when it was never told, or was no name.
    ///
    /// # Errors
    /// [`Malformed::Dictionary`] when there is no such number.
    pub(super) fn get(&self, number: u64) -> Result<Option<Arc<str>>, Malformed> {
        let at = place(number)?;
        Ok(self.0.get(at).cloned().flatten())
    }

    /// From now on, `number` is this name.
    pub(super) fn learn(
        &mut self,
        number: u64,
        name: &[u8],
    ) -> Result<Option<Arc<str>>, Malformed> {
        let at = place(number)?;
        let name = std::str::from_utf8(name).ok();
        let name: Option<Arc<str>> = name.filter(|name| name.len() <= NAME_MAX).map(Into::into);
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at].clone_from(&name);
        Ok(name)
    }
}

fn place(number: u64) -> Result<usize, Malformed> {
    let number = usize::try_from(number).map_err(|_| Malformed::Dictionary)?;
    let at = number.checked_sub(1).filter(|at| *at < NUMBERS);
    at.ok_or(Malformed::Dictionary)
}

/// What was told to the other side.
#[derive(Debug, Default)]
pub struct Sent {
    numbers: HashMap<Arc<str>, usize>,
    names: Vec<Arc<str>>,
    oldest: usize,
}

impl Sent {
    /// Appends `name` as the data of an entry: its number, and in full where the other side does not know that.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, name: &str) {
        let known = self.numbers.get(name).copied();
        let at = known.unwrap_or_else(|| self.admit(name));
        let mut content = Vec::with_capacity(name.len() + 4);
        super::put_number(&mut content, at as u64 + 1);
        if known.is_none() {
            super::put_number(&mut content, name.len() as u64);
            content.extend(name.as_bytes());
        }
        super::put_number(out, content.len() as u64);
        out.extend(content);
    }

    fn admit(&mut self, name: &str) -> usize {
        let name: Arc<str> = name.into();
        let at = if self.names.len() < NUMBERS {
            self.names.push(Arc::clone(&name));
            self.names.len() - 1
        } else {
            let at = self.oldest;
            self.oldest = (at + 1) % NUMBERS;
            self.numbers.remove(&self.names[at]);
            self.names[at] = Arc::clone(&name);
            at
        };
        self.numbers.insert(name, at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_once() {
        let (mut sent, mut out) = (Sent::default(), Vec::new());
        sent.put(&mut out, "hs2-1");
        sent.put(&mut out, "hs2-2");
        sent.put(&mut out, "hs2-1");
        assert_eq!(out, b"\x07\x01\x05hs2-1\x07\x02\x05hs2-2\x01\x01");
    }

    #[test]
    fn more_names_than_numbers_are_told_again() {
        let mut sent = Sent::default();
        for number in 0..=NUMBERS {
            sent.put(&mut Vec::new(), &format!("s{number}"));
        }
        let mut out = Vec::new();
        sent.put(&mut out, &format!("s{NUMBERS}"));
        assert_eq!(out, b"\x01\x01", "it has the number of the first");
        out.clear();
        sent.put(&mut out, "s0");
        assert_eq!(out, b"\x04\x02\x02s0", "which takes that of the second");
    }

    #[test]
    fn what_was_never_told_is_nothing_and_what_is_no_number_is_a_fault() {
        let mut received = Received::default();
        assert_eq!(received.get(128), Ok(None));
        assert_eq!(received.get(0), Err(Malformed::Dictionary));
        assert_eq!(received.learn(129, b"a"), Err(Malformed::Dictionary));
        assert_eq!(received.learn(7, b"\xff"), Ok(None));
        assert_eq!(received.learn(7, &[b'x'; 2000]), Ok(None));
        assert_eq!(received.learn(7, b"a").map(|name| name.is_some()), Ok(true));
        assert_eq!(received.get(7).expect("a number").as_deref(), Some("a"));
    }
}
