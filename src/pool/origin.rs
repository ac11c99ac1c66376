//! Who gave an order or a weight: kept with it, shown, and remembered.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

/// Who gave an order or a weight, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// As the journal has it: `uid 0`, `token`.
    pub by: Arc<str>,
    /// By the clock on the wall.
    pub at: SystemTime,
    /// Of a drain: when the sessions that are left are ended.
    pub until: Option<Instant>,
}

impl Origin {
    /// Now, and without an end.
    pub fn by(who: &str) -> Self {
        Self {
            by: who.into(),
            at: SystemTime::now(),
            until: None,
        }
    }
}
