//! Accepting sockets and the workers behind them.
//!
//! Each worker thread has a runtime of its own and, for each address of each listener, a listening socket of its
//! own (`SO_REUSEPORT`), so that accepting needs no lock. The kernel spreads connections by a hash, which skews
//! when a handful of Hue hosts make few, heavy ones: so each new connection is handed to the worker that has the
//! fewest (see [`spread`]). From then on it lives there.
//!
//! Over UDP the kernel's hash alone decides, so that all datagrams of a client come to the worker that has its session.
//!
//! A [`Listener`] is the shared, lasting part: its name, bounds and counters, and the [`SessionConfig`] that its next
//! session will follow. A reload stores a new one; sessions keep the one they began with. An [`Owner`] says which
//! listener a socket belongs to: a reload hands the sockets of an address over when another listener gets it, so that no
//! connection is lost and none follows the rules of before.

mod accept;
pub mod bind;
mod datagrams;
pub mod handles;
mod inbox;
pub mod sessions;
mod spread;
mod worker;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::plan::ListenerName;
use crate::session::{Limit, SessionConfig, Sources};
use crate::telemetry::ListenerMetrics;

/// One listener, shared by all workers; outlives reloads.
pub struct Listener {
    name: ListenerName,
    config: ArcSwap<SessionConfig>,
    limit: Arc<Limit>,
    udp_limit: Arc<Limit>,
    sources: Arc<Sources>,
    metrics: Arc<ListenerMetrics>,
}

/// Whose the sockets of an address are, for the connection that is accepted next.
pub struct Owner(ArcSwap<Listener>);

impl Owner {
    /// Of that listener.
    pub fn new(listener: &Arc<Listener>) -> Arc<Self> {
        Arc::new(Self(ArcSwap::new(Arc::clone(listener))))
    }

    /// From now on of this one.
    pub fn hand_over(&self, listener: &Arc<Listener>) {
        self.0.store(Arc::clone(listener));
    }

    /// Whose it is now.
    pub fn name(&self) -> ListenerName {
        self.0.load().name.clone()
    }

    fn load(&self) -> Guard<Arc<Listener>> {
        self.0.load()
    }

    fn load_full(&self) -> Arc<Listener> {
        self.0.load_full()
    }
}

impl Listener {
    /// A listener whose first sessions follow `config`; it accepts nothing until a worker is given a socket.
    pub fn new(config: Arc<SessionConfig>) -> Arc<Self> {
        Arc::new(Self {
            name: config.plan.name.clone(),
            limit: Arc::clone(&config.limit),
            udp_limit: Arc::clone(&config.udp_limit),
            sources: Arc::clone(&config.sources),
            metrics: Arc::clone(&config.metrics),
            config: ArcSwap::new(config),
        })
    }

    /// As configured.
    pub fn name(&self) -> &ListenerName {
        &self.name
    }

    /// What the next session will follow.
    pub fn config(&self) -> Arc<SessionConfig> {
        self.config.load_full()
    }

    /// Sessions that begin from now on follow `config`.
    pub fn follow(&self, config: Arc<SessionConfig>) {
        let plan = &config.plan;
        self.limit.set(plan.max_connections, plan.max_per_second);
        let most = plan.most_over_udp();
        self.udp_limit.set(Some(most), plan.max_per_second);
        self.config.store(config);
    }

    /// The bound, to be handed to the next config.
    pub fn limit(&self) -> &Arc<Limit> {
        &self.limit
    }

    /// The bound on sessions over UDP, to be handed to the next config.
    pub fn udp_limit(&self) -> &Arc<Limit> {
        &self.udp_limit
    }

    /// Those of each client, to be handed to the next config.
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// The counters, to be handed to the next config.
    pub fn metrics(&self) -> &Arc<ListenerMetrics> {
        &self.metrics
    }
}
