//! Whether sessions got a server: the counters of one pool or listener.

use prometheus::IntCounterVec;

use super::by_word::Counters;
use crate::base::word::words;

words! {
    /// Whether a session got a server.
    pub enum SessionResult {
        /// It did.
        Served = "served",
        /// It did not, and its client is not to blame.
        Failed = "failed",
    }
}

/// See the module.
pub(super) struct Served(Counters);

impl Served {
    pub(super) fn new(family: &IntCounterVec, own: &[&str]) -> Self {
        Self(Counters::new(family, own))
    }

    pub(super) fn count(&self, result: SessionResult) {
        self.0.inc(result);
    }

    /// How many were served, and how many failed, ever.
    pub(super) fn totals(&self) -> (u64, u64) {
        let children = self.0.children::<SessionResult>();
        let total = |result: SessionResult| children[result as usize].1.get();
        (total(SessionResult::Served), total(SessionResult::Failed))
    }

    pub(super) fn remove(&self) {
        self.0.remove();
    }
}
