//! What is left of a former howdah's memory: for servers that a source has yet to list, and for the sticky table.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::plan::ServerName;
use crate::pool::affinity::Known;
use crate::pool::memory::VerdictMemo;

/// See the module.
#[derive(Default)]
pub(super) struct Recollection {
    /// When it was recalled, and how old it was then.
    pub(super) times: Option<Times>,
    /// Until when its verdicts count; `None`: none counts any more.
    pub(super) verdicts_until: Option<Instant>,
    pub(super) verdicts: HashMap<ServerName, VerdictMemo>,
    pub(super) sticky: HashMap<ServerName, Vec<(IpAddr, Option<u64>)>>,
    /// For the sticky table: of servers that are known.
    pub(super) learned: Vec<Known>,
}

/// When a memory was recalled, and how old it was then.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) at: Instant,
    pub(super) age: Duration,
}

impl Times {
    /// What is left of so many milliseconds.
    pub(super) fn left(&self, millis: u64, now: Instant) -> Option<Duration> {
        let passed = self.age + now.saturating_duration_since(self.at);
        let left = Duration::from_millis(millis).saturating_sub(passed);
        Some(left).filter(|left| !left.is_zero())
    }

    /// The moment that lies so many milliseconds before it was remembered; now, where the clock does not reach back so far.
    pub(super) fn before(&self, millis: u64, now: Instant) -> Instant {
        let since = Duration::from_millis(millis).checked_add(self.age);
        let at = since.and_then(|since| self.at.checked_sub(since));
        at.unwrap_or(now)
    }
}
