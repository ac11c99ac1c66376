//! Points in time, as they are shown and kept.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// RFC 3339 in UTC, to the millisecond: `2027-01-15T08:00:00.000Z`. One that has no such form is shown as 1970.
pub fn rfc3339(time: SystemTime) -> impl fmt::Display {
    let shown = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    fmt::from_fn(move |f| write!(f, "{shown:.3}"))
}

/// The day in UTC: `2027-01-15`; `?` where it has none.
pub fn day(time: SystemTime) -> String {
    let time = Timestamp::try_from(time);
    time.map_or_else(|_| "?".into(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// Milliseconds since 1970; 0 before.
pub fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time that is so many milliseconds after 1970; 1970 itself, where that is beyond all time.
pub fn of_millis(millis: u64) -> SystemTime {
    let since = Duration::from_millis(millis);
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_to_the_millisecond_and_comes_back() {
        let time = of_millis(1_800_000_000_123);
        assert_eq!(millis(time), 1_800_000_000_123);
        assert_eq!(rfc3339(time).to_string(), "2027-01-15T08:00:00.123Z");
        assert_eq!(day(time), "2027-01-15");
        assert_eq!(millis(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(rfc3339(UNIX_EPOCH).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
