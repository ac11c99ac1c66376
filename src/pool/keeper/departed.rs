//! What is remembered of servers that a source lists no more.
//!
//! A source may blink, and a server that registers anew is gone for a moment: who is back within [`SOON`] is the server that
//! it was, with its health and its addresses. What an operator ordered stays for longer, as a server in maintenance must not
//! take sessions because it was restarted. Both are bounded, and the oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::plan::ServerName;
use crate::pool::Said;
use crate::pool::orders::Orders;
use crate::pool::snapshot::{Member, Places};

/// See the module.
#[derive(Default)]
pub(super) struct Departed {
    /// In the order in which they left.
    soon: VecDeque<(Instant, Member)>,
    orders: HashMap<ServerName, Orders>,
    ordered: VecDeque<ServerName>,
    /// The orders as snapshots show them; `None`: they are others since.
    shown: Option<Arc<[(ServerName, Orders)]>>,
}

impl Departed {
    /// Those that left a short while ago.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.soon.iter().map(|(_, member)| member)
    }

    /// What was ordered of a server that is gone.
    pub(super) fn orders(&self, name: &ServerName) -> Option<Orders> {
        self.orders.get(name).cloned()
    }

    pub(super) fn remember(&mut self, member: Member, now: Instant) {
        self.keep(&member.plan.name, member.orders());
        self.soon.push_back((now, member));
        if self.soon.len() > MOST {
            self.soon.pop_front();
        }
    }

    /// For a server of that name, if one comes.
    pub(super) fn keep(&mut self, name: &ServerName, orders: Orders) {
        if orders.is_plain() {
            return;
        }
        self.shown = None;
        if self.orders.insert(name.clone(), orders).is_none() {
            self.ordered.push_back(name.clone());
        }
        if self.ordered.len() > MOST
            && let Some(oldest) = self.ordered.pop_front()
        {
            self.orders.remove(&oldest);
        }
    }

    /// All orders, in the order in which their servers left.
    pub(super) fn all_orders(&mut self) -> Arc<[(ServerName, Orders)]> {
        let (orders, ordered) = (&self.orders, &self.ordered);
        let one = |name: &ServerName| Some((name.clone(), orders.get(name)?.clone()));
        let all = || ordered.iter().filter_map(one).collect();
        Arc::clone(self.shown.get_or_insert_with(all))
    }

    /// Whoever said something of their load is asked no more.
    pub(super) fn unsay(&mut self) {
        (self.soon.iter_mut()).for_each(|(_, member)| member.said = Said::NOTHING);
    }

    /// These are members again.
    pub(super) fn welcome(&mut self, members: &[Member], places: &Places) {
        (self.soon).retain(|(_, member)| places.find(member.server.id()).is_none());
        if !self.orders.is_empty() {
            for member in members {
                self.orders.remove(&member.plan.name);
            }
            self.ordered.retain(|name| self.orders.contains_key(name));
            self.shown = None;
        }
    }

    /// Who left long ago is a stranger.
    pub(super) fn forget(&mut self, now: Instant) {
        while self.due().is_some_and(|due| due <= now) {
            self.soon.pop_front();
        }
    }

    /// When the next becomes one.
    pub(super) fn due(&self) -> Option<Instant> {
        self.soon.front().map(|(left, _)| *left + SOON)
    }
}

/// What a server is thought to be that was not asked for so long: still the same.
const SOON: Duration = Duration::from_secs(30);
/// More come and go only where something is wrong.
const MOST: usize = 20_000;
