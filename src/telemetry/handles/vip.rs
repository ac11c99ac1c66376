//! What became of one virtual address.

use std::sync::Arc;

use prometheus::IntCounter;

use super::super::families::Families;

/// Of one `[vip.NAME]`; its series leave `/metrics` with it.
pub struct VipMetrics {
    name: String,
    families: Arc<Families>,
    sent: IntCounter,
    received: IntCounter,
}

impl VipMetrics {
    pub(in crate::telemetry) fn new(families: &Arc<Families>, name: &str) -> Self {
        let adverts = |way| families.vip_adverts.with_label_values(&[name, way]);
        Self {
            name: name.to_owned(),
            sent: adverts(SENT),
            received: adverts(RECEIVED),
            families: Arc::clone(families),
        }
    }

    /// It is this now; the word is one of `vip`'s.
    pub fn became(&self, state: &'static str) {
        for one in STATES {
            let gauge = self
                .families
                .vip_state
                .with_label_values(&[&self.name, one]);
            gauge.set(i64::from(one == state));
        }
        let changes = &self.families.vip_changes;
        changes.with_label_values(&[&self.name, state]).inc();
    }

    /// An advertisement left.
    pub fn sent(&self) {
        self.sent.inc();
    }

    /// One came that counts.
    pub fn received(&self) {
        self.received.inc();
    }

    /// A packet was wrong; the word is one of `wire::vrrp`'s.
    pub fn fault(&self, reason: &'static str) {
        let faults = &self.families.vip_faults;
        faults
            .with_label_values(&[self.name.as_str(), reason])
            .inc();
    }
}

impl Drop for VipMetrics {
    fn drop(&mut self) {
        let Self { name, families, .. } = self;
        for one in STATES {
            let _ = families.vip_state.remove_label_values(&[name, one]);
            let _ = families.vip_changes.remove_label_values(&[name, one]);
        }
        for way in [SENT, RECEIVED] {
            let _ = families.vip_adverts.remove_label_values(&[name, way]);
        }
        for reason in FAULTS {
            let _ = families.vip_faults.remove_label_values(&[name, reason]);
        }
    }
}

const STATES: [&str; 4] = ["init", "backup", "master", "fault"];
const SENT: &str = "sent";
const RECEIVED: &str = "received";
/// As `wire::vrrp` names them.
const FAULTS: [&str; 10] = [
    "length",
    "ttl",
    "version",
    "authentication",
    "type",
    "checksum",
    "router-id",
    "peer",
    "addresses",
    "owner",
];
