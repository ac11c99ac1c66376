//! What the sessions of a listener go by, from the first byte to the account.

use std::sync::Arc;

use super::destination::Switch;
use super::limit::Limit;
use super::sources::Sources;
use crate::base::lease::Lease;
use crate::plan::{ListenerPlan, RelayWay};
use crate::telemetry::ListenerMetrics;
use crate::telemetry::access::AccessLog;

/// What the sessions of one listener follow. Made anew by a reload; a session keeps the one it began with.
pub struct SessionConfig {
    /// The listener's own rules.
    pub plan: Arc<ListenerPlan>,
    /// Ends TLS here.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How bytes are moved.
    pub relay: RelayWay,
    /// Which pool takes whom.
    pub switch: Switch,
    /// The listener's bound on sessions.
    pub limit: Arc<Limit>,
    /// The listener's bound on sessions over UDP, which do not count under the process's: a client that forges addresses
    /// could fill that one.
    pub udp_limit: Arc<Limit>,
    /// The process's bound on sessions.
    pub process_limit: Arc<Limit>,
    /// The right to take sessions, where only one howdah of several may.
    pub lease: Option<Arc<Lease>>,
    /// Those of each client.
    pub sources: Arc<Sources>,
    /// The listener's counters.
    pub metrics: Arc<ListenerMetrics>,
    /// Takes the line of each session.
    pub access: AccessLog,
}
