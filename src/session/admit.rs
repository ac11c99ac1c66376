//! Stage 1: may this client enter? Each grant is a guard that returns what it took by `Drop`.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::end::{End, Reason, Stage};
use crate::plan::ListenerPlan;

/// A bound on sessions at once, shared by all workers; it outlives reloads, which may move the bound.
#[derive(Debug, Default)]
pub struct Limit {
    taken: AtomicU32,
    most: AtomicU32,
}

/// One session's share of the listener's and of the process's bound.
#[derive(Debug)]
pub(super) struct Admitted {
    _listener: Grant,
    _process: Grant,
}

/// Judges the address first, as it costs nothing to others, then takes a place under both bounds.
///
/// `peer` is the TCP peer: a client behind a trusted proxy is judged again by [`entitled`] when its own address is known.
pub(super) fn admit(
    plan: &ListenerPlan,
    listener: &Arc<Limit>,
    process: &Arc<Limit>,
    peer: IpAddr,
) -> Result<Admitted, End> {
    if !is_proxy(plan, peer) {
        entitled(plan, peer)?;
    }
    let full = Stage::Admit.end(Reason::Limit);
    Ok(Admitted {
        _listener: Limit::take(listener).ok_or(full)?,
        _process: Limit::take(process).ok_or(full)?,
    })
}

/// Whether `peer` is believed, and required, to say whom it speaks for.
pub(super) fn is_proxy(plan: &ListenerPlan, peer: IpAddr) -> bool {
    plan.accept_proxy.iter().any(|net| net.contains(&peer))
}

/// `deny` wins over `allow`; an empty `allow` lets all others in.
pub(super) fn entitled(plan: &ListenerPlan, client: IpAddr) -> Result<(), End> {
    let client = client.to_canonical();
    let denied = plan.deny.iter().any(|net| net.contains(&client));
    let allowed = plan.allow.is_empty() || plan.allow.iter().any(|net| net.contains(&client));
    if denied || !allowed {
        Err(Stage::Admit.end(Reason::Denied))
    } else {
        Ok(())
    }
}

impl Limit {
    /// `None` is unbounded.
    pub fn new(most: Option<u32>) -> Arc<Self> {
        let limit = Self::default();
        limit.set(most);
        Arc::new(limit)
    }

    /// Moves the bound; sessions above a lower one live on.
    pub fn set(&self, most: Option<u32>) {
        self.most.store(most.unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Taken now.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    fn take(limit: &Arc<Self>) -> Option<Grant> {
        let most = limit.most.load(Ordering::Relaxed);
        let before = limit.taken.fetch_add(1, Ordering::Relaxed);
        let grant = Grant(Arc::clone(limit));
        (before < most).then_some(grant)
    }
}

#[derive(Debug)]
struct Grant(Arc<Limit>);

impl Drop for Grant {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_limit_refuses_and_what_is_returned_can_be_taken_again() {
        let limit = Limit::new(Some(2));
        let first = Limit::take(&limit);
        let second = Limit::take(&limit);
        assert!(first.is_some() && second.is_some());
        assert!(Limit::take(&limit).is_none());
        assert_eq!(limit.taken(), 2, "a refusal keeps nothing");
        drop(first);
        assert!(Limit::take(&limit).is_some());
    }
}
