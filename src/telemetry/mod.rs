//! What howdah tells about itself: metrics, the line of each session, the log, the journal of events.
//!
//! Every other room reports here and nothing here decides anything. Three invariants: a metric's label is a
//! configured name or the word of an enum, never what a client sent; a session touches only atomics that were
//! looked up before it began; and no log, full disk or stuck pipe ever makes a session wait.

pub mod access;
mod datagrams;
pub mod families;
pub mod handles;
pub mod journal;
mod journald;
mod json;
pub mod log;
pub mod metrics;
mod outlet;
mod process;
mod record;
mod sink;
pub mod sketch;
mod stream;
mod syslog;
pub mod timelines;

pub use self::access::{AccessLog, Line};
pub use self::handles::VipMetrics;
pub use self::handles::{
    AlertMetrics, ListenerMetrics, OutageKind, PeerMetrics, PoolMetrics, ServerMetrics,
    SessionResult, Shown, StateMetrics, Times,
};
pub use self::journal::Journal;
pub use self::log::Log;
pub use self::metrics::{HandoverResult, Metrics, ReloadResult};
pub use self::sink::Sink;
