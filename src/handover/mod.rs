//! Its own end is not noticed: how one howdah takes over from another that runs with the same configuration.
//!
//! ```text
//!  new (successor)                                   old (predecessor)
//!   hello: protocol, version, pid    ──────────────►  is it one of us? does no other takeover run?
//!   sockets, with their descriptors  ◄──────────────  welcome; then each socket that listens, in batches
//!   opens what is missing, asks the servers           goes on accepting
//!   accepts, and says: serving       ──────────────►  stops accepting: the sockets live on in the new one
//!                                    ◄──────────────  draining; its session with ZooKeeper, where that was asked for
//!   the control socket's path is its own: settled ──►  drains as on SIGTERM, and tells once a second what is left
//! ```
//!
//! * Before `serving` the old one changes nothing: a new one that fails, hangs or dies leaves it as it was.
//! * Each step has a deadline, each message a bound; whoever is neither root nor of our own user is sent away.
//! * Descriptors come by `SCM_RIGHTS` ([`link`]), or from the service manager ([`given`]); no line here is unsafe.
//!
//! [`app`](crate::app) decides when; this room knows how.

pub mod claim;
pub mod door;
pub mod given;
pub mod inherited;
pub mod link;
pub mod manager;
pub mod message;
pub mod offer;
pub mod place;
pub mod predecessors;
pub mod report;
#[cfg(test)]
mod tests;

use std::time::Duration;

/// Of the messages. Another number is not understood; fields may be added under the same.
pub const PROTOCOL: u32 = 1;
/// For each step but one.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// For a new howdah to open what is missing and to hear first verdicts.
pub const PREPARATION: Duration = Duration::from_secs(60);
