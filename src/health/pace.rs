//! How long a checker waits before it asks again. Pure: plans and random numbers in, durations out.
//!
//! Jitter moves each interval by up to a tenth either way, so that howdahs which watch the same servers drift apart,
//! and so do the probes of one howdah.

use std::time::Duration;

use crate::plan::ProbePlan;

/// A number from 0 to below 1.
pub type Random = f64;

/// The wait before a server's very first question: none for one server; many servers spread theirs over half a second.
pub fn first(servers: usize, random: Random) -> Duration {
    let servers = u32::try_from(servers).unwrap_or(u32::MAX);
    let spread = FIRST_GAP.saturating_mul(servers.saturating_sub(1));
    spread.min(FIRST_SPREAD).mul_f64(random)
}

/// The wait after an answer: the fast interval while the verdict is undecided, else the interval.
pub fn next(plan: &ProbePlan, undecided: bool, random: Random) -> Duration {
    let interval = if undecided {
        plan.fast_interval.min(plan.interval)
    } else {
        plan.interval
    };
    jitter(interval, random)
}

/// The wait after the first verdict that is decided: any part of the interval, so that servers which were all asked
/// first at the start are not asked together ever after.
pub fn settle(plan: &ProbePlan, random: Random) -> Duration {
    plan.interval.mul_f64(0.1 + random)
}

/// The time from one question in full to the next, where the checker asks a cheaper one in between.
pub fn deep(plan: &ProbePlan, random: Random) -> Duration {
    jitter(plan.deep_interval, random)
}

/// The least time between two questions, whoever demands the second.
pub fn least(plan: &ProbePlan) -> Duration {
    plan.fast_interval.min(plan.interval)
}

/// Moves `at` (since a start that all checkers share) to the next tick of a clock that ticks at least 64 times in `wait`.
/// The questions of many servers then go out together: one wake-up of the thread serves some dozens, and probing a
/// thousand costs a quarter to a third less. A short wait stays as it is.
pub fn align(at: Duration, wait: Duration) -> Duration {
    let tick = (wait / 64).min(LONGEST_TICK);
    if tick < SHORTEST_TICK {
        return at;
    }
    // A power of two, so that the ticks of slow servers are also ticks of fast ones.
    let tick = 1 << tick.as_millis().ilog2();
    let at = at.as_millis().div_ceil(tick) * tick;
    Duration::from_millis(u64::try_from(at).unwrap_or(u64::MAX))
}

/// Up to a tenth more or less.
pub fn jitter(interval: Duration, random: Random) -> Duration {
    interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * random)
}

const JITTER: f64 = 0.1;

/// A longer tick would make bursts that servers notice.
const LONGEST_TICK: Duration = Duration::from_millis(64);

/// A shorter tick gathers too few questions: the timer itself is no finer than 1 ms.
const SHORTEST_TICK: Duration = Duration::from_millis(8);

/// The first questions of a pool are at most this far apart, on average.
const FIRST_GAP: Duration = Duration::from_millis(1);

/// All first questions of a pool are put within this.
const FIRST_SPREAD: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Ask;

    const PLAN: ProbePlan = ProbePlan {
        ask: Ask::Tcp,
        port: None,
        tls: None,
        kerberos: None,
        interval: Duration::from_secs(10),
        fast_interval: Duration::from_secs(1),
        deep_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(3),
        rise: 2,
        fall: 3,
        observe: crate::plan::ObservePlan::DEFAULT,
    };
    const ALMOST_1: Random = 0.999_999;

    fn near(left: Duration, millis: u64) {
        let difference = left.abs_diff(Duration::from_millis(millis));
        assert!(
            difference < Duration::from_millis(1),
            "{left:?} is not {millis} ms"
        );
    }

    #[test]
    fn jitter_is_a_tenth_either_way() {
        for (undecided, interval) in [(false, 10_000), (true, 1_000)] {
            near(next(&PLAN, undecided, 0.0), interval * 9 / 10);
            near(next(&PLAN, undecided, 0.5), interval);
            near(next(&PLAN, undecided, ALMOST_1), interval * 11 / 10);
        }
        near(deep(&PLAN, 0.0), 54_000);
        near(settle(&PLAN, 0.0), 1_000);
        near(settle(&PLAN, ALMOST_1), 11_000);
    }

    #[test]
    fn doubt_is_never_slower_than_leisure() {
        let hasty = ProbePlan {
            interval: Duration::from_millis(100),
            ..PLAN
        };
        near(next(&hasty, true, 0.5), 100);
        near(least(&hasty), 100);
    }

    #[test]
    fn long_waits_end_on_a_common_tick() {
        let (second, ms) = (Duration::from_secs(1), Duration::from_millis);
        for at in [0, 1, 63, 64, 1000, 12_345_678] {
            let aligned = align(ms(at), second * 10);
            assert_eq!(aligned.as_millis() % 64, 0);
            assert!(aligned >= ms(at) && aligned < ms(at + 64), "{aligned:?}");
            assert_eq!(align(ms(at), second * 2).as_millis() % 16, 0);
            assert_eq!(align(ms(at), second / 4), ms(at), "too short to matter");
        }
    }

    #[test]
    fn first_questions_are_put_within_half_a_second() {
        near(first(1, ALMOST_1), 0);
        near(first(101, 0.5), 50);
        near(first(1_000_000, ALMOST_1), 500);
    }
}
