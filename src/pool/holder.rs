//! Who is the active server of a pool that wants one alone? Pure.
//!
//! The first that is up keeps the sessions for as long as it is up and under no order, whoever else says meanwhile that it
//! is the active one. A failover looks like a conflict for a moment, when the new active server is heard before the old one
//! was asked again; so two are called a conflict only after the [`GRACE`] in which both are asked at
//! `fast_interval`.

use std::time::Duration;

use tokio::time::Instant;

use super::ServerId;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hold {
    holder: Option<ServerId>,
    /// Since when there are several.
    rivals_since: Option<Instant>,
    conflict: bool,
}

/// What became of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dispute {
    /// It has come.
    Begun,
    /// It is over.
    Ended,
}

impl Hold {
    /// The one that takes sessions.
    pub(super) fn holder(&self) -> Option<ServerId> {
        self.holder
    }

    pub(super) fn is_conflict(&self) -> bool {
        self.conflict
    }

    /// Nobody is known to be the active one, or several are.
    pub(super) fn is_unclear(&self) -> bool {
        self.holder.is_none() || self.rivals_since.is_some()
    }

    /// `claimants`: those that may take sessions, in the order in which they came up.
    pub(super) fn judge(&mut self, claimants: &[ServerId], now: Instant) -> Option<Dispute> {
        if !self
            .holder
            .is_some_and(|holder| claimants.contains(&holder))
        {
            self.holder = claimants.first().copied();
        }
        let since = self.rivals_since.unwrap_or(now);
        self.rivals_since = (claimants.len() > 1).then_some(since);
        let conflict = self.rivals_since.is_some_and(|since| now >= since + GRACE);
        match (std::mem::replace(&mut self.conflict, conflict), conflict) {
            (false, true) => Some(Dispute::Begun),
            (true, false) => Some(Dispute::Ended),
            _ => None,
        }
    }

    /// When several become a conflict, if nothing else changes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.rivals_since
            .filter(|_| !self.conflict)
            .map(|since| since + GRACE)
    }
}

/// A probe of the old one, at `fast_interval`, fits in.
const GRACE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    const A: ServerId = ServerId::for_tests(1);
    const B: ServerId = ServerId::for_tests(2);

    #[test]
    fn the_first_keeps_the_sessions_while_a_second_claims_them() {
        let (mut hold, start) = (Hold::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(hold.is_unclear());
        assert_eq!(hold.judge(&[A], at(0)), None);
        assert!(hold.holder() == Some(A) && !hold.is_unclear());
        assert_eq!(hold.judge(&[A, B], at(1)), None);
        assert!(hold.holder() == Some(A) && hold.is_unclear());
        assert_eq!(hold.judge(&[B, A], at(2)), None);
        assert_eq!(hold.due(), Some(at(1) + GRACE));
        assert_eq!(hold.judge(&[B, A], at(4)), Some(Dispute::Begun));
        assert_eq!(hold.judge(&[B, A], at(30)), None);
        assert!(hold.holder() == Some(A) && hold.is_conflict());
        assert_eq!(hold.judge(&[B], at(31)), Some(Dispute::Ended));
        assert!(hold.holder() == Some(B) && !hold.is_unclear());
    }

    #[test]
    fn a_failover_is_no_conflict_whoever_is_heard_first() {
        let (mut hold, now) = (Hold::default(), Instant::now());
        hold.judge(&[A], now);
        assert_eq!(hold.judge(&[A, B], now), None);
        assert_eq!(hold.judge(&[B], now + Duration::from_secs(2)), None);
        assert_eq!(hold.holder(), Some(B));
        hold.judge(&[], now);
        assert!(hold.holder().is_none() && hold.is_unclear());
        hold.judge(&[A], now);
        assert_eq!(hold.holder(), Some(A));
    }
}
