//! Which rows a window is read from, and what its periods are. Pure.

use std::time::Duration;

use crate::availability::calendar::{Moment, Step};
use crate::availability::store::Keep;

/// A window, in whole rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The beginning of a row.
    pub(crate) from: Moment,
    /// Now.
    pub(crate) to: Moment,
    /// What it is read from: the finest that is kept for so long.
    pub(crate) rows: Step,
    /// What it is shown in.
    pub(crate) shown: Step,
}

impl Window {
    /// The last `length` before `to`, and what is missing to a whole row.
    pub(crate) fn ending(to: Moment, length: Duration, keep: Keep) -> Self {
        let begins = to.minus(length);
        let reaches = |step: Step| keep.begins(step, to).is_none_or(|kept| kept <= begins);
        let rows = [Step::Hour, Step::Day]
            .into_iter()
            .find(|step| reaches(*step));
        let rows = rows.unwrap_or(Step::Month);
        let shown = match length {
            length if length <= HOURS_UNTIL => Step::Hour,
            length if length <= DAYS_UNTIL => Step::Day,
            _ => Step::Month,
        };
        Self {
            from: rows.floor(begins),
            to,
            rows,
            shown: shown.max(rows),
        }
    }

    /// From its beginning until now.
    pub(crate) fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

/// The window of metrics, and of the command where none is named.
pub(crate) const RECENT: Duration = Duration::from_secs(30 * DAY);

/// A longer window is shown by days.
const HOURS_UNTIL: Duration = Duration::from_secs(2 * DAY);
/// A longer window is shown by months.
const DAYS_UNTIL: Duration = Duration::from_secs(100 * DAY);
const DAY: u64 = 24 * 60 * 60;
