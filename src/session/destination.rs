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
        let found = self.find(sni).map(|(_, destination)| destination);
        found.ok_or(Stage::Choose.end(Reason::NoRoute))
    }

    /// Where it goes, and by which route's pattern; `None`: by none of them.
    pub(crate) fn find(&self, sni: Option<&str>) -> Option<(Option<&SniPattern>, &Destination)> {
        let fits = |patterns: &'_ &SniPattern| sni.is_some_and(|sni| patterns.matches(sni));
        let routed = self.routes.iter().find_map(|(patterns, destination)| {
            let pattern = patterns.iter().find(fits)?;
            Some((Some(pattern), destination))
        });
        routed.or_else(|| self.default.as_ref().map(|default| (None, default)))
    }

    /// Every pool that a session of this listener can go to.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        let routed = self.routes.iter().map(|(_, destination)| destination);
        routed
            .chain(&self.default)
            .map(|destination| &destination.pool)
    }
}
