//! The wall clock, and whether it was set. Pure: both clocks are arguments.
//!
//! Wall time tells when something was, and is set now and then: by hand, by a machine that slept, by the first answer of a
//! time server. A clock that goes forth by itself shows it. What a wall clock leaps over was not watched.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::calendar::Moment;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    wall: Moment,
    steady: Instant,
}

/// Where the time went since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// On, to this moment.
    On(Moment),
    /// On, to the first; then somebody set the clock to the second.
    Set(Moment, Moment),
}

impl Clock {
    pub(super) fn new(wall: SystemTime, steady: Instant) -> Self {
        let wall = wall.into();
        Self { wall, steady }
    }

    pub(super) fn tick(&mut self, wall: SystemTime, steady: Instant) -> Tick {
        let (wall, passed) = (Moment::from(wall), steady - self.steady);
        let expected = self.wall.plus(passed);
        let off = wall.since(expected).max(expected.since(wall));
        let before = std::mem::replace(self, Self { wall, steady });
        if off > TOLERANCE {
            return Tick::Set(expected, wall);
        }
        // A clock that is slowed down does not go back.
        self.wall = wall.max(before.wall);
        Tick::On(self.wall)
    }
}

/// More than a clock that is being slewed is off between two looks.
const TOLERANCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_found_out_and_a_slow_one_is_not() {
        let (wall, steady) = (
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000),
            Instant::now(),
        );
        let second = Duration::from_secs(1);
        let at = |seconds: u64| Moment::of_millis(seconds * 1000);
        let mut clock = Clock::new(wall, steady);
        assert_eq!(
            clock.tick(wall + 30 * second, steady + 30 * second),
            Tick::On(at(1_000_030))
        );
        assert_eq!(
            clock.tick(wall + 29 * second, steady + 31 * second),
            Tick::On(at(1_000_030))
        );
        let slept = clock.tick(wall + 3600 * second, steady + 32 * second);
        assert_eq!(slept, Tick::Set(at(1_000_031), at(1_003_600)));
        let back = clock.tick(wall, steady + 33 * second);
        assert_eq!(back, Tick::Set(at(1_003_601), at(1_000_000)));
        assert_eq!(
            clock.tick(wall + second, steady + 34 * second),
            Tick::On(at(1_000_001))
        );
    }
}
