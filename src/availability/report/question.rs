//! What a report is asked for, and why there is none.

use std::time::Duration;

use crate::availability::target::Target;

/// Why there is no report.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// Neither watched now nor found in the history.
    #[error("there is no {0}, neither in the configuration nor in the history")]
    Unknown(Target),
    /// The thread of the history hangs, or has ended.
    #[error("the history does not answer: its disk hangs, or its thread has ended")]
    Silent,
}

/// What a report is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// These alone; none: all that are watched.
    pub targets: Vec<Target>,
    /// How far back.
    pub window: Duration,
}
