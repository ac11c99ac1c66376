//! How a pool remembers, and how another one recalls.
//!
//! A pool [`remember`](Pool::remember)s whenever it is asked; whoever writes it down, or hands it to the howdah that follows,
//! is no matter of the pool. A new pool [`recall`](Pool::recall)s through its keeper, which gives orders again as they were
//! given, under the names of those who gave them.
//!
//! A verdict that is recalled is a loan. It counts until the first answer, and for a minute at most, so that sessions are
//! served at once after a start; the checker begins without a verdict, and its first one decides. Bad news alone is not
//! reason enough to refuse: who would be refused waits for this howdah's own first verdicts, as without a memory.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::affinity::{Known, PIECES};
use super::memory::{OrderMemo, Recall, RecallCount, Remembered, StickyMemo, VerdictMemo, Who};
use super::orders::Orders;
use super::{Change, Member, Order, Origin, Pool, Refused, ServerId, Snapshot};
use crate::base::time::millis;
use crate::plan::{ServerName, StickyPlan};

impl Pool {
    /// What is to outlive the process. Holds up sessions for no longer than a copy of a small part of the sticky table takes.
    pub fn remember(&self) -> Remembered {
        let (now, snapshot) = (Instant::now(), self.load_full());
        Remembered {
            orders: orders(&snapshot, now),
            verdicts: (snapshot.members().iter())
                .filter(|member| member.is_judged() && snapshot.plan.probe.is_some())
                .map(|member| verdict(member, now))
                .collect(),
            sticky: (snapshot.plan.sticky.as_ref())
                .map_or_else(Vec::new, |plan| self.remember_sticky(&snapshot, plan)),
        }
    }

    /// The orders and weights alone.
    pub fn remember_orders(&self) -> Vec<OrderMemo> {
        orders(&self.load(), Instant::now())
    }

    /// Changes whenever [`Self::remember`] has something new to say: of servers, and of clients.
    pub fn memory_version(&self) -> (u64, u64) {
        (self.load().generation(), self.affinity().version())
    }

    /// Knows again what a former howdah knew. `age`: since that was remembered; `source`: where it comes from, for people.
    /// Names of servers that a source has not listed yet wait until it has.
    ///
    /// # Errors
    /// The keeper has ended.
    pub async fn recall(
        &self,
        memory: Remembered,
        age: Duration,
        source: &str,
    ) -> Result<RecallCount, Refused> {
        let (reply, counted) = oneshot::channel();
        let recall = Recall {
            memory,
            age,
            source: source.into(),
            reply,
        };
        self.send(Change::Recall(Box::new(recall))).await?;
        let stopping = |_| Refused::Stopping(self.name().clone());
        counted.await.map_err(stopping)
    }

    fn remember_sticky(&self, snapshot: &Snapshot, plan: &StickyPlan) -> Vec<StickyMemo> {
        let mut by_server: HashMap<ServerId, Vec<_>> = HashMap::new();
        for piece in 0..PIECES {
            // Sessions choose between two pieces.
            let known: Vec<Known> = (self.affinity())
                .shard(piece, plan, Instant::now())
                .collect();
            for Known {
                client,
                server,
                left,
            } in known
            {
                let left = left.map(|left| whole(left).max(1));
                by_server.entry(server).or_default().push((client, left));
            }
        }
        let memo = |(server, clients)| {
            let member = snapshot.seat(server)?;
            Some(StickyMemo {
                server: member.plan.name.to_string(),
                clients,
            })
        };
        by_server.into_iter().filter_map(memo).collect()
    }
}

fn orders(snapshot: &Snapshot, now: Instant) -> Vec<OrderMemo> {
    let members = snapshot.members().iter();
    let members = members.map(|member| (&member.plan.name, member.orders()));
    let absent = snapshot.absent.iter();
    let all = members.chain(absent.map(|(name, orders)| (name, orders.clone())));
    all.filter(|(_, orders)| !orders.is_plain())
        .map(|(name, orders)| memo(name, &orders, now))
        .collect()
}

fn memo(name: &ServerName, orders: &Orders, now: Instant) -> OrderMemo {
    let who = |given: &Origin| Who {
        by: given.by.to_string(),
        at: millis(given.at),
    };
    let drained = orders.ordered.as_ref();
    let drained = drained.filter(|_| orders.admin == Order::Drain);
    let until = drained.and_then(|given| given.until);
    OrderMemo {
        server: name.to_string(),
        admin: orders.admin.as_str().into(),
        ordered: orders.ordered.as_deref().map(who),
        left: until.map(|until| whole(until.saturating_duration_since(now))),
        weight: orders.weight,
        planned: orders.planned,
        weighed: orders.weighed.as_deref().map(who),
    }
}

fn verdict(member: &Member, now: Instant) -> VerdictMemo {
    let last = member.server.last_probe();
    VerdictMemo {
        server: member.plan.name.to_string(),
        address: member.plan.address.to_string(),
        health: member.health.as_str().into(),
        role: member.role.map(|role| role.as_str().into()),
        reason: last.map(|last| last.reason.into()),
        lasted: whole(now.saturating_duration_since(member.since)),
        up_for: member.up_for(now).map(whole),
    }
}

/// Milliseconds.
fn whole(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
