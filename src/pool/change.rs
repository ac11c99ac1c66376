//! What can happen to a pool, and why it did not.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::memory::Recall;
use super::origin::Origin;
use super::{Health, Order, Said, ServerId};
use crate::plan::{PoolName, PoolPlan, Role, ServerName, ServerPlan};

/// What can happen to a pool.
pub enum Change {
    /// A reload brought another plan of the same name.
    Plan(Arc<PoolPlan>),
    /// A source lists these servers now, whatever it listed before.
    Roster(Vec<Arc<ServerPlan>>),
    /// The pool left the file. A plan takes that back.
    Close {
        /// When sessions on its servers must be gone.
        by: Instant,
    },
    /// Stands for whatever a keeper cannot bear.
    #[cfg(test)]
    Panic,
    /// Probes came to another conclusion. A server that left meanwhile is no fault.
    Health {
        /// Whose.
        server: ServerId,
        /// The conclusion.
        health: Health,
        /// What the server said that it is, if it did.
        role: Option<Role>,
    },
    /// A server speaks of its load. One that left meanwhile is no fault.
    Said {
        /// Which.
        server: ServerId,
        /// What of it bears on sessions.
        said: Said,
    },
    /// The operator wants this.
    Order {
        /// Of which server.
        server: ServerName,
        /// What.
        order: Order,
        /// Who gave it.
        given: Origin,
    },
    /// The operator wants this weight, until the file names another one than it does now.
    Weight {
        /// Of which server.
        server: ServerName,
        /// 1 to [`crate::plan::WEIGHT_MAX`].
        weight: u16,
        /// Who gave it.
        given: Origin,
    },
    /// What a former howdah knew.
    Recall(Box<Recall>),
}

/// Why a [`Change`] was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Operator: no such server.
    #[error("pool \"{pool}\" has no server \"{server}\"")]
    UnknownServer {
        /// Where it was looked for.
        pool: PoolName,
        /// What was looked for.
        server: ServerName,
    },
    /// Operator: no such weight.
    #[error("a weight is a number from 1 to {max}, not {0}", max = crate::plan::WEIGHT_MAX)]
    Weight(u16),
    /// Us: the keeper has ended, which happens only when howdah stops.
    #[error("pool \"{0}\" is stopping")]
    Stopping(PoolName),
}

/// A change on its way, and where the answer goes.
pub(super) struct Request {
    pub(super) change: Change,
    pub(super) reply: oneshot::Sender<Result<(), Refused>>,
}
