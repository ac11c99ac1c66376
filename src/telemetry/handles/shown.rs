//! How available one pool or listener is, as gauges that appear when there is something to show.

use std::sync::OnceLock;

use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec};

use super::by_word::Counters;
use crate::base::word::words;

words! {
    /// Why it could not be reached.
    pub enum OutageKind {
        /// Something failed.
        Failure = "failure",
        /// By order.
        Planned = "planned",
    }
}

/// See the module.
pub struct Shown {
    own: String,
    families: ShownFamilies,
    available: OnceLock<IntGauge>,
    outages: Counters,
}

/// Those of pools, or those of listeners.
#[derive(Clone)]
pub(in crate::telemetry) struct ShownFamilies {
    pub(in crate::telemetry) available: IntGaugeVec,
    pub(in crate::telemetry) ratio: GaugeVec,
    pub(in crate::telemetry) budget_left: GaugeVec,
    pub(in crate::telemetry) outages: IntCounterVec,
}

impl Shown {
    pub(super) fn new(families: &ShownFamilies, own: &str) -> Self {
        Self {
            own: own.to_owned(),
            available: OnceLock::new(),
            outages: Counters::new(&families.outages, &[own]),
            families: families.clone(),
        }
    }

    /// Whether it can be reached now.
    pub fn available(&self, available: bool) {
        let own = || self.families.available.with_label_values(&[&self.own]);
        let gauge = self.available.get_or_init(own);
        gauge.set(i64::from(available));
        // Both kinds stand at 0 before the first outage, so that rates see it.
        self.outages.children::<OutageKind>();
    }

    /// An outage began.
    pub fn outage(&self, kind: OutageKind) {
        self.outages.inc(kind);
    }

    /// How the last days went, and which share of the budget is left where there is one.
    pub fn recent(&self, ratio: Option<f64>, budget_left: Option<f64>) {
        let own = &[self.own.as_str()];
        let ShownFamilies {
            ratio: ratios,
            budget_left: budgets,
            ..
        } = &self.families;
        for (family, value) in [(ratios, ratio), (budgets, budget_left)] {
            match value {
                Some(value) => family.with_label_values(own).set(value),
                // Fails when it is not there, which is what was wanted.
                None => drop(family.remove_label_values(own)),
            }
        }
    }

    pub(super) fn remove(&self) {
        let own = &[self.own.as_str()];
        let _ = self.families.available.remove_label_values(own);
        self.recent(None, None);
        self.outages.remove();
    }
}
