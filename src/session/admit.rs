//! Stage 1: may this client enter? Each grant is a guard that returns what it took by `Drop`.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::config::SessionConfig;
use super::end::{End, Reason, Stage};
use super::limit::Exceeded;
use super::sources::SourceGrant;
use crate::plan::ListenerPlan;

/// One session's share of the listener's and of the process's bound.
pub(super) struct Admitted(Arc<SessionConfig>);

impl Admitted {
    /// Of its listener, as it was when the session began.
    pub(super) fn config(&self) -> &SessionConfig {
        &self.0
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.limit.leave();
        self.0.process_limit.leave();
    }
}

/// Judges the address first, as it costs nothing to others, then takes a place under both bounds.
///
/// `peer` is the TCP peer: a client behind a trusted proxy is judged again by [`entitled`] when its own address is known.
pub(super) fn admit(
    config: &Arc<SessionConfig>,
    peer: IpAddr,
    now: Instant,
) -> Result<Admitted, End> {
    if stands_by(config) {
        return Err(Stage::Admit.end(Reason::Standby));
    }
    if !is_proxy(&config.plan, peer) {
        entitled(&config.plan, peer)?;
    }
    config.limit.enter(now).map_err(refusal)?;
    if let Err(exceeded) = config.process_limit.enter(now) {
        config.limit.leave();
        return Err(refusal(exceeded));
    }
    Ok(Admitted(Arc::clone(config)))
}

/// Whether only another howdah may take sessions, by the clock of this very moment: one that was frozen may have accepted
/// before it knows that its time is over.
pub(super) fn stands_by(config: &SessionConfig) -> bool {
    let lease = config.lease.as_ref();
    lease.is_some_and(|lease| !lease.holds(Instant::now()))
}

fn refusal(exceeded: Exceeded) -> End {
    Stage::Admit.end(match exceeded {
        Exceeded::Count => Reason::Limit,
        Exceeded::Rate => Reason::RateLimit,
    })
}

/// A place under the bound of the client itself, where the listener has one; for a client behind a trusted proxy when its
/// own address is known.
pub(super) fn claim(
    config: &SessionConfig,
    client: IpAddr,
    now: Instant,
) -> Result<Option<SourceGrant>, End> {
    let bounds = &config.plan.source;
    if bounds.is_none() {
        return Ok(None);
    }
    let grant = config.sources.take(client, bounds, now);
    grant.map(Some).ok_or(Stage::Admit.end(Reason::SourceLimit))
}

/// Whether `peer` is believed, and required, to say whom it speaks for.
pub(crate) fn is_proxy(plan: &ListenerPlan, peer: IpAddr) -> bool {
    plan.accept_proxy.iter().any(|net| net.contains(&peer))
}

/// `deny` wins over `allow`; an empty `allow` lets all others in.
pub(crate) fn entitled(plan: &ListenerPlan, client: IpAddr) -> Result<(), End> {
    let denied = plan.deny.contains(client);
    let allowed = plan.allow.is_empty() || plan.allow.contains(client);
    if denied || !allowed {
        Err(Stage::Admit.end(Reason::Denied))
    } else {
        Ok(())
    }
}
