//! On the control thread: looks whenever a pool has changed, and marks now and then.
//!
//! A task for each pool waits for its next snapshot and wakes the one that looks; a look costs a load of each snapshot. So
//! an outage begins and ends in the figures when it does for sessions.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::store::Message;
use super::watched::{Subject, Watched};
use super::{Availability, Shared};
use crate::plan::PoolName;
use crate::pool::Pool;

impl Availability {
    /// Looks and marks until it is dropped; on the control thread.
    pub async fn run(self) {
        let mut pools = Pools::default();
        let mut next_mark = Instant::now() + self.0.flush;
        let (reply, mut past) = oneshot::channel();
        // Before the first mark, which overwrites it.
        let mut asked = match self.0.store.try_reserve() {
            Some(place) => {
                place.send(Message::Past { reply });
                true
            }
            None => false,
        };
        loop {
            tokio::select! {
                () = self.0.changed.notified() => {}
                () = sleep_until(next_mark) => {}
                found = &mut past, if asked => {
                    asked = false;
                    if let Ok(past) = found {
                        self.0.lock().resume(past);
                    }
                }
            }
            {
                let mut present = self.0.lock();
                present.look();
                pools.follow(present.watched(), &self.0.changed);
            }
            if Instant::now() >= next_mark {
                next_mark = Instant::now() + self.0.flush;
                self.0.mark();
            }
            // Keepers of many pools may have news at once.
            sleep(REST).await;
        }
    }
}

impl Shared {
    /// Hands over what was counted; a store that is busy gets it next time.
    fn mark(&self) {
        let mut present = self.lock();
        if let Some(place) = self.store.try_reserve() {
            place.send(Message::Mark(present.batch()));
        }
        let recent = self.store.recent();
        for one in present.watched() {
            if let Some(spans) = recent.get(&one.target) {
                one.show_recent(spans);
            }
        }
    }
}

/// Those who wait for the next snapshot of a pool.
#[derive(Default)]
struct Pools {
    waiters: JoinSet<()>,
    known: HashMap<PoolName, (Weak<Pool>, AbortHandle)>,
}

impl Pools {
    fn follow(&mut self, watched: &[Watched], changed: &Arc<Notify>) {
        while self.waiters.try_join_next().is_some() {}
        let present = watched.iter().filter_map(|one| match &one.subject {
            Subject::Pool(pool) => Some(pool),
            Subject::Listener { .. } => None,
        });
        self.known.retain(|_, (pool, _)| pool.strong_count() > 0);
        for pool in present {
            let own = Arc::downgrade(pool);
            let known = self.known.get(pool.name());
            if known.is_some_and(|(known, _)| known.ptr_eq(&own)) {
                continue;
            }
            let (mut snapshots, changed) = (pool.snapshots(), Arc::clone(changed));
            // Ends with its pool.
            let waiter = self.waiters.spawn(async move {
                while snapshots.changed().await.is_ok() {
                    changed.notify_one();
                }
            });
            let before = self.known.insert(pool.name().clone(), (own, waiter));
            if let Some((_, waiter)) = before {
                waiter.abort();
            }
        }
    }
}

/// Between two looks.
const REST: Duration = Duration::from_millis(5);
