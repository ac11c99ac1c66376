//! How old the list of a pool's servers is, for people; a snapshot has the list itself.

use std::time::Duration;

use tokio::time::Instant;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The source answers. Otherwise it is silent, or lists nothing, and the last list is in force.
    pub live: bool,
    /// When it last said which servers there are; `None`: never.
    pub heard_at: Option<Instant>,
    /// Why it is not live; empty while it is.
    pub why: String,
}

impl Freshness {
    /// Since the source last said which servers there are.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.heard_at.map(|at| now.saturating_duration_since(at))
    }
}
