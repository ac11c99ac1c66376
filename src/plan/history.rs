//! Where the history is kept.

use std::path::PathBuf;
use std::time::Duration;

/// Table `[history]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPlan {
    /// `None`: in memory, until the end of the process.
    pub file: Option<PathBuf>,
    /// How often it is written. Default 30 s.
    pub flush: Duration,
}

impl HistoryPlan {
    /// Where the file says nothing else.
    pub const FLUSH: Duration = Duration::from_secs(30);
}

impl Default for HistoryPlan {
    fn default() -> Self {
        Self {
            file: None,
            flush: Self::FLUSH,
        }
    }
}
