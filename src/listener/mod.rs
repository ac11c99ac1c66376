//! Accepting sockets and the workers behind them.
//!
//! Each worker thread has a runtime of its own and, for each address of each listener, a listening socket of its
//! own (`SO_REUSEPORT`), so that accepting needs no lock. The kernel spreads connections by a hash, which skews
//! when a handful of Hue hosts make few, heavy ones: so each new connection is handed to the worker that has the
//! fewest (see [`spread`]). From then on it lives there.
//!
//! A [`Listener`] is the shared, lasting part: its name, bounds and counters, and the [`Course`] that its next
//! session will follow. A reload stores a new course; sessions keep the one they began with.

mod accept;
pub mod bind;
pub mod crew;
mod inbox;
mod spread;
mod worker;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::plan::ListenerName;
use crate::session::{Course, Limit};
use crate::telemetry::ListenerMetrics;

/// One listener, shared by all workers; outlives reloads.
pub struct Listener {
    name: ListenerName,
    course: ArcSwap<Course>,
    limit: Arc<Limit>,
    metrics: Arc<ListenerMetrics>,
}

impl Listener {
    /// A listener whose first sessions follow `course`; it accepts nothing until a worker is given a socket.
    pub fn new(course: Arc<Course>) -> Arc<Self> {
        Arc::new(Self {
            name: course.plan.name.clone(),
            limit: Arc::clone(&course.limit),
            metrics: Arc::clone(&course.metrics),
            course: ArcSwap::new(course),
        })
    }

    /// As configured.
    pub fn name(&self) -> &ListenerName {
        &self.name
    }

    /// What the next session will follow.
    pub fn course(&self) -> Arc<Course> {
        self.course.load_full()
    }

    /// Sessions that begin from now on follow `course`.
    pub fn follow(&self, course: Arc<Course>) {
        self.limit.set(course.plan.max_connections);
        self.course.store(course);
    }

    /// The bound, to be handed to the next course.
    pub fn limit(&self) -> &Arc<Limit> {
        &self.limit
    }

    /// The counters, to be handed to the next course.
    pub fn metrics(&self) -> &Arc<ListenerMetrics> {
        &self.metrics
    }
}
