//! Makes families, registers them, and remembers what was said about each.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// What `docs/metrics.md` says about one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Full name.
    pub name: &'static str,
    /// counter, gauge or histogram.
    pub kind: &'static str,
    /// In order.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

#[derive(Default)]
pub(super) struct Declarer {
    pub(super) registry: Registry,
    pub(super) declared: Vec<Declared>,
}

/// Names are literals of this file, so a family that cannot be made is a fault of this file.
const VALID: &str = "every family in this room has a valid name, used once";

impl Declarer {
    fn add<C: Collector + Clone + 'static>(
        &mut self,
        declared: Declared,
        made: prometheus::Result<C>,
    ) -> C {
        let family = made.expect(VALID);
        self.registry
            .register(Box::new(family.clone()))
            .expect(VALID);
        self.declared.push(declared);
        family
    }

    pub(super) fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> IntCounterVec {
        let made = IntCounterVec::new(Opts::new(name, help), labels);
        self.add(row(name, "counter", labels, help), made)
    }

    pub(super) fn counter_float(&mut self, name: &'static str, help: &'static str) -> Counter {
        let made = Counter::new(name, help);
        self.add(row(name, "counter", &[], help), made)
    }

    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> IntGaugeVec {
        let made = IntGaugeVec::new(Opts::new(name, help), labels);
        self.add(row(name, "gauge", labels, help), made)
    }

    pub(super) fn gauges_float(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> GaugeVec {
        let made = GaugeVec::new(Opts::new(name, help), labels);
        self.add(row(name, "gauge", labels, help), made)
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> IntGauge {
        let made = IntGauge::new(name, help);
        self.add(row(name, "gauge", &[], help), made)
    }

    pub(super) fn gauge_float(&mut self, name: &'static str, help: &'static str) -> Gauge {
        let made = Gauge::new(name, help);
        self.add(row(name, "gauge", &[], help), made)
    }

    pub(super) fn histograms(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        buckets: &[f64],
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let made = HistogramVec::new(options, labels);
        self.add(row(name, "histogram", labels, help), made)
    }
}

fn row(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Declared {
    Declared {
        name,
        kind,
        labels,
        help,
    }
}
