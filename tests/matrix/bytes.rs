//! What the sides say: bytes in which every position can be told from its neighbours, and every session from others.

use std::sync::OnceLock;

/// A prime near one million, so that no buffer size divides it.
const PERIOD: usize = 999_983;

/// The endless sequence of one side of one session.
#[derive(Clone, Copy)]
pub(crate) struct Saying {
    block: &'static [u8],
    at: usize,
}

impl Saying {
    pub(crate) fn of_client(session: usize) -> Self {
        static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
        Self::begun(BLOCK.get_or_init(|| filled(1)), session)
    }

    pub(crate) fn of_server(session: usize) -> Self {
        static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
        Self::begun(BLOCK.get_or_init(|| filled(2)), session)
    }

    fn begun(block: &'static [u8], session: usize) -> Self {
        Self {
            block,
            at: session * 7_919 % PERIOD,
        }
    }

    /// The next bytes, at least one and at most `most`.
    pub(crate) fn next(&self, most: usize) -> &'static [u8] {
        &self.block[self.at..(self.at + most).min(PERIOD)]
    }

    pub(crate) fn advance(&mut self, used: usize) {
        self.at = (self.at + used) % PERIOD;
    }

    /// Goes on over what was heard; false when a byte of it is another.
    pub(crate) fn matches(&mut self, mut heard: &[u8]) -> bool {
        while !heard.is_empty() {
            let due = self.next(heard.len());
            let (now, later) = heard.split_at(due.len());
            if now != due {
                return false;
            }
            self.advance(now.len());
            heard = later;
        }
        true
    }
}

fn filled(seed: u64) -> Vec<u8> {
    let mut block = vec![0; PERIOD];
    fastrand::Rng::with_seed(seed).fill(&mut block);
    block
}
