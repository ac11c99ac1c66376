//! Where a session can go: a pool, and what it takes to speak to its servers.

use std::sync::Arc;

use super::end::{End, Reason, Stage};
use crate::plan::SniPattern;
use crate::pool::Pool;
use crate::telemetry::PoolMetrics;
use crate::tls::connect::Connector;

/// A pool, and what a session needs to speak to its servers.
#[derive(Clone)]
pub struct Destination {
    /// Picks the server.
    pub pool: Arc<Pool>,
    /// TLS towards the servers.
    pub connector: Option<Connector>,
    /// The pool's counters.
    pub metrics: Arc<PoolMetrics>,
}

/// From the name a client asked for to the pool: first route that matches, else the listener's own pool.
pub struct Switch {
    /// In the order of the file.
    pub routes: Vec<(Vec<SniPattern>, Destination)>,
    /// `None` refuses what no route matches.
    pub default: Option<Destination>,
}

impl Switch {
    pub(super) fn route(&self, sni: Option<&str>) -> Result<&Destination, End> {
        let matches = |patterns: &[SniPattern]| {
            sni.is_some_and(|sni| patterns.iter().any(|pattern| pattern.matches(sni)))
        };
        self.routes
            .iter()
            .find_map(|(patterns, destination)| matches(patterns).then_some(destination))
            .or(self.default.as_ref())
            .ok_or(Stage::Choose.end(Reason::NoRoute))
    }

    /// Every pool that a session of this listener can go to.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        let routed = self.routes.iter().map(|(_, destination)| destination);
        routed
            .chain(&self.default)
            .map(|destination| &destination.pool)
    }
}
