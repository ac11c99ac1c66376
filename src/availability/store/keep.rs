//! What is kept for how long. Pure.

use std::time::Duration;

use crate::availability::calendar::{Moment, Step};

/// See the module; months are kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    hours: Duration,
    days: Duration,
    /// Outages of each target; the oldest go first.
    pub(crate) outages: usize,
    /// Events of the journal; the oldest go first.
    pub(crate) events: u64,
    /// Of the time lines.
    pub(crate) lines: Duration,
}

impl Keep {
    /// In a file.
    pub(crate) const ON_DISK: Self = Self {
        hours: Duration::from_secs(35 * DAY),
        days: Duration::from_secs(2 * 366 * DAY),
        outages: 1000,
        events: 20_000,
        lines: Duration::from_secs(60 * 60),
    };
    /// Where no file is named.
    pub(crate) const IN_MEMORY: Self = Self {
        hours: Duration::from_secs(8 * DAY),
        days: Duration::from_secs(366 * DAY),
        outages: 200,
        // Those who keep them in memory already.
        events: 0,
        lines: Duration::ZERO,
    };

    /// From when on rows of this step are kept at `now`; `None`: all.
    pub(crate) fn begins(&self, step: Step, now: Moment) -> Option<Moment> {
        match step {
            Step::Hour => Some(now.minus(self.hours)),
            Step::Day => Some(now.minus(self.days)),
            Step::Month => None,
        }
    }
}

const DAY: u64 = 24 * 60 * 60;
