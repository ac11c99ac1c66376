//! Everything that a pool's snapshots are made from, and what each change does to it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::departed::Departed;
use super::recollection::Recollection;
use crate::balance::{Counters, Ring};
use crate::plan::{
    OnDown, OnRoleLost, PoolName, PoolPlan, Role, ServerName, ServerPlan, WEIGHT_MAX,
};
use crate::pool::holder::Hold;
use crate::pool::snapshot::{Fall, Loss, Member, Places, Snapshot};
use crate::pool::{Change, Health, Order, Origin, Refused, Said, Server, ServerId};
use crate::telemetry::Metrics;
use crate::telemetry::journal::{Event, Kind};

/// Everything that a snapshot is made from.
pub(super) struct State {
    pub(super) plan: Arc<PoolPlan>,
    /// What a source lists beside the plan's servers; `None`: nobody has listed anything yet.
    pub(super) roster: Option<Vec<Arc<ServerPlan>>>,
    /// The file's, in its order; the roster's, in its order; after them those that leave and still serve.
    pub(super) members: Vec<Member>,
    /// How many of the members do not leave.
    pub(super) configured: usize,
    /// Until when those that leave may serve.
    pub(super) leave_by: Instant,
    /// The pool left the file.
    pub(super) closed: bool,
    pub(super) places: Arc<Places>,
    pub(super) counters: Arc<Counters>,
    pub(super) created_at: Instant,
    /// Of the first tier and of the backups; `None` when it must be made again.
    pub(super) rings: [Option<Arc<Ring>>; 2],
    pub(super) generation: u64,
    /// Removed from the file, or listed no more, and perhaps still held by sessions.
    pub(super) removed: Vec<Weak<Server>>,
    /// Listed no more.
    pub(super) departed: Departed,
    /// Of members whose fall is not told yet.
    pub(super) falls: Vec<Fall>,
    /// Drains that end at a time.
    pub(super) drains: HashMap<ServerId, (Instant, Weak<Server>)>,
    /// What a former howdah knew of servers that are not listed yet.
    pub(super) recollection: Recollection,
    pub(super) panic: bool,
    pub(super) hold: Hold,
    /// When the weight of a server that came up grows next.
    pub(super) grows_at: Option<Instant>,
    pub(super) metrics: Metrics,
}

impl State {
    pub(super) fn new(plan: Arc<PoolPlan>, metrics: Metrics) -> Self {
        let mut state = Self {
            roster: None,
            members: Vec::new(),
            configured: 0,
            leave_by: Instant::now(),
            closed: false,
            places: Arc::new(Places::new([].iter())),
            counters: Arc::default(),
            created_at: Instant::now(),
            rings: [None, None],
            generation: 0,
            removed: Vec::new(),
            departed: Departed::default(),
            falls: Vec::new(),
            drains: HashMap::new(),
            recollection: Recollection::default(),
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
    pub(super) fn apply(&mut self, change: Change) -> Result<bool, Refused> {
        match change {
            Change::Plan(plan) => {
                self.replan(plan);
                Ok(true)
            }
            Change::Roster(listed) => Ok(self.enroll(listed)),
            Change::Close { by } => {
                self.closed = true;
                for member in &self.members[..self.configured] {
                    member.server.set_retire_at(Some(by));
                }
                self.bound_departed(by);
                Ok(false)
            }
            #[cfg(test)]
            Change::Panic => panic!("a test asked for it"),
            Change::Health {
                server,
                health,
                role,
            } => Ok(self.conclude(server, health, role)),
            Change::Said { server, said } => Ok(self.hear(server, said)),
            Change::Order {
                server,
                order,
                given,
            } => self.obey(&server, order, given),
            Change::Recall(recall) => {
                self.recall(*recall);
                Ok(true)
            }
            Change::Weight { weight, .. } if !(1..=WEIGHT_MAX).contains(&weight) => {
                Err(Refused::Weight(weight))
            }
            Change::Weight {
                server,
                weight,
                given,
            } => {
                let member = self.member(&server)?;
                let changed = member.weight != weight;
                let news = changed || member.weighed.is_some();
                member.weigh(weight, given);
                if changed {
                    self.rings = [None, None];
                }
                Ok(news)
            }
        }
    }

    fn conclude(&mut self, server: ServerId, health: Health, role: Option<Role>) -> bool {
        let (probed, care) = (self.plan.probe.is_some(), &self.plan.care);
        let Some(place) = self.places.find(server) else {
            return false;
        };
        let member = &mut self.members[place as usize];
        let was_recalled = member.recalled.take().is_some();
        let changed = probed && (member.health, member.role) != (health, role);
        if !changed {
            // It is as a former howdah said: now it is known.
            return was_recalled;
        }
        // One without a verdict has no sessions yet.
        let was_wrong = care.role.is_wrong(member.role) || member.health == Health::Unknown;
        let turned = member.health != health;
        if turned {
            member.health = health;
            member.since = Instant::now();
            member.server.metrics().health(health);
        }
        if member.role != role {
            tell_role(&self.metrics, &self.plan.name, member, role);
            member.role = role;
            member.server.metrics().role(role);
        }
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

    fn hear(&mut self, server: ServerId, said: Said) -> bool {
        let Some(place) = self.places.find(server) else {
            return false;
        };
        let member = &mut self.members[place as usize];
        member.server.metrics().share(Some(said.percent));
        std::mem::replace(&mut member.said, said) != said
    }

    /// Under one name two may serve: the file's, and one that leaves.
    pub(super) fn obey(
        &mut self,
        name: &ServerName,
        order: Order,
        given: Origin,
    ) -> Result<bool, Refused> {
        self.member(name)?;
        let (given, mut changed) = (Arc::new(given), false);
        for member in self.members.iter_mut().filter(|one| one.plan.name == *name) {
            // Who is told to work and does so hears nothing new.
            if (member.admin, order) != (Order::Ready, Order::Ready) {
                member.order(order, &given);
                changed = true;
            }
            let (server, until) = (&member.server, given.until);
            // Any later order takes the end of a drain back.
            self.drains.remove(&server.id());
            if let Some(until) = until.filter(|_| order == Order::Drain) {
                self.drains
                    .insert(server.id(), (until, Arc::downgrade(server)));
            }
        }
        Ok(changed)
    }

    /// Those whose drain is over have sessions no more.
    pub(super) fn end_drains(&mut self, now: Instant) {
        for (_, (at, server)) in self.drains.extract_if(|_, (until, _)| *until <= now) {
            self.falls.push(Fall {
                what: Loss::Drain,
                server,
                at,
            });
        }
    }

    pub(super) fn member(&mut self, name: &ServerName) -> Result<&mut Member, Refused> {
        let pool = &self.plan.name;
        (self.members.iter_mut().find(|one| one.plan.name == *name)).ok_or_else(|| {
            Refused::UnknownServer {
                pool: pool.clone(),
                server: name.clone(),
            }
        })
    }

    /// When there is something to do without a change.
    pub(super) fn due(&self) -> Option<Instant> {
        let leave_by = self.has_leavers().then_some(self.leave_by);
        let dues = leave_by.into_iter().chain(self.grows_at);
        let dues = dues.chain(self.hold.due()).chain(self.departed.due());
        let drains = self.drains.values().map(|(until, _)| *until);
        dues.chain(drains).chain(self.recalled_until()).min()
    }

    /// Begins anew from what everybody sees.
    pub(super) fn recover(&mut self, last: &Snapshot) {
        self.plan = Arc::clone(&last.plan);
        self.members = last.members.to_vec();
        self.configured = last.configured;
        self.roster = last.roster();
        self.places = Arc::clone(&last.places);
        self.generation = last.generation;
        self.rings = [None, None];
    }
}

/// Who does not answer any more is told of by its health alone.
fn tell_role(metrics: &Metrics, pool: &PoolName, member: &Member, role: Option<Role>) {
    let server = member.server.name();
    let event = match role {
        Some(role) => {
            tracing::info!(%pool, %server, %role, "server says what it is");
            Event::info(Kind::Role, format!("server says that it is {role}")).to(role)
        }
        None if member.health == Health::Down => return,
        None => Event::info(Kind::Role, "server does not say any more what it is"),
    };
    let event = match member.role {
        Some(former) => event.from(former),
        None => event,
    };
    metrics.journal().tell(event.pool(pool).server(server));
}
