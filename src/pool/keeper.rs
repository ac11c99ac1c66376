//! The one writer of a pool: folds changes into the next snapshot.
//!
//! Changes that wait together are folded together, and a keeper whose snapshots are costly (thousands of
//! servers) pauses after each in proportion to its cost, so that ten thousand first verdicts become some
//! dozens of snapshots. A sender hears back when its change can be seen.
//!
//! Servers that leave the file take no new sessions, but for one case: while none of the file's servers is up and some
//! have no verdict yet, those that leave and were up serve on, so that a reload which replaces all servers has no moment
//! without one. They serve until one of the file's servers is up, until all of these have a verdict, or until a probe's
//! time is over.
//!
//! A keeper that panics in the middle of a change goes on from the last snapshot, which is whole.

mod roles;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::change::Request;
use super::holder::Hold;
use super::line::Line;
use super::snapshot::{Fall, Loss, Member, Roster, Snapshot, Tier};
use super::standing::is_panic;
use super::weight;
use super::{Change, Health, Order, Pool, Refused, Server, ServerId, Standing};
use crate::balance::{Balancer, Candidate, Candidates, Counters, Load, Ring};
use crate::plan::{
    Balance, OnDown, OnRoleLost, PoolPlan, Role, ServerName, ServerPlan, WEIGHT_MAX,
};
use crate::telemetry::Metrics;

/// See the module.
#[must_use = "a pool without its keeper never changes"]
pub struct Keeper {
    pool: Weak<Pool>,
    requests: mpsc::Receiver<Request>,
    state: State,
}

/// Everything that a snapshot is made from.
struct State {
    plan: Arc<PoolPlan>,
    /// The file's, in its order; after them those that leave and still serve.
    members: Vec<Member>,
    /// How many of the members are the file's.
    configured: usize,
    /// Until when those that leave may serve.
    leave_by: Instant,
    /// The pool left the file.
    closed: bool,
    roster: Arc<Roster>,
    counters: Arc<Counters>,
    created_at: Instant,
    /// Of the first tier and of the backups; `None` when it must be made again.
    rings: [Option<Arc<Ring>>; 2],
    generation: u64,
    /// Removed from the file, and perhaps still held by sessions.
    removed: Vec<Weak<Server>>,
    /// Of members whose fall is not told yet.
    falls: Vec<Fall>,
    panic: bool,
    hold: Hold,
    /// When the weight of a server that came up grows next.
    grows_at: Option<Instant>,
    metrics: Metrics,
}

fn open(plan: Arc<PoolPlan>, metrics: &Metrics) -> (Arc<Pool>, Keeper) {
    let (keeper, requests) = mpsc::channel(REQUESTS);
    let (falls, told_of_falls) = mpsc::channel(REQUESTS);
    let mut state = State::new(plan, metrics.clone());
    let pool = Arc::new(Pool {
        name: state.plan.name.clone(),
        snapshot: ArcSwap::from_pointee(state.snapshot()),
        affinity: std::sync::Mutex::default(),
        line: Line::default(),
        keeper,
        falls,
        told_of_falls: std::sync::Mutex::new(Some(told_of_falls)),
        created_at: state.created_at,
        metrics: metrics.pool(&state.plan.name),
    });
    let keeper = Keeper {
        pool: Arc::downgrade(&pool),
        requests,
        state,
    };
    (pool, keeper)
}

impl Pool {
    /// A pool and its keeper, which somebody must [`run`](Keeper::run). Servers are without a verdict, unless
    /// the plan has no probe: then all count as up.
    pub fn new(plan: Arc<PoolPlan>, metrics: &Metrics) -> (Arc<Self>, Keeper) {
        open(plan, metrics)
    }
}

impl Keeper {
    /// Works until the pool is gone. Run it on the control thread; stop it by dropping the pool, or the task.
    pub async fn run(mut self) {
        let mut requests = Vec::new();
        loop {
            let due = self.state.due();
            tokio::select! {
                count = self.requests.recv_many(&mut requests, REQUESTS) => if count == 0 {
                    return;
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            let Some(pool) = self.pool.upgrade() else {
                return;
            };
            let began = Instant::now();
            self.fold_or_recover(&pool, &mut requests);
            drop(pool);
            let pause = began.elapsed().saturating_mul(REST).min(LONGEST_REST);
            if pause > SHORTEST_REST {
                sleep(pause).await;
            }
        }
    }

    fn fold_or_recover(&mut self, pool: &Pool, requests: &mut Vec<Request>) {
        // What a panic leaves half done is thrown away.
        let folded = catch_unwind(AssertUnwindSafe(|| self.fold(pool, requests)));
        if folded.is_err() {
            tracing::error!(pool = %pool.name, "a change of the pool panicked and is lost: report this");
            self.state.metrics.panicked("keeper");
            requests.clear();
            self.state.recover(&pool.snapshot.load());
        }
    }

    fn fold(&mut self, pool: &Pool, requests: &mut Vec<Request>) {
        let mut changed = false;
        let mut answers = Vec::with_capacity(requests.len());
        for Request { change, reply } in requests.drain(..) {
            let replan = matches!(change, Change::Plan(_));
            let outcome = self.state.apply(change);
            changed |= outcome == Ok(true);
            if replan {
                pool.bound_affinity(self.state.plan.sticky.as_ref());
            }
            answers.push((reply, outcome.map(|_| ())));
        }
        let now = Instant::now();
        changed |= self.state.dismiss_leavers(now);
        changed |= self.state.grows_at.is_some_and(|at| at <= now);
        changed |= self.state.hold.due().is_some_and(|at| at <= now);
        if changed {
            pool.snapshot.store(Arc::new(self.state.snapshot()));
            let present = pool.snapshot.load();
            // Sessions that came or went while the snapshot was made counted in the one before.
            present.first.refresh_all();
            present.backup.refresh_all();
            drop(present);
            pool.serve_queue();
        }
        for fall in self.state.falls.drain(..) {
            if pool.falls.try_send(fall).is_err() && !pool.falls.is_closed() {
                tracing::error!(pool = %pool.name, "too many servers fall at once: on_down is not obeyed");
            }
        }
        for (reply, outcome) in answers {
            let _ = reply.send(outcome);
        }
    }
}

impl State {
    fn new(plan: Arc<PoolPlan>, metrics: Metrics) -> Self {
        let mut state = Self {
            members: Vec::new(),
            configured: 0,
            leave_by: Instant::now(),
            closed: false,
            roster: Arc::new(Roster::new([].iter())),
            counters: Arc::default(),
            created_at: Instant::now(),
            rings: [None, None],
            generation: 0,
            removed: Vec::new(),
            falls: Vec::new(),
            panic: false,
            hold: Hold::default(),
            grows_at: None,
            metrics,
            plan,
        };
        state.replan(Arc::clone(&state.plan));
        state
    }

    /// Whether a snapshot is due.
    fn apply(&mut self, change: Change) -> Result<bool, Refused> {
        match change {
            Change::Plan(plan) => {
                self.replan(plan);
                Ok(true)
            }
            Change::Close { by } => {
                self.closed = true;
                for member in &self.members[..self.configured] {
                    member.server.set_retire_at(Some(by));
                }
                Ok(false)
            }
            #[cfg(test)]
            Change::Panic => panic!("a test asked for it"),
            Change::Health {
                server,
                health,
                role,
            } => Ok(self.conclude(server, health, role)),
            Change::Order { server, order } => self.obey(&server, order),
            Change::Weight { weight, .. } if !(1..=WEIGHT_MAX).contains(&weight) => {
                Err(Refused::Weight(weight))
            }
            Change::Weight { server, weight } => {
                let member = self.member(&server)?;
                let changed = member.weight != weight;
                member.weight = weight;
                member.server.metrics().weight(weight);
                if changed {
                    self.rings = [None, None];
                }
                Ok(changed)
            }
        }
    }

    fn conclude(&mut self, server: ServerId, health: Health, role: Option<Role>) -> bool {
        let (probed, care) = (self.plan.probe.is_some(), &self.plan.care);
        let Some(place) = self.roster.find(server) else {
            return false;
        };
        let member = &mut self.members[place as usize];
        let changed = probed && (member.health, member.role) != (health, role);
        if !changed {
            return false;
        }
        // One without a verdict has no sessions yet.
        let was_wrong = care.role.is_wrong(member.role) || member.health == Health::Unknown;
        let turned = member.health != health;
        if turned {
            member.health = health;
            member.since = Instant::now();
            member.server.metrics().health(health);
        }
        member.role = role;
        let lost_role = care.role.is_wrong(role) && !was_wrong;
        let what = match health {
            Health::Down if turned && care.on_down != OnDown::Keep => Loss::Health,
            Health::Alive if lost_role && care.role.on_lost != OnRoleLost::Keep => Loss::Role,
            _ => return true,
        };
        self.falls.push(Fall {
            what,
            server: Arc::downgrade(&member.server),
            at: member.since,
        });
        true
    }

    /// Under one name two may serve: the file's, and one that leaves.
    fn obey(&mut self, name: &ServerName, order: Order) -> Result<bool, Refused> {
        self.member(name)?;
        let mut changed = false;
        for member in self.members.iter_mut().filter(|one| one.plan.name == *name) {
            changed |= member.admin != order;
            member.admin = order;
            member.server.metrics().admin(order);
        }
        Ok(changed)
    }

    fn member(&mut self, name: &ServerName) -> Result<&mut Member, Refused> {
        let pool = &self.plan.name;
        (self.members.iter_mut().find(|one| one.plan.name == *name)).ok_or_else(|| {
            Refused::UnknownServer {
                pool: pool.clone(),
                server: name.clone(),
            }
        })
    }

    fn replan(&mut self, plan: Arc<PoolPlan>) {
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
        self.roster = Arc::new(Roster::new(self.members.iter().map(|one| &one.server)));
        let left = |one: &Member| self.roster.find(one.server.id()).is_none();
        let gone: Vec<Member> = old.into_iter().filter(left).collect();
        self.retire(&gone);
        self.keep_leavers(leaving.into_iter().chain(gone).collect());
        self.roster = Arc::new(Roster::new(self.members.iter().map(|one| &one.server)));
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
        let returned = |one: &Member| self.roster.find(one.server.id()).is_some();
        let leavers: Vec<Member> = gone
            .into_iter()
            .filter(|one| !returned(one) && one.is_on_offer())
            .collect();
        let patience = self.plan.probe.as_ref().map(|probe| probe.timeout);
        self.leave_by = Instant::now() + patience.unwrap_or_default() + SPREAD;
        self.members.extend(leavers);
        self.dismiss_leavers(Instant::now());
    }

    fn has_leavers(&self) -> bool {
        self.members.len() > self.configured
    }

    /// True when somebody went: a snapshot is due.
    fn dismiss_leavers(&mut self, now: Instant) -> bool {
        let own = &self.members[..self.configured];
        let served = own.iter().any(Member::is_on_offer);
        let decided = own.iter().all(|member| member.health != Health::Unknown);
        if !self.has_leavers() || !(served || decided || now >= self.leave_by) {
            return false;
        }
        self.members.truncate(self.configured);
        self.roster = Arc::new(Roster::new(self.members.iter().map(|one| &one.server)));
        self.rings = [None, None];
        true
    }

    /// Begins anew from what everybody sees.
    fn recover(&mut self, last: &Snapshot) {
        self.plan = Arc::clone(&last.plan);
        self.members = last.members.to_vec();
        self.configured = last.configured;
        self.roster = Arc::clone(&last.roster);
        self.generation = last.generation;
        self.rings = [None, None];
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

    fn snapshot(&mut self) -> Snapshot {
        self.generation += 1;
        let now = Instant::now();
        self.stand(now);
        self.judge_roles(now);
        self.judge_panic();
        Snapshot {
            generation: self.generation,
            plan: Arc::clone(&self.plan),
            members: self.members.clone().into(),
            configured: self.configured,
            roster: Arc::clone(&self.roster),
            panic: self.panic,
            hold: self.hold,
            first: self.tier(false, now),
            backup: self.tier(true, now),
        }
    }

    /// Of all configured servers of that tier, whatever their standing.
    fn ring(&mut self, backup: bool) -> Arc<Ring> {
        let members = (0u32..).zip(&self.members);
        let servers = members.filter(|(_, member)| member.plan.backup == backup);
        let make = || {
            Arc::new(Ring::new(servers.map(|(place, member)| {
                (place, member.plan.name.as_str(), member.weight)
            })))
        };
        Arc::clone(self.rings[usize::from(backup)].get_or_insert_with(make))
    }

    /// Standings of this moment, and who came up by them.
    fn stand(&mut self, now: Instant) {
        let slow_start = self.plan.care.slow_start;
        // At a start all come up, and none is slower than the others for that.
        let young = self.created_at.elapsed() < slow_start;
        let mut grows_in = None;
        for member in &mut self.members {
            let before = member.standing;
            member.standing = Standing::of(member.admin, member.health, false);
            if !member.standing.is_on_offer() {
                member.came_up = None;
                continue;
            }
            let was_there = before.is_on_offer() || young && before == Standing::Waiting;
            if !was_there {
                member.came_up = Some(now);
            }
            let next = weight::next_step(member.up_for(now), slow_start);
            grows_in = grows_in.into_iter().chain(next).min();
        }
        self.grows_at = grows_in.map(|wait| now + wait);
    }

    /// Backups are there for when the first tier fails: where one is up, no server that is down is tried.
    fn judge_panic(&mut self) {
        let threshold = self.plan.care.panic_threshold;
        let tier = |backup| (self.members.iter()).filter(move |one| one.plan.backup == backup);
        let shown = |one: &Member| (one.admin, one.health);
        let on_offer = |one: &Member| one.standing.is_on_offer();
        let helped = !tier(false).any(on_offer) && tier(true).any(on_offer);
        let panic = !helped
            && !self.plan.care.role.wants_one()
            && is_panic(tier(false).map(shown), threshold);
        if panic == std::mem::replace(&mut self.panic, panic) {
            return;
        }
        let (pool, up) = (
            &self.plan.name,
            tier(false).filter(|one| on_offer(one)).count(),
        );
        self.metrics.pool(pool).panic(panic);
        if panic {
            tracing::error!(%pool, up, panic_threshold = threshold, "too few servers are up: those that are down take sessions too");
        } else {
            tracing::info!(%pool, up, "enough servers are up again: those that are down take no sessions");
        }
    }

    /// When there is something to do without a change.
    fn due(&self) -> Option<Instant> {
        let leave_by = self.has_leavers().then_some(self.leave_by);
        let dues = leave_by.into_iter().chain(self.grows_at);
        dues.chain(self.hold.due()).min()
    }

    fn tier(&mut self, backup: bool, now: Instant) -> Tier {
        let slow_start = self.plan.care.slow_start;
        let in_panic = |one: &Member| self.panic && one.standing == Standing::Down;
        let offered: Vec<_> = (0u32..)
            .zip(&self.members)
            .filter(|(_, one)| one.plan.backup == backup)
            .filter(|(_, one)| one.standing.is_on_offer() || in_panic(one))
            .collect();
        let steps = offered.iter().map(|(_, member)| {
            let step = weight::step(member.up_for(now), slow_start);
            (member.weight, step)
        });
        let weights = weight::eased(&steps.collect::<Vec<_>>());
        let candidates = offered
            .iter()
            .zip(weights)
            .map(|((place, member), weight)| Candidate {
                member: *place,
                weight,
                cap: member.plan.max_connections.unwrap_or(u32::MAX),
                per_second: member.plan.max_per_second,
                load: Arc::clone(member.server.load()),
            });
        let candidates = Candidates::new(
            self.members.len(),
            candidates.collect(),
            Arc::clone(&self.counters),
        );
        let balancer = match self.plan.balance {
            Balance::RoundRobin => Balancer::round_robin(&candidates),
            Balance::LeastConnection => Balancer::least_connection(&candidates),
            Balance::ResponseTime => Balancer::response_time(&candidates),
            Balance::Random => Balancer::random(&candidates),
            Balance::SourceHash => Balancer::source_hash(&candidates, &self.ring(backup)),
        };
        Tier {
            candidates,
            balancer,
        }
    }
}

/// Changes that may wait; a sender waits beyond.
const REQUESTS: usize = 1024;

/// The keeper rests this many times as long as it worked: at most a tenth of the control thread.
const REST: u32 = 9;

/// First questions to the servers of a pool are put within half of this.
const SPREAD: Duration = Duration::from_secs(1);

/// Work of a few tens of microseconds is not worth a timer.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// No change waits longer than this for the sake of others.
const LONGEST_REST: Duration = Duration::from_millis(100);
