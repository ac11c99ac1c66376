//! What went to one peer, what came from it, and how connections to it ended.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::living::Registered;

/// Of one peer of `[cluster.peers]`; its series leave `/metrics` with it.
pub struct PeerMetrics {
    connected: IntGauge,
    sent: IntCounter,
    received: IntCounter,
    reasons: std::sync::Mutex<[Vec<&'static str>; 2]>,
    registered: Registered<String, Self>,
}

impl PeerMetrics {
    pub(in crate::telemetry) fn new(registered: Registered<String, Self>) -> Self {
        let (families, name) = (&registered.families, registered.name.as_str());
        Self {
            connected: families.peers_connected.with_label_values(&[name]),
            sent: families.peers_sent.with_label_values(&[name]),
            received: families.peers_received.with_label_values(&[name]),
            reasons: std::sync::Mutex::default(),
            registered,
        }
    }

    /// The words that [`Self::closed`] and [`Self::ignored`] will count by; all of them are shown from now on.
    pub fn know(&self, closed: &[&'static str], ignored: &[&'static str]) {
        let Registered { name, families, .. } = &self.registered;
        let families = [&families.peers_closed, &families.peers_ignored];
        for (family, words) in families.into_iter().zip([closed, ignored]) {
            for word in words {
                family.with_label_values(&[name.as_str(), word]);
            }
        }
        let mut reasons = (self.reasons.lock()).unwrap_or_else(std::sync::PoisonError::into_inner);
        *reasons = [closed.to_vec(), ignored.to_vec()];
    }

    /// Whether there is a connection.
    pub fn connected(&self, now: bool) {
        self.connected.set(now.into());
    }

    /// So many entries went there.
    pub fn sent(&self, entries: u64) {
        self.sent.inc_by(entries);
    }

    /// An entry came from there and was taken.
    pub fn received(&self) {
        self.received.inc();
    }

    /// Entries that went there.
    pub fn sent_total(&self) -> u64 {
        self.sent.get()
    }

    /// Entries that were taken.
    pub fn received_total(&self) -> u64 {
        self.received.get()
    }

    /// A connection ended, or was not to be had.
    pub fn closed(&self, reason: &'static str) {
        self.count(&self.registered.families.peers_closed, reason);
    }

    /// Something that it told was not taken.
    pub fn ignored(&self, reason: &'static str) {
        self.count(&self.registered.families.peers_ignored, reason);
    }

    fn count(&self, family: &IntCounterVec, reason: &str) {
        family
            .with_label_values(&[self.registered.name.as_str(), reason])
            .inc();
    }
}

impl Drop for PeerMetrics {
    fn drop(&mut self) {
        let name = self.registered.name.as_str();
        let reasons = (self.reasons.lock()).unwrap_or_else(std::sync::PoisonError::into_inner);
        self.registered.leave(|families| {
            let _ = families.peers_connected.remove_label_values(&[name]);
            let _ = families.peers_sent.remove_label_values(&[name]);
            let _ = families.peers_received.remove_label_values(&[name]);
            let known = [&families.peers_closed, &families.peers_ignored];
            for (family, words) in known.into_iter().zip(reasons.iter()) {
                for word in words {
                    let _ = family.remove_label_values(&[name, word]);
                }
            }
        });
    }
}
