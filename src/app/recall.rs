//! What a former howdah knew, given to the pools of the start as they are made: from the state file, or handed over.

use std::time::SystemTime;

use super::App;
use super::former::Former;
use crate::pool::{Pool, RecallCount};
use crate::state;

impl App {
    /// Before anybody asks its servers, so that what they say is newer.
    pub(super) async fn recall(&mut self, pool: &Pool) {
        let Some(Former { memory, source }) = &mut self.memory else {
            return;
        };
        let (age, source) = (memory.age(SystemTime::now()), *source);
        let Some(known) = memory.pools.remove(pool.name().as_str()) else {
            return;
        };
        match pool.recall(known, age, source).await {
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
        let rest = self.memory.take().map(|former| former.memory.pools);
        for (pool, known) in rest.into_iter().flatten() {
            let clients: usize = known.sticky.iter().map(|one| one.clients.len()).sum();
            let ignored = known.orders.len() + known.verdicts.len() + clients;
            tracing::info!(
                pool,
                ignored,
                "a pool that is there no more is remembered in vain"
            );
            self.metrics.state().recalled([0, 0, 0, ignored]);
        }
    }

    /// For a successor.
    pub(super) fn remember(&self) -> Vec<u8> {
        state::encode(&state::gather(&self.pools(), 0))
    }

    /// What was ordered of the predecessor, and who came to it, while this one prepared. Its verdicts are older than ours.
    pub(super) async fn recall_the_last(&mut self, bytes: &[u8]) {
        let Some(mut former) = Former::handed_over(bytes, &self.metrics) else {
            return;
        };
        let known = former.memory.pools.values_mut();
        known.for_each(|known| known.verdicts.clear());
        self.memory = Some(former);
        for pool in self.pools() {
            self.recall(&pool).await;
        }
        self.memory = None;
    }
}
