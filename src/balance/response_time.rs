//! Response time: the smallest expected wait, (estimate) × (active + 1) / weight.
//!
//! The estimate is a peak EWMA of what sessions saw the server take; see [`super::estimate`] for why its
//! logarithm can be ranked without being touched as time passes.

use super::Candidate;
use super::load::NOTICEABLE;
use super::rank::{Rank, Ranking};

/// Servers by expected wait.
pub type ResponseTime = Ranking<Soonest>;

/// The logarithm of a server's expected wait; then, how long ago it was picked.
#[derive(Clone, Copy, Debug)]
pub struct Soonest {
    wait: f64,
    picked: u64,
}

impl Rank for Soonest {
    fn of(candidate: &Candidate) -> Self {
        let work = f64::from(candidate.load.active()) + 1.0;
        Self {
            wait: candidate.load.level() + (work / f64::from(candidate.weight)).ln(),
            picked: candidate.load.picked(),
        }
    }

    fn beats(&self, other: &Self) -> bool {
        self.wait < other.wait || self.wait == other.wait && self.picked < other.picked
    }

    /// Estimates move with every answer, and are ranked again when they have moved noticeably.
    fn still_holds(&self, now: &Self) -> bool {
        now.wait <= self.wait + NOTICEABLE
    }
}
