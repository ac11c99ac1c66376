//! What must be: the members, their sessions, and which choices are right, told from the documents alone.

mod choice;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use howdah::health::Verdict;
use howdah::plan::{Address, PoolPlan, ServerName, ServerPlan};
use howdah::pool::{Health, NoServer, Order, Pick, ServerId, Snapshot, Standing};
use tokio::time::Instant;

use crate::sticky::Table;

pub(crate) struct Model {
    pub(crate) plan: Arc<PoolPlan>,
    /// In the order of the plan.
    pub(crate) seats: Vec<Seat>,
    /// Left the plan, and serve until one of the plan's can, or until all of these have a verdict.
    pub(crate) leaving: Vec<Seat>,
    leave_by: Instant,
    /// Removed, and still with sessions when last looked at.
    pub(crate) gone: Vec<Gone>,
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
    pub(crate) weight: u16,
    pub(crate) order: Order,
    pub(crate) health: Health,
    /// Verdicts of one kind in a row.
    pub(crate) row: Option<(Verdict, u32)>,
}

/// A server that a reload removed.
pub(crate) struct Gone {
    pub(crate) id: ServerId,
    pub(crate) name: ServerName,
    address: Address,
    pub(crate) retire_at: Instant,
}

/// By identity, as long as the simulation lives.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) open: u32,
    pub(crate) total: u64,
    ranked: u64,
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

    /// One verdict more; the health that follows, if it is another one. See the table of `health::machine`.
    pub(crate) fn hear(&mut self, verdict: Verdict, rise: u32, fall: u32) -> Option<Health> {
        let before = self.row.filter(|(kind, _)| *kind == verdict);
        let count = before.map_or(1, |(_, count)| count + 1);
        self.row = Some((verdict, count));
        let (to, needed) = match verdict {
            Verdict::Up => (Health::Up, rise),
            Verdict::Alive => (Health::Alive, 1),
            Verdict::Down => (Health::Down, fall),
        };
        let enough = self.health == Health::Unknown || count >= needed;
        (self.health != to && enough).then_some(to)
    }
}

impl Model {
    pub(crate) fn new(plan: Arc<PoolPlan>, snapshot: &Snapshot, now: Instant) -> Self {
        let mut model = Self {
            plan: Arc::clone(&plan),
            seats: Vec::new(),
            leaving: Vec::new(),
            leave_by: now,
            gone: Vec::new(),
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

    /// A reload: orders and unchanged weights belong to the name, health and counters to name and address, and a server
    /// that comes back while it has sessions is the one that it was.
    pub(crate) fn replan(&mut self, plan: Arc<PoolPlan>, snapshot: &Snapshot, now: Instant) {
        let old = std::mem::take(&mut self.seats);
        let leaving = std::mem::take(&mut self.leaving);
        self.plan = Arc::clone(&plan);
        assert_eq!(snapshot.members().len(), plan.servers.len());
        for (server, member) in plan.servers.iter().zip(snapshot.members()) {
            let seat = self.succeed(&old, &leaving, server, member.server.id());
            self.seats.push(seat);
        }
        let returned: Vec<ServerId> = self.seats.iter().map(|seat| seat.id).collect();
        self.gone.retain(|gone| !returned.contains(&gone.id));
        for seat in &old {
            if !returned.contains(&seat.id) {
                self.gone.push(Gone {
                    id: seat.id,
                    name: seat.plan.name.clone(),
                    address: seat.plan.address.clone(),
                    retire_at: now + plan.drain_timeout,
                });
            }
        }
        let left = leaving.into_iter().chain(old);
        self.leaving = left
            .filter(|seat| !returned.contains(&seat.id) && seat.is_on_offer())
            .collect();
        let patience = plan.probe.as_ref().map(|probe| probe.timeout);
        self.leave_by = now + patience.unwrap_or_default() + Duration::from_secs(1);
        self.dismiss(now);
        self.table.bound(plan.sticky.as_ref(), now);
        self.changed();
    }

    /// Whether a timer, which counts whole milliseconds, may or may not have found their time over.
    pub(crate) fn is_about_to_dismiss(&self, now: Instant) -> bool {
        let over = now.saturating_duration_since(self.leave_by);
        now >= self.leave_by && over <= Duration::from_millis(2)
    }

    /// Those that leave are not needed any more, or their time is over.
    pub(crate) fn dismiss(&mut self, now: Instant) {
        let served = self.seats.iter().any(Seat::is_on_offer);
        let decided = (self.seats.iter()).all(|seat| seat.health != Health::Unknown);
        if served || decided || now >= self.leave_by {
            self.leaving.clear();
        }
    }

    /// An order is for all of a name that serve.
    pub(crate) fn obey(&mut self, name: &ServerName, order: Order) {
        for seat in self.seats.iter_mut().chain(&mut self.leaving) {
            if seat.plan.name == *name {
                seat.order = order;
            }
        }
    }

    fn succeed(
        &mut self,
        old: &[Seat],
        leaving: &[Seat],
        plan: &Arc<ServerPlan>,
        id: ServerId,
    ) -> Seat {
        let before = old.iter().find(|seat| seat.plan.name == plan.name);
        let same = before.filter(|seat| seat.plan.address == plan.address);
        let leaver = (leaving.iter())
            .find(|seat| seat.plan.name == plan.name && seat.plan.address == plan.address)
            .filter(|_| same.is_none());
        self.forget();
        let back = (self.gone.iter())
            .position(|gone| gone.name == plan.name && gone.address == plan.address)
            .filter(|_| same.is_none());
        match same
            .or(leaver)
            .map(|seat| seat.id)
            .or(back.map(|place| self.gone.remove(place).id))
        {
            Some(expected) => assert_eq!(id, expected, "{} is not the one it was", plan.name),
            None => assert!(
                self.counts.insert(id, Count::default()).is_none(),
                "{} is another's successor",
                plan.name
            ),
        }
        let health = match (&self.plan.probe, same.or(leaver)) {
            (None, _) => Health::Up,
            (Some(_), Some(same)) => same.health,
            (Some(_), None) => Health::Unknown,
        };
        let kept = before.filter(|seat| seat.plan.weight == plan.weight);
        Seat {
            id,
            plan: Arc::clone(plan),
            weight: kept.map_or(plan.weight, |seat| seat.weight),
            order: before.map_or(Order::Ready, |seat| seat.order),
            health,
            row: same.and_then(|seat| seat.row),
        }
    }

    /// A removed server without sessions is nobody.
    fn forget(&mut self) {
        let counts = &self.counts;
        self.gone.retain(|gone| counts[&gone.id].open > 0);
    }

    /// Another snapshot may send clients elsewhere.
    pub(crate) fn changed(&mut self) {
        self.natural.clear();
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
        for seat in &self.leaving {
            sums.entry(seat.plan.name.as_str()).or_default();
        }
        sums
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
