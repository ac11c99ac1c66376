//! What became of the messages of one alert.

use prometheus::{IntCounter, IntGauge};

use super::super::families::Families;

/// Of one `[[alert]]`; its series leave `/metrics` with it.
pub struct AlertMetrics {
    name: String,
    families: std::sync::Arc<Families>,
    sent: IntCounter,
    refused: IntCounter,
    failed: IntCounter,
    dropped: IntCounter,
    pending: IntGauge,
}

impl AlertMetrics {
    pub(in crate::telemetry) fn new(families: &std::sync::Arc<Families>, name: &str) -> Self {
        let messages = |result| families.alerts_messages.with_label_values(&[name, result]);
        Self {
            name: name.to_owned(),
            sent: messages(SENT),
            refused: messages(REFUSED),
            failed: messages(FAILED),
            dropped: families.alerts_dropped.with_label_values(&[name]),
            pending: families.alerts_pending.with_label_values(&[name]),
            families: std::sync::Arc::clone(families),
        }
    }

    /// The receiver took one.
    pub fn sent(&self) {
        self.sent.inc();
    }

    /// It will not have one, which is dropped.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// An attempt failed; there will be another.
    pub fn failed(&self) {
        self.failed.inc();
    }

    /// No message will tell of so many events.
    pub fn dropped(&self, events: u64) {
        self.dropped.inc_by(events);
    }

    /// So many groups wait to be told.
    pub fn pending(&self, groups: usize) {
        self.pending.set(i64::try_from(groups).unwrap_or(i64::MAX));
    }
}

impl Drop for AlertMetrics {
    fn drop(&mut self) {
        let name = self.name.as_str();
        for result in [SENT, REFUSED, FAILED] {
            let _ = self
                .families
                .alerts_messages
                .remove_label_values(&[name, result]);
        }
        let _ = self.families.alerts_dropped.remove_label_values(&[name]);
        let _ = self.families.alerts_pending.remove_label_values(&[name]);
    }
}

const SENT: &str = "sent";
const REFUSED: &str = "refused";
const FAILED: &str = "failed";
