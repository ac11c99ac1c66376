//! Where would this client go, and why? Rule by rule, in the order in which a session lives through them.
//!
//! The rules are asked of the very functions that sessions ask ([`entitled`](crate::session), `Limit::look`, `Switch::find`,
//! [`Pool::forecast`](crate::pool::Pool::forecast)); here they are put in order and into words. To ask changes nothing: no
//! session is counted, no turn used up, no sticky entry made.
//!
//! Of a running howdah the admin server asks; of a file, `howdah explain --config` ([`mod@file`]), where all servers count as
//! up. What cannot be known ahead is said as such: who is drawn by lot, and what a server does that is dialled.

mod answer;
mod bounds;
mod choice;
mod entry;
pub mod file;
mod member;
mod query;
mod route;
#[cfg(test)]
mod tests;

use tokio::time::Instant;

pub use self::answer::{Alternative, Decision, Explanation, Outcome, Rule, Step};
use self::query::Stopped;
pub use self::query::{Query, Rules, Scene};
use crate::plan::Protocol;

/// Where such a client would go.
pub fn explain(rules: Rules<'_>, scene: &Scene, query: &Query, now: Instant) -> Explanation {
    let spoken = rules.plan.protocols.first().copied();
    let protocol = query.protocol.or(spoken).unwrap_or(Protocol::Tcp);
    let mut told = Explanation::begin(rules.plan.name.as_str(), query, protocol);
    let stopped = ask(rules, scene, query, protocol, now, &mut told);
    if let Err(reason) = stopped {
        told.decision = Decision::Refused;
        told.reason = Some(reason);
    }
    told
}

fn ask(
    rules: Rules<'_>,
    scene: &Scene,
    query: &Query,
    protocol: Protocol,
    now: Instant,
    told: &mut Explanation,
) -> Result<(), Stopped> {
    entry::listens(rules.plan, query, scene, protocol, told)?;
    let client = match protocol {
        Protocol::Tcp => entry::admitted(rules, query, now, told)?,
        Protocol::Udp => entry::admitted_over_udp(rules, query, now, told)?,
    };
    let destination = route::routed(rules, query, protocol, told)?;
    choice::chosen(&destination.pool, client, scene, protocol, now, told)
}
