//! What a former howdah knew, given to the pools of the start as they are made: from the state file, or handed over.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::App;
use super::former::Former;
use crate::base::time::of_millis;
use crate::base::word::Label;
use crate::plan::ServerName;
use crate::pool::{Change, Order, OrderMemo, Origin, Pool, RecallCount, Who};
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
        state::encode(&state::bounded(state::gather(&self.pools(), 0)))
    }

    /// What was ordered of the predecessor, and who came to it, while this one prepared. Its verdicts are older than ours.
    pub(super) async fn recall_the_last(&mut self, bytes: &[u8]) {
        let Some(mut former) = Former::handed_over(bytes, &self.metrics) else {
            return;
        };
        let before = std::mem::take(&mut self.handed);
        for (pool, known) in &mut former.memory.pools {
            known.verdicts.clear();
            let before = before.get(pool).map_or(&[][..], Vec::as_slice);
            known.orders = since(before, std::mem::take(&mut known.orders));
        }
        for pool in self.pools() {
            if let Some(known) = former.memory.pools.get_mut(pool.name().as_str()) {
                obey(&pool, &mut known.orders).await;
            }
        }
        self.memory = Some(former);
        for pool in self.pools() {
            self.recall(&pool).await;
        }
        self.memory = None;
    }
}

/// What was ordered after `before`, the end of an order included.
fn since(before: &[OrderMemo], mut now: Vec<OrderMemo>) -> Vec<OrderMemo> {
    let free = |former: &&OrderMemo| now.iter().all(|memo| memo.server != former.server);
    let freed: Vec<_> = before.iter().filter(free).map(freed).collect();
    now.retain(|memo| !before.iter().any(|former| is_same(former, memo)));
    now.extend(freed);
    now
}

/// Those of servers that are here; they are newer than what is in force. The others stay.
async fn obey(pool: &Pool, orders: &mut Vec<OrderMemo>) {
    let mut absent = Vec::new();
    for memo in std::mem::take(orders) {
        let server = ServerName::new(&memo.server);
        let snapshot = pool.load_full();
        let member = snapshot.member(&server);
        let (Some(order), Some(member)) = (Order::named(&memo.admin), member) else {
            absent.push(memo);
            continue;
        };
        let left = memo.left.map(Duration::from_millis);
        let ordered = Change::Order {
            server: server.clone(),
            order,
            given: given(memo.ordered.as_ref(), left),
        };
        let is_other = memo.weight != member.weight && memo.planned == member.plan.weight;
        let weighed = is_other.then(|| Change::Weight {
            server: server.clone(),
            weight: memo.weight,
            given: given(memo.weighed.as_ref(), None),
        });
        for change in std::iter::once(ordered).chain(weighed) {
            if let Err(refused) = pool.send(change).await {
                tracing::error!(pool = %pool.name(), %server, %refused, "an order of the howdah before is lost");
            }
        }
        tracing::info!(pool = %pool.name(), %server, %order, "ordered of the howdah before, and in force");
    }
    *orders = absent;
}

fn given(who: Option<&Who>, left: Option<Duration>) -> Origin {
    let until = left.map(|left| Instant::now() + left);
    match who {
        Some(who) => Origin {
            by: who.by.as_str().into(),
            at: of_millis(who.at),
            until,
        },
        None => Origin {
            until,
            ..Origin::by("the howdah before")
        },
    }
}

/// Nothing is ordered of it any more.
fn freed(former: &OrderMemo) -> OrderMemo {
    OrderMemo {
        server: former.server.clone(),
        admin: Order::Ready.as_str().into(),
        ordered: None,
        left: None,
        weight: former.planned,
        planned: former.planned,
        weighed: None,
    }
}

/// But for its time, which runs by itself.
fn is_same(former: &OrderMemo, memo: &OrderMemo) -> bool {
    let left = memo.left;
    let former = former.clone();
    OrderMemo { left, ..former } == *memo
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memo(server: &str, order: Order, left: Option<u64>) -> OrderMemo {
        OrderMemo {
            admin: order.as_str().into(),
            left,
            weight: 3,
            ..freed(&OrderMemo {
                server: server.into(),
                admin: String::new(),
                ordered: None,
                left,
                weight: 1,
                planned: 1,
                weighed: None,
            })
        }
    }

    #[tokio::test]
    async fn what_is_ordered_while_a_successor_prepares_is_the_last_word() {
        let before = [
            memo("a", Order::Drain, Some(9_000)),
            memo("b", Order::Drain, None),
            memo("c", Order::Maintenance, None),
        ];
        let now = vec![
            memo("a", Order::Drain, Some(8_000)),
            memo("b", Order::Maintenance, None),
            memo("d", Order::Drain, None),
        ];
        let mut since = since(&before, now);
        let told: Vec<_> = since
            .iter()
            .map(|one| (&*one.server, &*one.admin))
            .collect();
        assert_eq!(
            told,
            [("b", "maintenance"), ("d", "draining"), ("c", "ready")]
        );

        // As the first memory left them.
        let plan = crate::pool::plan_of("p", &["a", "b", "c"]);
        let (pool, keeper) = Pool::new(plan, &crate::telemetry::Metrics::new());
        tokio::spawn(keeper.run());
        for former in before {
            obey(&pool, &mut vec![former]).await;
        }
        obey(&pool, &mut since).await;
        assert_eq!(since.len(), 1, "nobody here is d");
        let snapshot = pool.load_full();
        let orders = snapshot.members().iter().map(|one| (one.admin, one.weight));
        let expected = [
            (Order::Drain, 3),
            (Order::Maintenance, 3),
            (Order::Ready, 1),
        ];
        assert!(orders.eq(expected), "{:?}", pool.remember_orders());
    }
}
