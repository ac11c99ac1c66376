//! Least connection: the smallest (active + 1) / weight; equals take turns. Sessions that other howdahs have on a server count
//! as active.

use super::Candidate;
use super::rank::{Rank, Ranking};

/// Servers by sessions over weight.
pub type LeastConnection = Ranking<Fewest>;

/// A server's sessions after taking one more, over its weight; then, how long ago it was picked.
#[derive(Clone, Copy, Debug)]
pub struct Fewest {
    sessions: u64,
    weight: u64,
    picked: u64,
}

impl Rank for Fewest {
    fn of(candidate: &Candidate) -> Self {
        Self {
            sessions: u64::from(candidate.load.carried()) + 1,
            weight: u64::from(candidate.weight),
            picked: candidate.load.picked(),
        }
    }

    fn beats(&self, other: &Self) -> bool {
        let (own, others) = (self.sessions * other.weight, other.sessions * self.weight);
        own < others || own == others && self.picked < other.picked
    }
}
