//! A server held by a session: counted when chosen, returned by `Drop`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Pool, Reach, Server};
use crate::base::word::words;
use crate::plan::{Balance, PoolPlan};

words! {
    /// Why that server.
    pub enum Pick {
        /// Its turn.
        RoundRobin = "round-robin",
        /// Least loaded.
        LeastConnection = "least-connection",
        /// Least expected wait.
        ResponseTime = "response-time",
        /// The less loaded of two drawn.
        Random = "random",
        /// The client's address.
        SourceHash = "source-hash",
        /// The client was there before.
        Sticky = "sticky",
        /// No other than backup servers could take it.
        Backup = "backup",
        /// Nothing to choose between.
        OnlyOne = "only-one",
    }
}

impl From<Balance> for Pick {
    fn from(balance: Balance) -> Self {
        match balance {
            Balance::RoundRobin => Self::RoundRobin,
            Balance::LeastConnection => Self::LeastConnection,
            Balance::ResponseTime => Self::ResponseTime,
            Balance::Random => Self::Random,
            Balance::SourceHash => Self::SourceHash,
        }
    }
}

/// One session's hold on one server. To drop it is to end the session in the eyes of the pool.
pub struct Lease {
    pub(super) pool: Arc<Pool>,
    pub(super) server: Arc<Server>,
    pub(super) plan: Arc<PoolPlan>,
    pub(super) pick: Pick,
    /// Whose entry in the sticky table this session keeps alive.
    pub(super) holds: Option<IpAddr>,
}

impl Lease {
    /// The server to connect to.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Why this one.
    pub fn pick(&self) -> Pick {
        self.pick
    }

    /// The pool as it was planned when this server was chosen; the session lives on under it.
    pub fn plan(&self) -> &Arc<PoolPlan> {
        &self.plan
    }

    /// The pool that it came from.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The server answered a turn with its first byte, after this long; `first` is the first turn of the session.
    pub fn answered(&self, took: Duration, now: Instant, first: bool) {
        self.pool.metrics().answered(took, first);
        self.server.observed().succeeded(Reach::Answer);
        self.observe(took, now);
    }

    /// The server took this long: to accept the connection, or to answer a turn with its first byte.
    /// Nothing happens unless the pool balances by response time.
    pub fn observe(&self, took: Duration, now: Instant) {
        if self.plan.balance == Balance::ResponseTime {
            self.pool.observe(&self.server, took, now);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.server.returned();
        self.pool.returned(&self.server, self.holds.take());
    }
}
