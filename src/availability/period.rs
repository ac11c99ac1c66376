//! The figures of one target in one hour, day or month. Pure; two are merged by adding them up, which loses nothing.
//!
//! Time that was not watched is in none of the figures. Planned time is watched time that counts neither way: work by
//! order is no failure, and no merit either.

use std::time::Duration;

use crate::telemetry::Times;
use crate::telemetry::sketch::Sketch;

/// How a span of watched time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    /// All of it.
    pub(crate) watched: Duration,
    /// Of it: it could not be reached, by a failure.
    pub(crate) down: Duration,
    /// Of it: it could not be reached, by order.
    pub(crate) planned: Duration,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Period {
    /// Could it be reached?
    pub(crate) spans: Spans,
    /// Sessions that got a server.
    pub(crate) served: u64,
    /// Sessions that did not, and whose clients are not to blame.
    pub(crate) failed: u64,
    /// How long its servers took; empty for a listener.
    pub(crate) times: Times<Sketch>,
}

impl Spans {
    /// Of the time that counts, how much it could be reached, in percent; `None` where no time counts.
    pub(crate) fn available(&self) -> Option<f64> {
        let counted = self.watched.saturating_sub(self.planned);
        let up = counted.saturating_sub(self.down);
        percent(up.as_secs_f64(), counted.as_secs_f64())
    }

    /// Adds another's.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.watched = self.watched.saturating_add(other.watched);
        self.down = self.down.saturating_add(other.down);
        self.planned = self.planned.saturating_add(other.planned);
    }
}

impl Period {
    /// Of the sessions that count, how many got a server, in percent; `None` where there was none.
    pub(crate) fn sessions(&self) -> Option<f64> {
        let all = self.served.saturating_add(self.failed);
        percent(self.served as f64, all as f64)
    }

    /// Adds another's.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.spans.merge(&other.spans);
        self.served = self.served.saturating_add(other.served);
        self.failed = self.failed.saturating_add(other.failed);
        self.times.connect.merge(&other.times.connect);
        self.times.first_byte.merge(&other.times.first_byte);
        self.times.turn.merge(&other.times.turn);
    }
}

fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| 100.0 * part / whole)
}
