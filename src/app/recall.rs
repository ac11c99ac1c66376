//! What a former howdah knew, given to the pools of the start as they are made: from the state file, or handed over.

use std::time::SystemTime;

use super::App;
use crate::pool::{Pool, RecallCount};

impl App {
    /// Before anybody asks its servers, so that what they say is newer.
    pub(super) async fn recall(&mut self, pool: &Pool) {
        let Some(memory) = &mut self.memory else {
            return;
        };
        let age = memory.age(SystemTime::now());
        let Some(known) = memory.pools.remove(pool.name().as_str()) else {
            return;
        };
        match pool.recall(known, age, SOURCE).await {
            Ok(RecallCount {
                orders,
                verdicts,
                sticky,
                ignored,
            }) => {
                let counts = [orders, verdicts, sticky, ignored];
                self.metrics.state().recalled(counts);
            }
            Err(refused) => {
                tracing::error!(pool = %pool.name(), %refused, "the pool recalls nothing")
            }
        }
    }

    /// Pools that the file has no more, or under another name: nobody waits for what they knew.
    pub(super) fn forget_the_rest(&mut self) {
        let rest = self.memory.take().map(|memory| memory.pools);
        for (pool, known) in rest.into_iter().flatten() {
            let clients: usize = known.sticky.iter().map(|one| one.clients.len()).sum();
            let ignored = known.orders.len() + known.verdicts.len() + clients;
            tracing::info!(
                pool,
                ignored,
                "the state file knows a pool that is there no more"
            );
            self.metrics.state().recalled([0, 0, 0, ignored]);
        }
    }
}

const SOURCE: &str = "the state file";
