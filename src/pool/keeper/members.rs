//! Who the members are: the plan's servers and those that a source lists, what becomes of them when either changes, who
//! leaves, and who serves on for a while.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::departed::Departed;
use super::state::State;
use crate::balance::Load;
use crate::plan::{PoolPlan, ServerName, ServerPlan};
use crate::pool::orders::Orders;
use crate::pool::snapshot::{Member, Places};
use crate::pool::{Health, Order, Said, Server, Standing};

impl State {
    /// A reload. While it names a source, what was listed stays until something else is.
    pub(super) fn replan(&mut self, plan: Arc<PoolPlan>) {
        self.reopen();
        if self.plan.load != plan.load {
            // What a source said that is asked no more.
            (self.members.iter_mut()).for_each(|one| one.said = Said::NOTHING);
            self.departed.unsay();
        }
        self.plan = plan;
        let patience = self.plan.probe.as_ref().map(|probe| probe.timeout);
        self.leave_by = Instant::now() + patience.unwrap_or_default() + SPREAD;
        if self.plan.discover.is_none() {
            self.roster = None;
        }
        self.reseat();
        if self.plan.discover.is_none() {
            self.bound_departed(Instant::now() + self.plan.drain_timeout);
        }
    }

    /// A source lists these now. True when a snapshot is due.
    pub(super) fn enroll(&mut self, listed: Vec<Arc<ServerPlan>>) -> bool {
        // One that was asked before the reload that took it out of the file.
        if self.plan.discover.is_none() || self.closed {
            return false;
        }
        self.roster = Some(listed);
        self.reseat();
        true
    }

    /// Members anew, out of plan and roster.
    fn reseat(&mut self) {
        let now = Instant::now();
        let leaving = self.members.split_off(self.configured);
        let old = std::mem::take(&mut self.members);
        self.departed.forget(now);
        self.members = self.succeed_all(&old, &leaving);
        self.configured = self.members.len();
        self.places = Arc::new(Places::new(self.members.iter().map(|one| &one.server)));
        let left = |one: &Member| self.places.find(one.server.id()).is_none();
        let (gone, departed): (Vec<_>, Vec<_>) = (old.into_iter())
            .filter(left)
            .partition(|one| !one.listed || self.plan.discover.is_none());
        self.retire(&gone);
        self.depart(departed, now);
        self.keep_leavers(leaving.into_iter().chain(gone).collect());
        self.places = Arc::new(Places::new(self.members.iter().map(|one| &one.server)));
        self.rings = [None, None];
        self.recollect(now);
    }

    fn succeed_all(&self, old: &[Member], leaving: &[Member]) -> Vec<Member> {
        let known = self.departed.members().chain(old);
        let named: HashMap<&ServerName, &Member> = known.map(|one| (&one.plan.name, one)).collect();
        let wanted = self.wanted().into_iter();
        wanted
            .map(|(plan, listed)| {
                let before = named.get(&plan.name).copied();
                self.succeed(before, plan, listed, leaving)
            })
            .collect()
    }

    /// The file's servers, then those that are listed; who is both is the file's. True: listed alone.
    fn wanted(&self) -> Vec<(Arc<ServerPlan>, bool)> {
        let own = &self.plan.servers;
        let mut wanted: Vec<_> = own.iter().map(|one| (Arc::clone(one), false)).collect();
        let mut names: HashSet<_> = own.iter().map(|one| one.name.clone()).collect();
        let mut addresses: HashSet<_> = own.iter().map(|one| one.address.clone()).collect();
        for found in self.roster.iter().flatten() {
            if !addresses.insert(found.address.clone()) {
                continue;
            }
            let mut found = Arc::clone(found);
            if names.contains(&found.name) {
                // The name is another server's: it goes by its address.
                Arc::make_mut(&mut found).name = ServerName::new(&found.address.to_string());
            }
            if names.insert(found.name.clone()) {
                wanted.push((found, true));
            }
        }
        wanted
    }

    /// A pool that was out of the file comes back: nobody asked its servers meanwhile, and orders left with it.
    fn reopen(&mut self) {
        if std::mem::take(&mut self.closed) {
            self.departed = Departed::default();
            for member in &mut self.members {
                member.health = Health::Unknown;
                member.role = None;
                member.server.metrics().role(member.role);
                member.admin = Order::Ready;
                member.weight = member.plan.weight;
                (member.ordered, member.weighed, member.recalled) = (None, None, None);
            }
        }
    }

    /// From now on their sessions have the pool's drain time.
    fn retire(&mut self, gone: &[Member]) {
        let retire_at = Instant::now() + self.plan.drain_timeout;
        let is_out = |one: Arc<Server>| self.places.find(one.id()).is_none();
        (self.removed).retain(|server| server.upgrade().is_some_and(is_out));
        for member in gone {
            // With its pool it may have left before.
            if member.server.retire_at().is_none() {
                member.server.set_retire_at(Some(retire_at));
            }
            self.removed.push(Arc::downgrade(&member.server));
        }
    }

    /// Nobody lists them any more: they take no new session, and those they have are not ended.
    fn depart(&mut self, departed: Vec<Member>, now: Instant) {
        self.departed.welcome(&self.members, &self.places);
        for member in departed {
            self.removed.push(Arc::downgrade(&member.server));
            self.departed.remember(member, now);
        }
    }

    /// The sessions of those that are listed no more end by then after all: the pool, or its source, left the file.
    pub(super) fn bound_departed(&mut self, by: Instant) {
        let left = self.removed.iter().filter_map(Weak::upgrade);
        for server in left.filter(|one| one.retire_at().is_none()) {
            server.set_retire_at(Some(by));
        }
    }

    /// Those that leave serve on where nobody else can and somebody soon may, in the order of the file that had them; see
    /// the module.
    fn keep_leavers(&mut self, gone: Vec<Member>) {
        let returned = |one: &Member| self.places.find(one.server.id()).is_some();
        let leavers: Vec<Member> = gone
            .into_iter()
            .filter(|one| !returned(one) && one.is_on_offer())
            .collect();
        self.members.extend(leavers);
        self.dismiss_leavers(Instant::now());
    }

    pub(super) fn has_leavers(&self) -> bool {
        self.members.len() > self.configured
    }

    /// True when somebody went: a snapshot is due.
    pub(super) fn dismiss_leavers(&mut self, now: Instant) -> bool {
        let own = &self.members[..self.configured];
        let served = own.iter().any(Member::is_on_offer);
        let known = self.plan.discover.is_none() || self.roster.is_some();
        let decided = known && own.iter().all(Member::is_judged);
        if !self.has_leavers() || !(served || decided || now >= self.leave_by) {
            return false;
        }
        self.members.truncate(self.configured);
        self.places = Arc::new(Places::new(self.members.iter().map(|one| &one.server)));
        self.rings = [None, None];
        true
    }

    /// What the member `before` becomes under the new plan. Orders, and a weight that the plan did not
    /// change, belong to the name; health and counters belong to name and address.
    fn succeed(
        &self,
        before: Option<&Member>,
        plan: Arc<ServerPlan>,
        listed: bool,
        leaving: &[Member],
    ) -> Member {
        let same = before.filter(|before| before.plan.address == plan.address);
        let server = match same {
            Some(before) => Arc::clone(&before.server),
            None => self.returning(&plan).unwrap_or_else(|| {
                let metrics = self.metrics.server(&self.plan.name, &plan.name);
                let load = Load::new(Arc::clone(&self.counters), self.created_at.elapsed());
                Server::new(&plan, load, metrics)
            }),
        };
        server.set_retire_at(None);
        let leaver = || leaving.iter().find(|one| one.server.id() == server.id());
        let same = same.or_else(leaver);
        let health = match (&self.plan.probe, same) {
            (None, _) => Health::Up,
            (Some(_), Some(before)) => before.health,
            (Some(_), None) => Health::Unknown,
        };
        let role = same.or_else(leaver).and_then(|before| before.role);
        let orders = before
            .map(Member::orders)
            .or_else(|| self.departed.orders(&plan.name));
        let orders = orders.unwrap_or_else(|| Orders::none(plan.weight));
        let kept = orders.planned == plan.weight;
        let member = Member {
            weight: if kept { orders.weight } else { plan.weight },
            admin: orders.admin,
            ordered: orders.ordered,
            weighed: orders.weighed.filter(|_| kept),
            recalled: same.and_then(|before| before.recalled.clone()),
            said: same.map_or(Said::NOTHING, |before| before.said),
            listed,
            standing: same.map_or(Standing::Waiting, |before| before.standing),
            since: same.map_or_else(Instant::now, |before| before.since),
            came_up: same.and_then(|before| before.came_up),
            server,
            plan,
            health,
            role,
        };
        let metrics = member.server.metrics();
        metrics.weight(member.weight);
        metrics.health(member.health);
        metrics.role(member.role);
        metrics.admin(member.admin);
        let is_asked = self.plan.load.is_some();
        metrics.share(is_asked.then_some(member.said.percent));
        member
    }

    /// A server that was removed, comes back, and still has sessions.
    fn returning(&self, plan: &ServerPlan) -> Option<Arc<Server>> {
        let mut living = self.removed.iter().filter_map(Weak::upgrade);
        living.find(|one| *one.name() == plan.name && *one.address() == plan.address)
    }
}

/// First questions to the servers of a pool are put within half of this.
const SPREAD: Duration = Duration::from_secs(1);
