//! Who the members are: what a plan makes of those that were, who leaves, and who serves on for a while.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::state::State;
use crate::balance::Load;
use crate::plan::{PoolPlan, ServerName, ServerPlan};
use crate::pool::snapshot::{Member, Places};
use crate::pool::{Health, Order, Server, Standing};

impl State {
    pub(super) fn replan(&mut self, plan: Arc<PoolPlan>) {
        self.reopen();
        let leaving = self.members.split_off(self.configured);
        let old = std::mem::take(&mut self.members);
        let named: HashMap<&ServerName, &Member> =
            old.iter().map(|one| (&one.plan.name, one)).collect();
        self.plan = plan;
        let plans = self.plan.servers.clone();
        self.members = (plans.into_iter())
            .map(|plan| self.succeed(named.get(&plan.name).copied(), plan, &leaving))
            .collect();
        self.configured = self.members.len();
        self.places = Arc::new(Places::new(self.members.iter().map(|one| &one.server)));
        let left = |one: &Member| self.places.find(one.server.id()).is_none();
        let gone: Vec<Member> = old.into_iter().filter(left).collect();
        self.retire(&gone);
        self.keep_leavers(leaving.into_iter().chain(gone).collect());
        self.places = Arc::new(Places::new(self.members.iter().map(|one| &one.server)));
        self.rings = [None, None];
    }

    /// A pool that was out of the file comes back: nobody asked its servers meanwhile, and orders left with it.
    fn reopen(&mut self) {
        if std::mem::take(&mut self.closed) {
            for member in &mut self.members {
                member.health = Health::Unknown;
                member.role = None;
                member.admin = Order::Ready;
                member.weight = member.plan.weight;
            }
        }
    }

    /// From now on their sessions have the pool's drain time.
    fn retire(&mut self, gone: &[Member]) {
        let retire_at = Instant::now() + self.plan.drain_timeout;
        let is_out = |server: &Weak<Server>| {
            server
                .upgrade()
                .is_some_and(|one| one.retire_at().is_some())
        };
        self.removed.retain(is_out);
        for member in gone {
            // With its pool it may have left before.
            if member.server.retire_at().is_none() {
                member.server.set_retire_at(Some(retire_at));
            }
            self.removed.push(Arc::downgrade(&member.server));
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
        let patience = self.plan.probe.as_ref().map(|probe| probe.timeout);
        self.leave_by = Instant::now() + patience.unwrap_or_default() + SPREAD;
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
        let decided = own.iter().all(|member| member.health != Health::Unknown);
        if !self.has_leavers() || !(served || decided || now >= self.leave_by) {
            return false;
        }
        self.members.truncate(self.configured);
        self.places = Arc::new(Places::new(self.members.iter().map(|one| &one.server)));
        self.rings = [None, None];
        true
    }

    /// What the member `before` becomes under the new plan. Orders, and a weight that the file did not
    /// change, belong to the name; health and counters belong to name and address.
    fn succeed(
        &self,
        before: Option<&Member>,
        plan: Arc<ServerPlan>,
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
        let kept = before.filter(|before| before.plan.weight == plan.weight);
        let member = Member {
            weight: kept.map_or(plan.weight, |before| before.weight),
            admin: before.map_or(Order::Ready, |before| before.admin),
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
        metrics.admin(member.admin);
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
