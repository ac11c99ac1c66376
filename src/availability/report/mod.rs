//! The report, as `GET /api/v1/availability` shows it and `howdah availability` reads it: field by field part of the face
//! that users see.

mod build;
mod question;
mod window;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::build::build;
pub use self::question::{NoReport, Question};
pub(super) use self::window::{RECENT, Window};

/// How a window of time went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// From `from` to `to`: what was asked for, and up to an hour (a day, a month) more.
    pub window_seconds: f64,
    /// A full hour; of a longer window the beginning of a day, or of a month.
    pub from: String,
    /// When it was asked for.
    pub to: String,
    /// Pools first, by name.
    pub targets: Vec<TargetReport>,
}

/// How the window went for one pool or listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetReport {
    /// pool or listener.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Of the time that was watched and not planned, how much it could be reached; null where none was.
    pub available_percent: Option<f64>,
    /// Of the sessions that ended, and that their client did not spoil, how many got a server; null where there was none.
    pub sessions_percent: Option<f64>,
    /// Sessions that got a server.
    pub sessions_served: u64,
    /// Sessions that did not, through no fault of their client.
    pub sessions_failed: u64,
    /// Time that is known, planned work included.
    pub watched_seconds: f64,
    /// Of it: it could not be reached, by a failure.
    pub down_seconds: f64,
    /// Of it: it could not be reached, by order.
    pub planned_seconds: f64,
    /// Time of the window that nobody watched; it counts neither way.
    pub unwatched_seconds: f64,
    /// What was promised, in percent: key `slo`.
    pub slo: Option<f64>,
    /// How long it may be down in such a window.
    pub budget_seconds: Option<f64>,
    /// What is left of that; less than zero: the promise is broken.
    pub budget_left_seconds: Option<f64>,
    /// Those of the window, oldest first; at most a thousand.
    pub outages: Vec<OutageReport>,
    /// How long servers took; of a listener, those of its pools are to be looked at.
    pub latency: LatencyReport,
    /// The window in hours, days or months.
    pub periods: Vec<PeriodReport>,
}

/// Time in which it could not be reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutageReport {
    /// When it began, perhaps before the window.
    pub start: String,
    /// When it was over; null while it lasts.
    pub end: Option<String>,
    /// From the one to the other, or until now.
    pub seconds: f64,
    /// Server by server.
    pub cause: String,
    /// By order.
    pub planned: bool,
}

/// How long servers took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyReport {
    /// To take a connection.
    pub connect: PercentileReport,
    /// To answer the first question of a session with the first byte.
    pub first_byte: PercentileReport,
    /// The same of every question.
    pub turn: PercentileReport,
}

/// In seconds, true to 3.2 percent; null where nothing was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PercentileReport {
    /// Half took no longer.
    pub p50: Option<f64>,
    /// Nine of ten took no longer.
    pub p90: Option<f64>,
    /// 99 of a hundred took no longer.
    pub p99: Option<f64>,
    /// How many were measured.
    pub count: u64,
}

/// One hour, day or month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PeriodReport {
    /// Its beginning.
    pub start: String,
    /// hour, day or month.
    pub step: String,
    /// As of the whole window.
    pub available_percent: Option<f64>,
    /// As of the whole window.
    pub sessions_percent: Option<f64>,
    /// Sessions that got a server.
    pub sessions_served: u64,
    /// Sessions that did not.
    pub sessions_failed: u64,
    /// It could not be reached, by a failure.
    pub down_seconds: f64,
    /// It could not be reached, by order.
    pub planned_seconds: f64,
    /// How long servers took.
    pub latency: LatencyReport,
}
