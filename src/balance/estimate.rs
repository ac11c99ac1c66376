//! Peak EWMA: what a server is expected to take for an answer. Pure.
//!
//! A sample above the estimate replaces it at once; one below pulls it down, the more the longer nothing was
//! heard; and without samples it decays, so that a server that was slow once is tried again. (The idea is
//! Finagle's `p2c peak ewma`.)
//!
//! Decay is exponential with the same time constant for all, so it never changes who is ahead of whom. We
//! keep the logarithm of the estimate as it would have to have been at time 0, its *level*: comparing two
//! levels compares the two estimates at every moment, and a ranking stays right without being touched.

use std::time::Duration;

/// See the module. Times are since the start of the pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    level: f64,
    /// Of the last sample.
    at: Option<Duration>,
}

impl Estimate {
    /// Nothing is known: ranks like an answer of [`GUESS`] seen `now`.
    pub(super) fn unknown(now: Duration) -> Self {
        Self {
            level: level(GUESS, now),
            at: None,
        }
    }

    /// Whether there was any sample.
    pub(super) fn is_known(&self) -> bool {
        self.at.is_some()
    }

    /// Smaller is faster; comparable between servers of one pool.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// The estimate, decayed until `now`.
    pub(super) fn expected(&self, now: Duration) -> Duration {
        let seconds = (self.level - decay(now)).exp();
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Takes one sample in. Samples may arrive slightly out of order.
    pub(super) fn observe(&mut self, took: Duration, now: Duration) {
        let sample = level(took, now);
        self.level = match self.at {
            Some(at) if sample < self.level => {
                let kept = (-decay(now.saturating_sub(at))).exp();
                // Between the two, in seconds, not in logarithms.
                sample + (kept * ((self.level - sample).exp() - 1.0)).ln_1p()
            }
            _ => sample,
        };
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }
}

fn level(took: Duration, now: Duration) -> f64 {
    took.max(SHORTEST).as_secs_f64().ln() + decay(now)
}

/// How far an estimate decays in this time, in the logarithm.
fn decay(time: Duration) -> f64 {
    time.as_secs_f64() / TAU
}

/// Seconds in which an estimate without samples falls to 1/e: from 40 ms to 2 ms in 15 s.
const TAU: f64 = 5.0;

/// What a server is taken for before its first sample.
const GUESS: Duration = Duration::from_millis(1);

/// Differences below this are noise of our own scheduling.
const SHORTEST: Duration = Duration::from_micros(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn near(estimate: &Estimate, now: Duration, millis: f64) {
        let expected = estimate.expected(now).as_secs_f64() * 1e3;
        assert!(
            (expected - millis).abs() < millis * 0.01,
            "{expected} is not {millis}"
        );
    }

    #[test]
    fn first_sample_is_believed() {
        let mut estimate = Estimate::unknown(at(100.0));
        assert!(!estimate.is_known());
        estimate.observe(ms(40), at(101.0));
        near(&estimate, at(101.0), 40.0);
    }

    #[test]
    fn peak_replaces_and_a_low_sample_blends_by_the_time_passed() {
        let mut estimate = Estimate::unknown(at(0.0));
        estimate.observe(ms(2), at(1.0));
        estimate.observe(ms(40), at(1.1));
        near(&estimate, at(1.1), 40.0);
        estimate.observe(ms(2), at(1.1));
        near(&estimate, at(1.1), 40.0);
        // After one time constant: decayed to 40/e = 14.7, of which 1/e is kept and the rest is 2.
        estimate.observe(ms(2), at(6.1));
        near(&estimate, at(6.1), 2.0 + (14.715 - 2.0) / 1f64.exp());
    }

    #[test]
    fn silence_decays() {
        let mut estimate = Estimate::unknown(at(0.0));
        estimate.observe(ms(40), at(10.0));
        near(&estimate, at(15.0), 40.0 / 1f64.exp());
        near(&estimate, at(25.0), 40.0 / 3f64.exp());
    }

    #[test]
    fn order_of_levels_is_the_order_of_estimates_at_any_time() {
        let (mut slow, mut fast) = (Estimate::unknown(at(0.0)), Estimate::unknown(at(0.0)));
        slow.observe(ms(40), at(10.0));
        fast.observe(ms(30), at(10.0));
        assert!(slow.level() > fast.level());
        fast.observe(ms(30), at(12.0));
        // 40 ms of two seconds ago are worth 26.8 ms now.
        assert!(slow.level() < fast.level());
        near(&slow, at(12.0), 26.81);
    }

    #[test]
    fn holds_for_years() {
        let years = Duration::from_secs(10 * 365 * 86_400);
        let mut estimate = Estimate::unknown(Duration::ZERO);
        estimate.observe(ms(40), years);
        near(&estimate, years, 40.0);
        estimate.observe(ms(2), years + ms(5_000));
        near(
            &estimate,
            years + ms(5_000),
            2.0 + (14.715 - 2.0) / 1f64.exp(),
        );
    }
}
