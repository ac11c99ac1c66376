//! What a former howdah knew, given again to the servers of this one: orders, verdicts, and whose clients are whose.
//!
//! Servers of the file are there at once. What belongs to a name that a source has yet to list waits: verdicts as long as
//! they count, clients until the first list, orders as those of a server that left.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::recollection::{Recollection, Times};
use super::state::State;
use crate::base::time::of_millis;
use crate::base::unit::show_duration;
use crate::base::word::Label;
use crate::plan::{Role, ServerName, WEIGHT_MAX};
use crate::pool::affinity::Known;
use crate::pool::memory::{
    MINUTE, OrderMemo, Recall, RecallCount, Recalled, StickyMemo, VerdictMemo, Who,
};
use crate::pool::orders::Orders;
use crate::pool::snapshot::Member;
use crate::pool::{Health, Order, Origin};
use crate::telemetry::journal::{Event, Kind};

impl State {
    pub(super) fn recall(&mut self, recall: Recall) {
        let now = Instant::now();
        let age = recall.age.min(LONGEST);
        let times = Times { at: now, age };
        let mut count = RecallCount::default();
        for memo in recall.memory.orders {
            let obeyed = self.recall_order(&memo, times, &recall.source);
            let counted = if obeyed {
                &mut count.orders
            } else {
                &mut count.ignored
            };
            *counted += 1;
        }
        for memo in recall.memory.verdicts {
            let name = ServerName::new(&memo.server);
            if self.plan.probe.is_some() && self.may_come(&name) {
                count.verdicts += 1;
                self.recollection.verdicts.insert(name, memo);
            } else {
                count.ignored += 1;
            }
        }
        for StickyMemo { server, clients } in recall.memory.sticky {
            let name = ServerName::new(&server);
            if self.plan.sticky.is_some() && self.may_come(&name) {
                count.sticky += clients.len();
                self.recollection.sticky.insert(name, clients);
            } else {
                count.ignored += clients.len();
            }
        }
        self.recollection.times = Some(times);
        // What comes later without verdicts makes none of the former live longer.
        if count.verdicts > 0 {
            self.recollection.verdicts_until = Some(now + MINUTE);
        }
        self.recollect(now);
        self.tell_recalled(count, &recall.source);
        // Who asked may have gone.
        let _ = recall.reply.send(count);
    }

    /// It is there, or a source may list it.
    fn may_come(&self, name: &ServerName) -> bool {
        self.lists_later() || self.members.iter().any(|one| one.plan.name == *name)
    }

    fn lists_later(&self) -> bool {
        self.plan.discover.is_some() && self.roster.is_none()
    }

    fn recall_order(&mut self, memo: &OrderMemo, times: Times, source: &str) -> bool {
        let name = ServerName::new(&memo.server);
        let Some(orders) = orders(memo, times, source) else {
            return false;
        };
        let Ok(member) = self.member(&name) else {
            // A server in maintenance must not take sessions because a source lists it late.
            let keeps = self.plan.discover.is_some();
            if keeps {
                self.departed.keep(&name, orders);
            }
            return keeps;
        };
        // What somebody ordered since is newer.
        let orders_it = member.ordered.is_none();
        let weighs_it = member.weighed.is_none() && orders.planned == member.plan.weight;
        let (ordered, weighed) = (orders.ordered.filter(|_| orders_it), orders.weighed);
        let weighed = weighed.filter(|_| weighs_it);
        let recalled = ordered.is_some() || weighed.is_some();
        if let Some(given) = weighed {
            member.weigh(orders.weight, Origin::clone(&given));
            self.rings = [None, None];
            self.tell_weight(&name, orders.weight, &given, source);
        }
        if let Some(given) = ordered {
            self.tell_order(&name, orders.admin, &given, source, times.at);
            // It is a member: seen above.
            let _ = self.obey(&name, orders.admin, Origin::clone(&given));
        }
        recalled
    }

    /// Members that came since, or are there: what waits for them is theirs.
    pub(super) fn recollect(&mut self, now: Instant) {
        let Some(times) = self.recollection.times else {
            return;
        };
        let Recollection {
            verdicts,
            sticky,
            learned,
            ..
        } = &mut self.recollection;
        let slow_start = self.plan.care.slow_start;
        for member in &mut self.members[..self.configured] {
            if let Some(memo) = verdicts.remove(&member.plan.name)
                && self.plan.probe.is_some()
            {
                member.recall(memo, times, slow_start, now);
            }
            for (client, left) in sticky.remove(&member.plan.name).into_iter().flatten() {
                let left = left.map(|left| times.left(left, now));
                if left != Some(None) {
                    learned.push(Known {
                        client: client.to_canonical(),
                        server: member.server.id(),
                        left: left.flatten(),
                    });
                }
            }
        }
        if !self.lists_later() {
            self.recollection.sticky = HashMap::new();
            self.recollection.verdicts = HashMap::new();
        }
    }

    /// Until when verdicts count that nobody has confirmed.
    pub(super) fn recalled_until(&self) -> Option<Instant> {
        self.recollection.verdicts_until
    }

    /// The minute is over: true when somebody has no verdict now.
    pub(super) fn forget_recalled(&mut self, now: Instant) -> bool {
        if self.recalled_until().is_none_or(|until| until > now) {
            return false;
        }
        self.recollection.verdicts_until = None;
        self.recollection.verdicts = HashMap::new();
        if self.recollection.sticky.is_empty() {
            self.recollection.times = None;
        }
        let mut changed = false;
        for member in &mut self.members {
            if member.recalled.take().is_some() {
                (member.health, member.role, member.since) = (Health::Unknown, None, now);
                member.server.metrics().health(member.health);
                member.server.metrics().role(member.role);
                changed = true;
            }
        }
        changed
    }

    fn tell_recalled(&self, count: RecallCount, source: &str) {
        let RecallCount {
            orders,
            verdicts,
            sticky,
            ignored,
        } = count;
        let pool = &self.plan.name;
        tracing::info!(%pool, orders, verdicts, sticky, ignored, source, "{RECALLED}");
        let text = format!(
            "{RECALLED} (from {source}): {orders} orders, {verdicts} verdicts until the first answers, {sticky} sticky \
             clients; {ignored} are of nobody here"
        );
        let event = Event::info(Kind::State, text).pool(pool);
        self.metrics.journal().tell(event);
    }

    fn tell_order(
        &self,
        server: &ServerName,
        to: Order,
        given: &Origin,
        source: &str,
        now: Instant,
    ) {
        let (pool, by) = (&self.plan.name, &*given.by);
        tracing::info!(%pool, %server, order = %to, by, source, "an order is in force again");
        let what = match to {
            Order::Ready => "back to work",
            Order::Drain => "draining",
            Order::Maintenance => "in maintenance",
        };
        let end = given
            .until
            .map(|until| until.saturating_duration_since(now));
        let end = end.map(|end| format!(", those left are ended in {}", show_duration(end)));
        let end = end.unwrap_or_default();
        let text = format!("server is {what} as before{end} (from {source})");
        let event = Event::info(Kind::Order, text).to(to).by(by);
        self.metrics.journal().tell(event.pool(pool).server(server));
    }

    fn tell_weight(&self, server: &ServerName, weight: u16, given: &Origin, source: &str) {
        let (pool, by) = (&self.plan.name, &*given.by);
        tracing::info!(%pool, %server, weight, by, source, "a weight is in force again");
        let text = format!("server has weight {weight} as before (from {source})");
        let event = Event::info(Kind::Weight, text).to(weight).by(by);
        self.metrics.journal().tell(event.pool(pool).server(server));
    }
}

/// `None`: words that nobody knows.
fn orders(memo: &OrderMemo, times: Times, source: &str) -> Option<Orders> {
    let admin = Order::named(&memo.admin)?;
    (1..=WEIGHT_MAX).contains(&memo.weight).then_some(())?;
    let given = |who: &Option<Who>| match who {
        Some(who) => Origin {
            by: who.by.as_str().into(),
            at: of_millis(who.at),
            until: None,
        },
        None => Origin::by(source),
    };
    let left = memo.left.and_then(|left| times.left(left, times.at));
    let ordered = Origin {
        until: left.map(|left| times.at + left),
        ..given(&memo.ordered)
    };
    Some(Orders {
        admin,
        ordered: (admin != Order::Ready).then(|| Arc::new(ordered)),
        weight: memo.weight,
        planned: memo.planned,
        weighed: (memo.weight != memo.planned).then(|| Arc::new(given(&memo.weighed))),
    })
}

impl Member {
    pub(super) fn order(&mut self, order: Order, given: &Arc<Origin>) {
        self.admin = order;
        self.ordered = Some(Arc::clone(given));
        self.server.metrics().admin(order);
    }

    pub(super) fn weigh(&mut self, weight: u16, given: Origin) {
        self.weight = weight;
        self.weighed = (weight != self.plan.weight).then(|| Arc::new(given));
        self.server.metrics().weight(weight);
    }

    /// As a former howdah had it, until somebody asks.
    fn recall(&mut self, memo: VerdictMemo, times: Times, slow_start: Duration, now: Instant) {
        let Some(health) = Health::named(&memo.health) else {
            return;
        };
        let is_same = self.plan.address.to_string() == memo.address;
        if !is_same || self.health != Health::Unknown || now >= times.at + MINUTE {
            return;
        }
        self.health = health;
        self.role = memo.role.as_deref().and_then(Role::named);
        self.since = times.before(memo.lasted, now);
        let young = |up_for: &u64| Duration::from_millis(*up_for) < slow_start;
        let up_for = memo.up_for.filter(young);
        self.came_up = up_for.map(|up_for| times.before(up_for, now));
        self.recalled = Some(Arc::new(Recalled {
            reason: memo.reason,
        }));
        self.server.metrics().health(health);
        self.server.metrics().role(self.role);
    }
}

const RECALLED: &str = "the pool goes on from what was known of it";

/// Nothing is remembered for longer: a clock that was wrong by years adds no more than this.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
