//! A bound on how often something may begin in a second, in one atomic number.

use std::time::Duration;

use crate::base::sync::atomic::{AtomicU64, Ordering};

/// A token bucket. It holds what one second brings, so that a burst may take that much at once. What it keeps is when it
/// will be full again, in nanoseconds; all times are counted from one moment that its owner chose.
#[derive(Debug, Default)]
pub struct Rate(AtomicU64);

impl Rate {
    /// Takes one token; false when none is there.
    pub fn take(&self, per_second: u32, now: Duration) -> bool {
        let (now, cost) = (nanos(now), cost(per_second));
        let next = |full: u64| {
            let full = full.max(now) + cost;
            (full <= now + SECOND).then_some(full)
        };
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }

    /// When [`Self::take`] succeeds, if nobody else takes before.
    pub fn next(&self, per_second: u32) -> Duration {
        let full = self.0.load(Ordering::Relaxed);
        Duration::from_nanos((full + cost(per_second)).saturating_sub(SECOND))
    }

    /// Whether it is as if nothing had ever been taken.
    pub fn is_full(&self, now: Duration) -> bool {
        self.0.load(Ordering::Relaxed) <= nanos(now)
    }
}

/// Of one token, in nanoseconds.
fn cost(per_second: u32) -> u64 {
    SECOND / u64::from(per_second.max(1))
}

fn nanos(passed: Duration) -> u64 {
    // Not before five hundred years have passed.
    u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX / 2)
}

const SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_holds_over_a_long_time() {
        let rate = Rate::default();
        let mut taken = 0;
        for milli in 0..60_000 {
            taken += u32::from(rate.take(7, Duration::from_millis(milli)));
        }
        assert!((7 * 60..=7 * 61).contains(&taken), "{taken}");
    }

    #[test]
    fn the_next_token_comes_when_it_is_said_to_and_not_before() {
        let rate = Rate::default();
        let mut now = Duration::from_secs(5);
        assert!(rate.next(3) <= now, "nothing was taken yet");
        for _ in 0..100 {
            while rate.take(3, now) {}
            let next = rate.next(3);
            assert!(next > now);
            assert!(!rate.take(3, next - Duration::from_nanos(1)));
            now = next;
            assert!(rate.take(3, now));
        }
    }
}
