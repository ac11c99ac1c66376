//! The immutable present of a pool: members, standings, and the balancers prepared for them.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::holder::Hold;
use super::memory::Recalled;
use super::orders::Orders;
use super::origin::Origin;
use super::{Health, Order, Said, Server, ServerId, Standing};
use crate::balance::{Balancer, Candidates};
use crate::plan::{PoolPlan, Role, ServerName, ServerPlan};

/// One state of a pool, as of one generation. Sessions load it once per attempt.
pub struct Snapshot {
    pub(super) generation: u64,
    pub(super) plan: Arc<PoolPlan>,
    /// The file's, in its order; those that a source lists; after them those that leave and serve until another can.
    pub(super) members: Box<[Member]>,
    /// How many of the members do not leave.
    pub(super) configured: usize,
    /// A source has listed servers.
    pub(super) listed: bool,
    /// Members no more, and perhaps with sessions.
    pub(super) departed: Box<[Weak<Server>]>,
    /// What is ordered of servers that are no members now.
    pub(super) absent: Arc<[(ServerName, Orders)]>,
    pub(super) places: Arc<Places>,
    /// So few are up that those that are down take sessions too.
    pub(super) panic: bool,
    /// Of pools that want the active server alone.
    pub(super) hold: Hold,
    /// The servers that are no backups.
    pub(super) first: Tier,
    /// Backups: for when nobody of the first tier can be reached.
    pub(super) backup: Tier,
}

/// One server in one snapshot.
#[derive(Clone)]
pub struct Member {
    /// Identity and live numbers.
    pub server: Arc<Server>,
    /// Its entry in the file, or what a source says of it.
    pub plan: Arc<ServerPlan>,
    /// A source lists it, and the file does not.
    pub listed: bool,
    /// The one in force: the file's, or the operator's.
    pub weight: u16,
    /// What probes concluded.
    pub health: Health,
    /// What it said last that it is; `None`: nothing, or it does not answer.
    pub role: Option<Role>,
    /// What it says of its own load.
    pub said: Said,
    /// What the operator wants.
    pub admin: Order,
    /// What follows from these, fullness left aside.
    pub standing: Standing,
    /// Who ordered that; `None`: nobody has ordered anything.
    pub ordered: Option<Arc<Origin>>,
    /// Who gave it a weight that the file does not.
    pub weighed: Option<Arc<Origin>>,
    /// Its health is what a former howdah found: nobody has asked it since.
    pub recalled: Option<Arc<Recalled>>,
    /// When its health became what it is.
    pub since: Instant,
    /// When it came back into service; `None`: it always was.
    pub(super) came_up: Option<Instant>,
}

/// A server went down or gave up its role, in a pool that does something about its sessions; or its drain is over.
#[derive(Clone)]
pub struct Fall {
    /// What happened to it.
    pub what: Loss,
    /// Which; a server that is gone has no sessions.
    pub server: Weak<Server>,
    /// When: [`Member::since`], while it stays so.
    pub at: Instant,
}

/// Why a server takes no sessions any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It is down: `on_down`.
    Health,
    /// It was drained, and that has lasted as long as it may.
    Drain,
    /// It says that it is something else than `role` asks for: `on_role_lost`.
    Role,
}

/// Where each server stands among the members; shared by snapshots while no server comes or goes.
pub(super) struct Places(HashMap<ServerId, u32>);

/// Servers that may take sessions, and who picks among them.
pub(super) struct Tier {
    pub(super) candidates: Candidates,
    pub(super) balancer: Balancer,
}

impl Snapshot {
    /// Counts the snapshots of this pool.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What the pool should be.
    pub fn plan(&self) -> &Arc<PoolPlan> {
        &self.plan
    }

    /// Whether servers that are down take sessions too: `panic_threshold`.
    pub fn is_panic(&self) -> bool {
        self.panic
    }

    /// Whether several servers have said for a while that they are the active one.
    pub fn is_conflict(&self) -> bool {
        self.hold.is_conflict()
    }

    /// Whether probes should hurry: the active server is not known, or there seem to be two.
    pub fn is_failing_over(&self) -> bool {
        self.plan.care.role.wants_one() && self.hold.is_unclear()
    }

    /// Whether it is known who the servers are: no source is asked for them, or one has answered.
    pub fn is_listed(&self) -> bool {
        self.listed || self.plan.discover.is_none()
    }

    /// Servers that left, and still have sessions.
    pub fn departed(&self) -> impl Iterator<Item = Arc<Server>> {
        let living = self.departed.iter().filter_map(Weak::upgrade);
        living.filter(|server| self.find(server.id()).is_none() && server.sessions_active() > 0)
    }

    /// What a source listed, as far as it made members.
    pub(super) fn roster(&self) -> Option<Vec<Arc<ServerPlan>>> {
        let listed = self.members().iter().filter(|member| member.listed);
        let roster = listed.map(|member| Arc::clone(&member.plan)).collect();
        self.listed.then_some(roster)
    }

    /// The file's in its order, then those that a source lists.
    pub fn members(&self) -> &[Member] {
        &self.members[..self.configured]
    }

    /// The member of that name.
    pub fn member(&self, name: &ServerName) -> Option<&Member> {
        self.members().iter().find(|one| one.plan.name == *name)
    }

    /// The member that this server is; `None`: it has left.
    pub fn seat(&self, server: ServerId) -> Option<&Member> {
        let place = usize::try_from(self.find(server)?).ok()?;
        self.members().get(place)
    }

    /// Whether some server may take sessions, a backup included; full ones count.
    pub fn can_serve(&self) -> bool {
        !self.first.is_empty() || !self.backup.is_empty()
    }

    pub(super) fn find(&self, server: ServerId) -> Option<u32> {
        self.places.find(server)
    }

    /// Whether a server has `max_per_second`.
    pub(super) fn has_rates(&self) -> bool {
        let mut members = self.members.iter();
        members.any(|one| one.plan.max_per_second.is_some())
    }

    /// When, later than `now`, a bound on new sessions in a second lets one in that lets none in now; `None` where time alone
    /// makes no room.
    pub(super) fn next_token(&self, now: Duration) -> Option<Duration> {
        let tiers = [&self.first, &self.backup];
        let next = tiers
            .iter()
            .filter_map(|tier| tier.candidates.next_token(now));
        next.min()
    }

    /// The load or the estimate of a server changed.
    pub(super) fn refresh(&self, server: ServerId) {
        if !self.first.balancer.is_ranked() {
            return;
        }
        if let Some(member) = self.find(server) {
            self.first.balancer.refresh(&self.first.candidates, member);
            self.backup
                .balancer
                .refresh(&self.backup.candidates, member);
        }
    }
}

impl Member {
    /// How long ago it came back into service; `None`: it always was.
    pub(super) fn up_for(&self, now: Instant) -> Option<Duration> {
        self.came_up.map(|at| now.saturating_duration_since(at))
    }

    /// What is ordered of it.
    pub(super) fn orders(&self) -> Orders {
        Orders {
            admin: self.admin,
            ordered: self.ordered.clone(),
            weight: self.weight,
            planned: self.plan.weight,
            weighed: self.weighed.clone(),
        }
    }

    /// Whether this howdah knows how it is; what a former one found says only whom to try first.
    pub fn is_judged(&self) -> bool {
        self.health != Health::Unknown && self.recalled.is_none()
    }

    /// Whether balancers may offer it.
    pub(super) fn is_on_offer(&self) -> bool {
        self.standing_if(false).is_on_offer()
    }

    /// Sessions at once, by the file or by its own word; `None` is unbounded.
    pub fn max_connections(&self) -> Option<u32> {
        Some(self.cap()).filter(|cap| *cap < u32::MAX)
    }

    /// Sessions at once.
    pub(super) fn cap(&self) -> u32 {
        self.said.cap(self.plan.max_connections)
    }

    /// Its standing, were it `full`. One whose agent wants no new sessions is as one that says so to its probes.
    pub(super) fn standing_if(&self, full: bool) -> Standing {
        let health = match (self.health, self.said.withdrawn) {
            (Health::Up, Some(_)) => Health::Alive,
            (health, _) => health,
        };
        Standing::of(self.admin, health, full)
    }

    /// Its standing at this moment, fullness included.
    pub fn standing_now(&self) -> Standing {
        self.standing_if(self.server.sessions_active() >= self.cap())
    }
}

impl Places {
    pub(super) fn new<'a>(servers: impl Iterator<Item = &'a Arc<Server>>) -> Self {
        Self(servers.map(|server| server.id()).zip(0..).collect())
    }

    pub(super) fn find(&self, server: ServerId) -> Option<u32> {
        self.0.get(&server).copied()
    }
}

impl Tier {
    pub(super) fn is_empty(&self) -> bool {
        self.candidates.all().is_empty()
    }

    pub(super) fn refresh_all(&self) {
        self.balancer.refresh_all(&self.candidates);
    }
}
