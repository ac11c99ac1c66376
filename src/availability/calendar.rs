//! Moments, and the hours, days and months that they lie in. Pure; all of it is UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::word::words;

/// A moment of the wall clock: milliseconds of Unix time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

words! {
    /// What figures are gathered by.
    #[derive(PartialOrd, Ord)]
    pub enum Step {
        /// From full hour to full hour.
        Hour = "hour",
        /// From midnight to midnight.
        Day = "day",
        /// From the first of a month to the next.
        Month = "month",
    }
}

impl Moment {
    /// So many milliseconds of Unix time.
    pub const fn of_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds of Unix time.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Before it, zero.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// Earlier; not before the beginning of Unix time.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// RFC 3339, to the millisecond.
    pub fn rfc3339(self) -> String {
        format!("{:.3}", self.timestamp())
    }

    fn timestamp(self) -> Timestamp {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let passed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(millis(passed))
    }
}

impl Step {
    /// The beginning of the one that `at` lies in.
    pub fn floor(self, at: Moment) -> Moment {
        match self {
            Self::Hour => Moment(at.0 - at.0 % HOUR),
            Self::Day => Moment(at.0 - at.0 % (24 * HOUR)),
            Self::Month => {
                let day = at.timestamp().to_zoned(TimeZone::UTC).date();
                let first = day.first_of_month().to_zoned(TimeZone::UTC);
                let first = first.map_or(0, |first| first.timestamp().as_millisecond());
                Moment(u64::try_from(first).unwrap_or_default())
            }
        }
    }

    /// The beginning of the one after that in which `at` lies.
    pub fn next(self, at: Moment) -> Moment {
        match self {
            Self::Hour => Moment(self.floor(at).0 + HOUR),
            Self::Day => Moment(self.floor(at).0 + 24 * HOUR),
            // No month has more than 31 days, and the next has more than four.
            Self::Month => self.floor(Moment(self.floor(at).0 + 32 * 24 * HOUR)),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

const HOUR: u64 = 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Moment {
        let time: Timestamp = text.parse().expect("a time");
        Moment(u64::try_from(time.as_millisecond()).expect("after 1970"))
    }

    #[test]
    fn hours_days_and_months_begin_and_end() {
        for (step, moment, begins, ends) in [
            (
                Step::Hour,
                "2026-02-28T23:59:59.999Z",
                "2026-02-28T23:00:00Z",
                "2026-03-01T00:00:00Z",
            ),
            (
                Step::Day,
                "2026-02-28T23:59:59.999Z",
                "2026-02-28T00:00:00Z",
                "2026-03-01T00:00:00Z",
            ),
            (
                Step::Month,
                "2026-02-28T23:59:59.999Z",
                "2026-02-01T00:00:00Z",
                "2026-03-01T00:00:00Z",
            ),
            (
                Step::Month,
                "2028-02-29T12:00:00Z",
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
            (
                Step::Month,
                "2026-12-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(step.floor(at(moment)), at(begins), "{step} of {moment}");
            assert_eq!(step.next(at(moment)), at(ends), "{step} after {moment}");
        }
    }

    #[test]
    fn no_moment_makes_it_panic() {
        for moment in [Moment(0), Moment(u64::MAX / 2)] {
            for step in [Step::Hour, Step::Day, Step::Month] {
                assert!(step.floor(moment) <= moment);
                let _ = step.next(moment);
            }
            let _ = moment.rfc3339();
        }
        assert_eq!(
            at("2026-11-26T22:11:46.500Z").rfc3339(),
            "2026-11-26T22:11:46.500Z"
        );
    }
}
