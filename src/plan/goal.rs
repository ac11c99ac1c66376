//! What was promised of a pool or listener: how much of the time it can be reached.

use std::fmt;
use std::time::Duration;

/// Key `slo`: more than 0 and less than 100 percent, to three decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goal(u32);

impl Goal {
    /// A share in thousandths of a percent; `None` where that leaves nothing, or all, to be promised.
    pub fn of_thousandths(thousandths: u32) -> Option<Self> {
        (1..WHOLE)
            .contains(&thousandths)
            .then_some(Self(thousandths))
    }

    /// Like 99.9.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// How long it may be out of reach in a window.
    pub fn budget(self, window: Duration) -> Duration {
        window * (WHOLE - self.0) / WHOLE
    }

    /// Which share of the budget of a window is left after it was `down` for so long; less than 0: more was spent.
    pub fn left(self, down: Duration, window: Duration) -> f64 {
        1.0 - down.as_secs_f64() / self.budget(window).as_secs_f64()
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.percent())
    }
}

const WHOLE: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_nines_of_thirty_days_are_43_minutes() {
        let month = Duration::from_secs(30 * 24 * 60 * 60);
        let goal = Goal::of_thousandths(99_900).expect("a goal");
        assert_eq!(goal.to_string(), "99.9 %");
        assert_eq!(goal.budget(month), Duration::from_secs(2592));
        assert!((goal.left(Duration::from_secs(1296), month) - 0.5).abs() < 1e-9);
        assert!(goal.left(Duration::from_secs(5184), month) < -0.99);
        assert_eq!(Goal::of_thousandths(100_000), None);
        assert_eq!(Goal::of_thousandths(0), None);
    }
}
