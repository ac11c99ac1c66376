//! Which server gets the next session: five answers, each a small structure shared by all workers.
//!
//! A [`Balancer`] is prepared by the pool's keeper for one snapshot, from the [`Candidates`], the servers that may
//! take sessions, and asked by sessions on every worker. To pick is to count: the session is on the picked
//! server's [`Load`] before the balancer returns, so a burst of sessions spreads by itself. A server that has
//! reached its cap is passed over.
//!
//! No clock, no tokio, no sockets: time and randomness come in with the [`Criteria`]. What must outlive a snapshot
//! (the turn of round-robin, the loads) lives in [`Counters`] and [`Load`], which snapshots share.

mod candidates;
mod compare;
mod effects;
mod estimate;
mod least_connection;
mod load;
mod mix;
mod random;
mod rank;
mod response_time;
mod round_robin;
mod score;
mod source_hash;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::candidates::{Candidate, Candidates, Criteria};
pub(crate) use self::effects::{Counting, Effects, Peeking};
pub use self::least_connection::LeastConnection;
pub use self::load::{Counters, Load};
pub use self::mix::hash_client;
pub use self::random::Random;
pub use self::response_time::ResponseTime;
pub use self::round_robin::RoundRobin;
pub use self::score::{Room, Score, Value};
pub use self::source_hash::{Ring, SourceHash};

/// How a pool picks, prepared for one snapshot.
pub enum Balancer {
    /// Smooth weighted turns.
    RoundRobin(RoundRobin),
    /// Fewest sessions for the weight.
    LeastConnection(LeastConnection),
    /// Shortest expected wait.
    ResponseTime(ResponseTime),
    /// The less loaded of two draws.
    Random(Random),
    /// By the client's address.
    SourceHash(SourceHash),
}

impl Balancer {
    /// Takes turns.
    pub fn round_robin(candidates: &Candidates) -> Self {
        Self::RoundRobin(RoundRobin::new(candidates))
    }

    /// Ranks by sessions.
    pub fn least_connection(candidates: &Candidates) -> Self {
        Self::LeastConnection(LeastConnection::new(candidates))
    }

    /// Ranks by expected wait.
    pub fn response_time(candidates: &Candidates) -> Self {
        Self::ResponseTime(ResponseTime::new(candidates))
    }

    /// Draws.
    pub fn random(candidates: &Candidates) -> Self {
        Self::Random(Random::new(candidates))
    }

    /// Hashes; `ring` holds at least these candidates.
    pub fn source_hash(candidates: &Candidates, ring: &Arc<Ring>) -> Self {
        Self::SourceHash(SourceHash::new(candidates, ring))
    }

    /// Picks one, counted on its load; `None` when every server on offer is full or was tried.
    pub fn pick(&self, candidates: &Candidates, criteria: &Criteria<'_>) -> Option<u32> {
        self.pick_by(candidates, criteria, &Counting)
    }

    /// As [`Self::pick`], or only a look at what it would give.
    pub(crate) fn pick_by(
        &self,
        candidates: &Candidates,
        criteria: &Criteria<'_>,
        effects: &impl Effects,
    ) -> Option<u32> {
        if candidates.all().is_empty() {
            return None;
        }
        match self {
            Self::RoundRobin(turns) => turns.pick(candidates, criteria, effects),
            Self::LeastConnection(ranking) => ranking.pick(candidates, criteria, effects),
            Self::ResponseTime(ranking) => ranking.pick(candidates, criteria, effects),
            Self::Random(random) => random.pick(candidates, criteria, effects),
            Self::SourceHash(hash) => hash.pick(candidates, criteria, effects),
        }
    }

    /// Whether [`Self::refresh`] matters: it keeps servers ranked by their load.
    pub fn is_ranked(&self) -> bool {
        matches!(self, Self::LeastConnection(_) | Self::ResponseTime(_))
    }

    /// The load or estimate of `member` changed outside of [`Self::pick`].
    pub fn refresh(&self, candidates: &Candidates, member: u32) {
        match self {
            Self::LeastConnection(ranking) => ranking.refresh(candidates, member),
            Self::ResponseTime(ranking) => ranking.refresh(candidates, member),
            Self::RoundRobin(_) | Self::Random(_) | Self::SourceHash(_) => {}
        }
    }

    /// Reads all loads again: for sessions that came or went while this balancer was built.
    pub fn refresh_all(&self, candidates: &Candidates) {
        match self {
            Self::LeastConnection(ranking) => ranking.refresh_all(candidates),
            Self::ResponseTime(ranking) => ranking.refresh_all(candidates),
            Self::RoundRobin(_) | Self::Random(_) | Self::SourceHash(_) => {}
        }
    }
}
