//! What must be: the members, their sessions, and which choices are right, told from the documents alone.

mod care;
mod choice;
mod offer;
mod reload;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use howdah::plan::{Address, Observe, PoolPlan, ServerName, ServerPlan};
use howdah::pool::{Health, NoServer, Order, Pick, Reach, ServerId, Snapshot, Standing};
use tokio::time::Instant;

use self::care::Care;
use crate::sticky::Table;

pub(crate) struct Model {
    pub(crate) plan: Arc<PoolPlan>,
    /// What a source listed last, while the plan names one.
    pub(crate) roster: Vec<Arc<ServerPlan>>,
    /// It has listed something.
    listed: bool,
    /// In the order of the plan, then in that of the roster.
    pub(crate) seats: Vec<Seat>,
    /// Left the plan, and serve until one of the plan's can, or until all of these have a verdict.
    pub(crate) leaving: Vec<Seat>,
    leave_by: Instant,
    created_at: Instant,
    /// Removed or listed no more, and still with sessions when last looked at.
    pub(crate) gone: Vec<Gone>,
    /// Listed no more, as they were and since when; forgotten half a minute later.
    departed: Vec<(Instant, Seat)>,
    /// What was ordered of servers that are listed no more: order, weight, and that of the plan.
    orders: HashMap<ServerName, (Order, u16, u16)>,
    pub(crate) counts: HashMap<ServerId, Count>,
    pub(crate) table: Table,
    /// Choices that gave a server.
    pub(crate) given: u64,
    /// Choices of a balancer that ranks.
    ranked: u64,
    /// All servers are known to answer alike: only then a ranking by response time is foretold.
    pub(crate) alike: bool,
    /// Under source-hash, since the members last changed: where a client goes while all have room.
    natural: HashMap<IpAddr, ServerId>,
}

/// One member.
pub(crate) struct Seat {
    pub(crate) id: ServerId,
    pub(crate) plan: Arc<ServerPlan>,
    /// By a source alone.
    listed: bool,
    pub(crate) weight: u16,
    pub(crate) order: Order,
    pub(crate) health: Health,
    pub(crate) care: Care,
    /// When the pool last looked.
    standing: Standing,
    /// When it came back into service; `None`: it always was, or is not.
    came_up: Option<Instant>,
}

/// A server that is no member any more.
pub(crate) struct Gone {
    pub(crate) id: ServerId,
    pub(crate) name: ServerName,
    address: Address,
    /// Who was listed has all the time there is.
    pub(crate) retire_at: Option<Instant>,
}

/// By identity, as long as the simulation lives.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) open: u32,
    pub(crate) total: u64,
    ranked: u64,
    /// Failures in a row, by how far sessions came.
    pub(crate) failures: [u32; 3],
}

/// What one choice brought.
pub(crate) type Chosen = Result<(ServerId, Pick), NoServer>;

impl Seat {
    pub(crate) fn is_on_offer(&self) -> bool {
        self.order == Order::Ready && self.health == Health::Up
    }

    fn cap(&self) -> u32 {
        self.plan.max_connections.unwrap_or(u32::MAX)
    }
}

impl Count {
    /// It came through whatever is before.
    pub(crate) fn failed(&mut self, at: Reach) {
        self.failures[..at as usize].fill(0);
        self.failures[at as usize] += 1;
    }

    pub(crate) fn succeeded(&mut self, at: Reach) {
        self.failures[..=at as usize].fill(0);
    }
}

impl Model {
    pub(crate) fn new(plan: Arc<PoolPlan>, snapshot: &Snapshot, now: Instant) -> Self {
        let mut model = Self {
            plan: Arc::clone(&plan),
            roster: Vec::new(),
            listed: false,
            seats: Vec::new(),
            leaving: Vec::new(),
            leave_by: now,
            created_at: now,
            gone: Vec::new(),
            departed: Vec::new(),
            orders: HashMap::new(),
            counts: HashMap::new(),
            table: Table::default(),
            given: 0,
            ranked: 0,
            alike: false,
            natural: HashMap::new(),
        };
        model.replan(plan, snapshot, now);
        model
    }

    /// An order is for all of a name that serve.
    pub(crate) fn obey(&mut self, name: &ServerName, order: Order) {
        for seat in self.seats.iter_mut().chain(&mut self.leaving) {
            if seat.plan.name == *name {
                seat.order = order;
            }
        }
    }

    /// Another snapshot may send clients elsewhere.
    pub(crate) fn changed(&mut self, now: Instant) {
        self.natural.clear();
        self.dismiss(now);
        self.stand(now);
    }

    /// Failed sessions in a row that a bare connect does not see.
    pub(crate) fn failures(&self, id: ServerId) -> u32 {
        let [_, opening, answer] = self.counts[&id].failures;
        match self.plan.probe.as_ref().map(|probe| probe.observe.what) {
            Some(Observe::Sessions) => opening + answer,
            Some(Observe::Connects) => opening,
            None => 0,
        }
    }

    /// Whether one more may be out for what its sessions saw: a share of those that could serve.
    pub(crate) fn may_distrust_one_more(&self, percent: u8) -> bool {
        let out = (self.seats.iter()).filter(|seat| seat.care.is_distrusted());
        let could =
            (self.seats.iter()).filter(|seat| seat.is_on_offer() || seat.care.is_distrusted());
        (out.count() + 1) * 100 <= could.count() * usize::from(percent)
    }

    pub(crate) fn seat(&mut self, name: &ServerName) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.plan.name == *name)
    }

    /// Members of the snapshot are those of the model, word by word, and each has the sessions that it should have.
    pub(crate) fn compare(&self, snapshot: &Snapshot) {
        assert_eq!(snapshot.members().len(), self.seats.len());
        for (member, seat) in snapshot.members().iter().zip(&self.seats) {
            let is = (
                member.server.id(),
                member.weight,
                member.admin,
                member.health,
            );
            assert_eq!(
                is,
                (seat.id, seat.weight, seat.order, seat.health),
                "{}",
                seat.plan.name
            );
            assert_eq!(member.plan, seat.plan);
            let count = &self.counts[&seat.id];
            assert_eq!(
                member.server.sessions_active(),
                count.open,
                "{}",
                seat.plan.name
            );
            assert_eq!(
                member.server.sessions_total(),
                count.total,
                "{}",
                seat.plan.name
            );
            assert_eq!(
                member.server.retire_at(),
                None,
                "{} is a member",
                seat.plan.name
            );
            let full = count.open >= seat.cap();
            let takes = seat.is_on_offer() && !full;
            assert_eq!(
                member.standing_now() == Standing::Ready,
                takes,
                "{}",
                seat.plan.name
            );
        }
        assert_eq!(snapshot.can_serve(), !self.side().is_empty());
        assert_eq!(snapshot.is_panic(), self.is_panic());
    }

    /// Sessions by name, for what is counted by name.
    pub(crate) fn open_by_name(&self) -> HashMap<&str, u32> {
        let members = self
            .seats
            .iter()
            .map(|seat| (seat.plan.name.as_str(), seat.id));
        let gone = self.gone.iter().map(|gone| (gone.name.as_str(), gone.id));
        let mut seen = HashSet::new();
        let mut sums = HashMap::new();
        for (name, id) in members.chain(gone) {
            assert!(seen.insert(id), "{name} is a member and gone");
            *sums.entry(name).or_default() += self.counts[&id].open;
        }
        // Without sessions they are not among the gone, and yet still there.
        let remembered = self.departed.iter().map(|(_, seat)| seat);
        for seat in self.leaving.iter().chain(remembered) {
            sums.entry(seat.plan.name.as_str()).or_default();
        }
        sums
    }

    /// Names that somebody bears, as a member or for a while longer.
    pub(crate) fn borne(&self) -> HashSet<&str> {
        let remembered = self.departed.iter().map(|(_, seat)| seat);
        let serving = self.seats.iter().chain(&self.leaving);
        let all = serving.chain(remembered);
        all.map(|seat| seat.plan.name.as_str()).collect()
    }

    fn tell(&self) -> String {
        let line = |seat: &Seat| {
            let (count, cap) = (&self.counts[&seat.id], seat.cap());
            let backup = if seat.plan.backup { ", backup" } else { "" };
            format!(
                "\n  {:?} {} {} {} weight {} open {} of {cap}{backup}",
                seat.id, seat.plan.name, seat.order, seat.health, seat.weight, count.open
            )
        };
        self.seats.iter().map(line).collect()
    }
}

/// A timer counts whole milliseconds.
pub(crate) fn is_just_over(due: Instant, now: Instant) -> bool {
    now >= due && now - due <= Duration::from_millis(2)
}
