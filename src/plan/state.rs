//! Where the state is kept that outlives the process.

use std::path::PathBuf;

/// Table `[state]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatePlan {
    /// `None`: nothing is kept.
    pub file: Option<PathBuf>,
}
