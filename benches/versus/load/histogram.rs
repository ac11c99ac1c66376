//! Latencies in buckets of under 2 % width, and the line that every client mode prints.

use std::time::Duration;

use serde_json::json;

const FINE: u32 = 6; // 64 buckets for each doubling

/// Counts of nanoseconds.
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; ((64 - FINE) << FINE) as usize + (1 << FINE)],
            count: 0,
        }
    }

    pub(crate) fn add(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
    }

    /// Microseconds below which this share of all lies.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(index) as f64 / 1000.0;
            }
        }
        0.0
    }
}

/// What a client mode has to tell.
pub(crate) struct Counters {
    /// Answers in the measured time.
    pub(crate) measured: u64,
    /// Answers in all, the warm-up among them: processor time is divided by these.
    pub(crate) total: u64,
    /// Measured time.
    pub(crate) took: Duration,
    /// Connections that failed; anything but 0 spoils the run.
    pub(crate) failed: u64,
    /// Datagrams without an answer, asked again.
    pub(crate) lost: u64,
    /// Time of each measured answer.
    pub(crate) latency: Histogram,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            measured: 0,
            total: 0,
            took: Duration::ZERO,
            failed: 0,
            lost: 0,
            latency: Histogram::new(),
        }
    }

    pub(crate) fn print(&self) {
        let line = json!({
            "rate": self.measured as f64 / self.took.as_secs_f64(),
            "total": self.total,
            "failed": self.failed,
            "lost": self.lost,
            "p50_us": self.latency.quantile(0.5),
            "p99_us": self.latency.quantile(0.99),
            "p999_us": self.latency.quantile(0.999),
        });
        println!("{line}");
    }
}

fn bucket(nanos: u64) -> usize {
    let doublings = (63 - (nanos | 1).leading_zeros()).saturating_sub(FINE);
    ((u64::from(doublings) << FINE) + (nanos >> doublings)) as usize
}

fn upper(index: usize) -> u64 {
    let doublings = (index as u64 >> FINE).saturating_sub(1);
    (index as u64 - (doublings << FINE)) << doublings
}
