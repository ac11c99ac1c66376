//! For tests: what the thread does, without a thread and without a file.

use super::keep::Keep;
use super::message::{Found, Query};
use super::writer::Writer;
use crate::availability::model::{Batch, Former};
use crate::telemetry::Metrics;

/// See the module.
pub(crate) struct Memory(Writer);

impl Memory {
    pub(crate) fn mark(&mut self, batch: Batch) {
        self.0.mark(batch, false);
    }

    pub(crate) fn close(&mut self, batch: Batch) {
        self.0.mark(batch, true);
    }

    pub(crate) fn ask(&mut self, batch: Batch, query: &Query) -> Vec<Found> {
        self.0.add(batch);
        self.0.find(query)
    }

    pub(crate) fn former(&self) -> Option<Former> {
        self.0.try_rows(|rows| rows.former()).flatten()
    }
}

impl Default for Memory {
    fn default() -> Self {
        let failures = Metrics::new().history_failures();
        Self(Writer::new(
            None,
            Keep::ON_DISK,
            Default::default(),
            failures,
        ))
    }
}
