//! Bounds that all workers share: sessions at once, and new sessions per second.
//!
//! A bound outlives reloads, which may move it. Nothing here waits or locks: a session costs each bound an addition or
//! two.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::rate::Rate;

/// A bound on sessions at once and on new ones per second.
#[derive(Debug)]
pub struct Limit {
    taken: AtomicU32,
    most: AtomicU32,
    rate: Rate,
    per_second: AtomicU32,
    since: Instant,
}

/// Why a bound gave no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// As many are there as may be.
    Count,
    /// As many came in this second as may come.
    Rate,
}

impl Limit {
    /// `None` is unbounded.
    pub fn new(most: Option<u32>, per_second: Option<u32>) -> Arc<Self> {
        let limit = Self {
            taken: AtomicU32::new(0),
            most: AtomicU32::new(0),
            rate: Rate::default(),
            per_second: AtomicU32::new(0),
            since: Instant::now(),
        };
        limit.set(most, per_second);
        Arc::new(limit)
    }

    /// Moves the bounds; sessions above a lower one live on.
    pub fn set(&self, most: Option<u32>, per_second: Option<u32>) {
        self.most.store(most.unwrap_or(u32::MAX), Ordering::Relaxed);
        self.per_second
            .store(per_second.unwrap_or(0), Ordering::Relaxed);
    }

    /// Taken now.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    /// A place, to be given back by [`Self::leave`].
    pub(super) fn enter(&self, now: Instant) -> Result<(), Exceeded> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        let token = |per_second| self.rate.take(per_second, self.passed(now));
        self.judge(before, token).inspect_err(|_| self.leave())
    }

    /// What [`Self::enter`] would say; takes nothing.
    pub(crate) fn look(&self, now: Instant) -> Result<(), Exceeded> {
        let token = |per_second| self.rate.next(per_second) <= self.passed(now);
        self.judge(self.taken(), token)
    }

    fn judge(&self, before: u32, token: impl FnOnce(u32) -> bool) -> Result<(), Exceeded> {
        if before >= self.most.load(Ordering::Relaxed) {
            return Err(Exceeded::Count);
        }
        match self.per_second() {
            Some(per_second) if !token(per_second) => Err(Exceeded::Rate),
            _ => Ok(()),
        }
    }

    /// Sessions at once; `None` is unbounded.
    pub(crate) fn most(&self) -> Option<u32> {
        let most = self.most.load(Ordering::Relaxed);
        (most < u32::MAX).then_some(most)
    }

    /// New sessions in a second; `None` is unbounded.
    pub(crate) fn per_second(&self) -> Option<u32> {
        let per_second = self.per_second.load(Ordering::Relaxed);
        (per_second > 0).then_some(per_second)
    }

    fn passed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    pub(super) fn leave(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_limit_refuses_and_what_is_returned_can_be_taken_again() {
        let (limit, now) = (Limit::new(Some(2), None), Instant::now());
        assert_eq!(limit.enter(now), Ok(()));
        assert_eq!(limit.enter(now), Ok(()));
        assert_eq!(limit.enter(now), Err(Exceeded::Count));
        assert_eq!(limit.taken(), 2, "a refusal keeps nothing");
        limit.leave();
        assert_eq!(limit.enter(now), Ok(()));
    }

    #[test]
    fn a_rate_lets_a_burst_in_and_then_as_many_as_a_second_has() {
        let (limit, start) = (Limit::new(None, Some(10)), Instant::now());
        let taken = |at: Duration| {
            (0..100)
                .take_while(|_| limit.enter(start + at).is_ok())
                .count()
        };
        assert_eq!(taken(Duration::ZERO), 10);
        assert_eq!(limit.enter(start), Err(Exceeded::Rate));
        assert_eq!(limit.taken(), 10, "a refusal keeps nothing");
        assert_eq!(taken(Duration::from_millis(250)), 2);
        assert_eq!(taken(Duration::from_secs(60)), 10);
        limit.set(None, None);
        assert_eq!(taken(Duration::from_secs(60)), 100);
    }
}
