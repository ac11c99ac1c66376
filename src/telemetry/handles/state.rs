//! What became of the state file.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::super::families::Families;

/// Of the one file; its series are there from the start.
#[derive(Clone)]
pub struct StateMetrics(Arc<Families>);

impl StateMetrics {
    pub(in crate::telemetry) fn new(families: &Arc<Families>) -> Self {
        let metrics = Self(Arc::clone(families));
        for result in [WRITTEN, FAILED] {
            families.state_writes.with_label_values(&[result]);
        }
        metrics.recalled([0; 4]);
        metrics.recall(UNREAD, 0);
        metrics
    }

    /// Now, so large, and it took so long.
    pub fn written(&self, at: SystemTime, size: u64, took: Duration) {
        let Self(families) = self;
        families.state_writes.with_label_values(&[WRITTEN]).inc();
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        families
            .state_saved
            .set(since.unwrap_or_default().as_secs_f64());
        families
            .state_size
            .set(i64::try_from(size).unwrap_or(i64::MAX));
        families.state_kept.set(1);
        let none: &[&str] = &[];
        families
            .state_took
            .with_label_values(none)
            .observe(took.as_secs_f64());
    }

    /// It could not be.
    pub fn failed(&self) {
        self.0.state_writes.with_label_values(&[FAILED]).inc();
        self.lost();
    }

    /// What this howdah knows is not, or no more, what is in the file.
    pub fn lost(&self) {
        self.0.state_kept.set(0);
    }

    /// Orders, verdicts, clients, and what was ignored.
    pub fn recalled(&self, counts: [usize; 4]) {
        for (what, count) in ["orders", "verdicts", "clients", "ignored"]
            .into_iter()
            .zip(counts)
        {
            self.recall(what, count);
        }
    }

    /// What was there could not be read.
    pub fn unread(&self) {
        self.recall(UNREAD, 1);
    }

    fn recall(&self, what: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0
            .state_recalled
            .with_label_values(&[what])
            .inc_by(count);
    }
}

const WRITTEN: &str = "written";
const FAILED: &str = "failed";
const UNREAD: &str = "unread";
