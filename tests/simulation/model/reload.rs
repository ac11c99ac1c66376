//! What a reload, or a source that lists others, makes of the members, and those that leave.

use std::sync::Arc;
use std::time::Duration;

use howdah::plan::{PoolPlan, ServerName, ServerPlan};
use howdah::pool::{Health, Order, ServerId, Snapshot, Standing};
use tokio::time::Instant;

use super::care::Care;
use super::{Count, Gone, Model, Seat, is_just_over};

impl Model {
    /// A reload: orders and unchanged weights belong to the name, health and counters to name and address, and a server
    /// that comes back while it has sessions is the one that it was.
    pub(crate) fn replan(&mut self, plan: Arc<PoolPlan>, snapshot: &Snapshot, now: Instant) {
        let asked_anew = self.plan.probe != plan.probe;
        self.plan = Arc::clone(&plan);
        let patience = plan.probe.as_ref().map(|probe| probe.timeout);
        self.leave_by = now + patience.unwrap_or_default() + Duration::from_secs(1);
        if plan.discover.is_none() {
            self.roster.clear();
            self.listed = false;
        }
        self.reseat(snapshot, now);
        if asked_anew {
            for seat in &mut self.seats {
                seat.care = Care::new(seat.health);
            }
        }
        if plan.discover.is_none() {
            // Who was listed has no more time than who stood in the file.
            let departed = self.gone.iter_mut();
            for gone in departed.filter(|gone| gone.retire_at.is_none()) {
                gone.retire_at = Some(now + plan.drain_timeout);
            }
        }
        self.table.bound(plan.sticky.as_ref(), now);
        self.changed(now);
    }

    /// A source lists others: who is listed no more is not hurried, and is what it was when it is back soon.
    pub(crate) fn enroll(
        &mut self,
        roster: Vec<Arc<ServerPlan>>,
        snapshot: &Snapshot,
        now: Instant,
    ) {
        self.roster = roster;
        self.listed = true;
        self.reseat(snapshot, now);
        self.changed(now);
    }

    fn reseat(&mut self, snapshot: &Snapshot, now: Instant) {
        let old = std::mem::take(&mut self.seats);
        let leaving = std::mem::take(&mut self.leaving);
        self.forget_departed(now);
        let wanted = self.wanted();
        assert_eq!(snapshot.members().len(), wanted.len());
        for ((server, listed), member) in wanted.iter().zip(snapshot.members()) {
            assert_eq!(member.listed, *listed, "{}", server.name);
            let mut seat = self.succeed(&old, &leaving, server, member.server.id());
            seat.listed = *listed;
            self.seats.push(seat);
        }
        let returned: Vec<ServerId> = self.seats.iter().map(|seat| seat.id).collect();
        self.gone.retain(|gone| !returned.contains(&gone.id));
        self.departed
            .retain(|(_, seat)| !returned.contains(&seat.id));
        for seat in &self.seats {
            self.orders.remove(&seat.plan.name);
        }
        let stays = |seat: &Seat| returned.contains(&seat.id);
        let (departed, removed): (Vec<_>, Vec<_>) = (old.into_iter())
            .filter(|seat| !stays(seat))
            .partition(|seat| seat.listed && self.plan.discover.is_some());
        for seat in removed.iter().chain(&departed) {
            let hurried = !(seat.listed && self.plan.discover.is_some());
            self.gone.push(Gone {
                id: seat.id,
                name: seat.plan.name.clone(),
                address: seat.plan.address.clone(),
                retire_at: hurried.then_some(now + self.plan.drain_timeout),
            });
        }
        for seat in departed {
            if (seat.order, seat.weight) != (Order::Ready, seat.plan.weight) {
                let orders = (seat.order, seat.weight, seat.plan.weight);
                self.orders.insert(seat.plan.name.clone(), orders);
            }
            self.departed.push((now, seat));
        }
        self.leaving = (leaving.into_iter().chain(removed))
            .filter(|seat| !stays(seat) && seat.is_on_offer())
            .collect();
        self.dismiss(now);
    }

    /// The plan's, then whom a source lists beside them; a name that is another's is replaced by the address.
    fn wanted(&self) -> Vec<(Arc<ServerPlan>, bool)> {
        let own = self.plan.servers.iter();
        let mut wanted: Vec<_> = own.map(|one| (Arc::clone(one), false)).collect();
        for listed in &self.roster {
            let mut listed = ServerPlan::clone(listed);
            if wanted.iter().any(|(one, _)| one.address == listed.address) {
                continue;
            }
            if wanted.iter().any(|(one, _)| one.name == listed.name) {
                listed.name = ServerName::new(&listed.address.to_string());
            }
            wanted.push((Arc::new(listed), true));
        }
        wanted
    }

    fn forget_departed(&mut self, now: Instant) {
        self.departed.retain(|(left, _)| now < *left + REMEMBERED);
    }

    /// Whether a timer may or may not have forgotten a server that left.
    pub(crate) fn is_about_to_forget(&self, now: Instant) -> bool {
        let mut left = self.departed.iter();
        left.any(|(left, _)| is_just_over(*left + REMEMBERED, now))
    }

    pub(crate) fn has_leavers(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Whether a timer may or may not have found their time over.
    pub(crate) fn is_about_to_dismiss(&self, now: Instant) -> bool {
        is_just_over(self.leave_by, now)
    }

    /// Those that leave are not needed any more, or their time is over.
    pub(crate) fn dismiss(&mut self, now: Instant) {
        let served = self.seats.iter().any(Seat::is_on_offer);
        let known = self.plan.discover.is_none() || self.listed;
        let decided = known && (self.seats.iter()).all(|seat| seat.health != Health::Unknown);
        if served || decided || now >= self.leave_by {
            self.leaving.clear();
        }
        self.forget_departed(now);
    }

    fn succeed(
        &mut self,
        old: &[Seat],
        leaving: &[Seat],
        plan: &Arc<ServerPlan>,
        id: ServerId,
    ) -> Seat {
        let mut departed = self.departed.iter().rev().map(|(_, seat)| seat);
        let departed = departed.find(|seat| seat.plan.name == plan.name);
        let known = old.iter().find(|seat| seat.plan.name == plan.name);
        let before = known.or(departed);
        let same = before.filter(|seat| seat.plan.address == plan.address);
        let leaver = (leaving.iter())
            .find(|seat| seat.plan.name == plan.name && seat.plan.address == plan.address)
            .filter(|_| same.is_none());
        let (orders, care) = (
            before.map(|seat| (seat.order, seat.weight, seat.plan.weight)),
            // The checker of one that departed is gone.
            known.filter(|_| same.is_some()).map(|seat| seat.care),
        );
        let orders = orders.or_else(|| self.orders.get(&plan.name).copied());
        let same = same.map(Seat::memory);
        let leaver = leaver.map(Seat::memory);
        self.forget(leaving);
        let back = (self.gone.iter())
            .position(|gone| gone.name == plan.name && gone.address == plan.address)
            .filter(|_| same.is_none());
        match same
            .or(leaver)
            .map(|memory| memory.id)
            .or(back.map(|place| self.gone.remove(place).id))
        {
            Some(expected) => assert_eq!(id, expected, "{} is not the one it was", plan.name),
            None => assert!(
                self.counts.insert(id, Count::default()).is_none(),
                "{} is another's successor: {id:?}, before {:?}, leaving {:?}",
                plan.name,
                old.iter()
                    .map(|seat| (seat.id, seat.is_on_offer()))
                    .collect::<Vec<_>>(),
                leaving.iter().map(|seat| seat.id).collect::<Vec<_>>(),
            ),
        }
        let health = match (&self.plan.probe, same.or(leaver)) {
            (None, _) => Health::Up,
            (Some(_), Some(same)) => same.health,
            (Some(_), None) => Health::Unknown,
        };
        let kept = orders.filter(|(_, _, planned)| *planned == plan.weight);
        Seat {
            id,
            plan: Arc::clone(plan),
            listed: false,
            weight: kept.map_or(plan.weight, |(_, weight, _)| weight),
            order: orders.map_or(Order::Ready, |(order, _, _)| order),
            health,
            care: care.unwrap_or(Care::new(health)),
            standing: (same.or(leaver)).map_or(Standing::Waiting, |memory| memory.standing),
            came_up: same.or(leaver).and_then(|memory| memory.came_up),
        }
    }

    /// A removed server without sessions is nobody, unless it may still get some or is remembered.
    fn forget(&mut self, leaving: &[Seat]) {
        let (counts, departed) = (&self.counts, &self.departed);
        let departed = departed.iter().map(|(_, seat)| seat);
        let remembered: Vec<ServerId> = departed.chain(leaving).map(|seat| seat.id).collect();
        let remembered = |id| remembered.contains(&id);
        (self.gone).retain(|gone| counts[&gone.id].open > 0 || remembered(gone.id));
    }
}

/// What a server that stays keeps.
#[derive(Clone, Copy)]
struct Memory {
    id: ServerId,
    health: Health,
    standing: Standing,
    came_up: Option<Instant>,
}

impl Seat {
    fn memory(&self) -> Memory {
        Memory {
            id: self.id,
            health: self.health,
            standing: self.standing,
            came_up: self.came_up,
        }
    }
}

/// Who is back sooner is what it was.
const REMEMBERED: Duration = Duration::from_secs(30);
