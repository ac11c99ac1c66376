//! What a former howdah knew, and where it comes from: its file, or its own mouth at a takeover.

use std::collections::BTreeMap;

use crate::pool::OrderMemo;
use crate::state::{self, Memory};
use crate::telemetry::Metrics;
use crate::telemetry::journal::{Event, Kind};

/// What is ordered, by the name of the pool.
pub(super) type Orders = BTreeMap<String, Vec<OrderMemo>>;

/// What a former howdah knew, until its pools are there.
pub(super) struct Former {
    pub(super) memory: Memory,
    /// Where it comes from, for people.
    pub(super) source: &'static str,
}

impl Former {
    /// What a predecessor hands over, which is newer than its file; what it cannot have meant is said.
    pub(super) fn handed_over(bytes: &[u8], metrics: &Metrics) -> Option<Self> {
        match state::decode(bytes) {
            Ok(memory) => Some(Self {
                memory,
                source: "the howdah before",
            }),
            Err(why) => {
                let text = format!("what the howdah before remembers cannot be read: {why}");
                tracing::warn!("{text}");
                metrics.journal().tell(Event::warning(Kind::State, text));
                None
            }
        }
    }

    /// What is in force by it.
    pub(super) fn orders(&self) -> Orders {
        let pools = self.memory.pools.iter();
        pools
            .map(|(pool, known)| (pool.clone(), known.orders.clone()))
            .collect()
    }

    pub(super) fn of_file(memory: Memory) -> Self {
        Self {
            memory,
            source: "the state file",
        }
    }
}
