//! Live numbers of a server and of a pool: what balancers compare, shared by workers and snapshots.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::estimate::Estimate;
use crate::base::rate::Rate;
use crate::base::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::base::sync::{Mutex, MutexGuard};

/// What one server carries now, and what it takes for its answers.
#[derive(Debug)]
pub struct Load {
    active: AtomicU32,
    /// Sessions that other howdahs have on it, as far as they say.
    elsewhere: AtomicU32,
    total: AtomicU64,
    rate: Rate,
    /// The number of its last pick, so that equals take turns.
    picked: AtomicU64,
    estimate: Mutex<Shown>,
    /// [`Estimate::level`], for readers that do not want the lock.
    level: AtomicU64,
    counters: Arc<Counters>,
}

/// What one pool remembers from snapshot to snapshot.
#[derive(Debug, Default)]
pub struct Counters {
    cursor: AtomicU64,
    picks: AtomicU64,
    active: AtomicU64,
    /// When a session last saw an answer, in seconds and rounded up; 0: never.
    heard: AtomicU64,
}

#[derive(Debug)]
struct Shown {
    estimate: Estimate,
    /// The level when somebody was last told that it changed.
    level: f64,
}

impl Load {
    /// Without sessions, and without an estimate until somebody observes or seeds one.
    pub fn new(counters: Arc<Counters>, now: Duration) -> Self {
        let estimate = Estimate::unknown(now);
        let level = estimate.level();
        Self {
            active: AtomicU32::new(0),
            elsewhere: AtomicU32::new(0),
            total: AtomicU64::new(0),
            rate: Rate::default(),
            picked: AtomicU64::new(0),
            estimate: Mutex::new(Shown { estimate, level }),
            level: AtomicU64::new(level.to_bits()),
            counters,
        }
    }

    /// Sessions now.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::SeqCst)
    }

    /// Sessions now, ours and those of others.
    pub(super) fn carried(&self) -> u32 {
        let elsewhere = self.elsewhere.load(Ordering::Relaxed);
        self.active().saturating_add(elsewhere)
    }

    /// Others have so many. True when that is news, and whoever ranks servers should look again.
    pub fn set_elsewhere(&self, sessions: u32) -> bool {
        // Told by one task; written only where it changes, as all workers read the line.
        let news = self.elsewhere.load(Ordering::Relaxed) != sessions;
        if news {
            self.elsewhere.store(sessions, Ordering::Relaxed);
        }
        news
    }

    /// Sessions ever.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts one session more, unless there are `cap` already.
    pub fn take(&self, cap: u32) -> bool {
        let more = |active| (active < cap).then(|| active + 1);
        let taken = (self.active)
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .is_ok();
        if taken {
            self.total.fetch_add(1, Ordering::Relaxed);
            self.counters.active.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// As [`Self::take`], and no more of them in a second than `per_second`.
    pub(super) fn take_in_time(&self, cap: u32, per_second: u32, now: Duration) -> bool {
        // A token is lost when the last place goes to another in this moment: the bound is kept, nothing else is.
        self.active() < cap && self.rate.take(per_second, now) && self.take(cap)
    }

    /// Whether [`Self::take`], or [`Self::take_in_time`], would count one.
    pub(super) fn has_room(&self, cap: u32, per_second: Option<u32>, now: Duration) -> bool {
        let in_time = |per_second| self.rate.next(per_second) <= now;
        self.active() < cap && per_second.is_none_or(in_time)
    }

    /// When [`Self::take_in_time`] finds a token.
    pub(super) fn next_token(&self, per_second: u32) -> Duration {
        self.rate.next(per_second)
    }

    /// Undoes one [`Self::take`]; a token is not given back.
    pub fn give_back(&self) {
        let before = self.active.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(before > 0, "given back more often than taken");
        self.counters.active.fetch_sub(1, Ordering::Relaxed);
    }

    /// A session saw the server take this long. True when the estimate has moved so far since the last true
    /// that whoever ranks servers should look again.
    pub fn observe(&self, took: Duration, now: Duration) -> bool {
        self.counters.heard(now);
        self.update(|estimate| estimate.observe(took, now))
    }

    /// A probe took this long, which counts only while sessions say nothing: probes criteria other questions than
    /// sessions do, and compare with nothing but probes. True as for [`Self::observe`].
    pub fn seed(&self, took: Duration, now: Duration) -> bool {
        let seeds = self.counters.is_quiet(now) || !self.estimate().estimate.is_known();
        seeds && self.update(|estimate| estimate.observe(took, now))
    }

    /// What an answer is expected to take.
    pub(super) fn expected(&self, now: Duration) -> Duration {
        self.estimate().estimate.expected(now)
    }

    pub(super) fn level(&self) -> f64 {
        f64::from_bits(self.level.load(Ordering::Relaxed))
    }

    pub(super) fn picked(&self) -> u64 {
        self.picked.load(Ordering::Relaxed)
    }

    /// Moves it behind its equals.
    pub(super) fn stamp(&self) {
        let number = self.counters.picks.fetch_add(1, Ordering::Relaxed) + 1;
        self.picked.store(number, Ordering::Relaxed);
    }

    fn update(&self, change: impl FnOnce(&mut Estimate)) -> bool {
        let mut shown = self.estimate();
        change(&mut shown.estimate);
        let level = shown.estimate.level();
        self.level.store(level.to_bits(), Ordering::Relaxed);
        let moved = (level - shown.level).abs() > NOTICEABLE;
        if moved {
            shown.level = level;
        }
        moved
    }

    fn estimate(&self) -> MutexGuard<'_, Shown> {
        self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    /// The number of this turn; each is given out once.
    pub(super) fn turn(&self) -> u64 {
        self.cursor.fetch_add(1, Ordering::Relaxed)
    }

    /// The number that [`Self::turn`] gives out next.
    pub(super) fn next_turn(&self) -> u64 {
        self.cursor.load(Ordering::Relaxed)
    }

    /// Sessions of the pool, those on servers that are out or removed included.
    pub fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    /// Written once a second, as all workers share it.
    fn heard(&self, now: Duration) {
        let second = now.as_secs() + 1;
        if self.heard.load(Ordering::Relaxed) < second {
            self.heard.store(second, Ordering::Relaxed);
        }
    }

    fn is_quiet(&self, now: Duration) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        heard == 0 || now.as_secs() > heard + QUIET
    }
}

/// Seconds: a pool whose sessions say nothing for so long takes the times of its probes instead.
const QUIET: u64 = 15;

/// In the logarithm, so about 2 %: smaller movements of an estimate are not worth a new ranking.
pub(super) const NOTICEABLE: f64 = 0.02;
