//! What a reload makes of the members, and those that leave.

use std::sync::Arc;
use std::time::Duration;

use howdah::plan::{PoolPlan, ServerPlan};
use howdah::pool::{Health, Order, ServerId, Snapshot, Standing};
use tokio::time::Instant;

use super::care::Care;
use super::{Count, Gone, Model, Seat, is_just_over};

impl Model {
    /// A reload: orders and unchanged weights belong to the name, health and counters to name and address, and a server
    /// that comes back while it has sessions is the one that it was.
    pub(crate) fn replan(&mut self, plan: Arc<PoolPlan>, snapshot: &Snapshot, now: Instant) {
        let old = std::mem::take(&mut self.seats);
        let leaving = std::mem::take(&mut self.leaving);
        let asked_anew = self.plan.probe != plan.probe;
        self.plan = Arc::clone(&plan);
        assert_eq!(snapshot.members().len(), plan.servers.len());
        for (server, member) in plan.servers.iter().zip(snapshot.members()) {
            let mut seat = self.succeed(&old, &leaving, server, member.server.id());
            if asked_anew {
                seat.care = Care::new(seat.health);
            }
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
        self.changed(now);
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
        let decided = (self.seats.iter()).all(|seat| seat.health != Health::Unknown);
        if served || decided || now >= self.leave_by {
            self.leaving.clear();
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
        let kept = before.filter(|seat| seat.plan.weight == plan.weight);
        Seat {
            id,
            plan: Arc::clone(plan),
            weight: kept.map_or(plan.weight, |seat| seat.weight),
            order: before.map_or(Order::Ready, |seat| seat.order),
            health,
            care: same.map_or(Care::new(health), |seat| seat.care),
            standing: same
                .or(leaver)
                .map_or(Standing::Waiting, |seat| seat.standing),
            came_up: same.or(leaver).and_then(|seat| seat.came_up),
        }
    }

    /// A removed server without sessions is nobody.
    fn forget(&mut self) {
        let counts = &self.counts;
        self.gone.retain(|gone| counts[&gone.id].open > 0);
    }
}
