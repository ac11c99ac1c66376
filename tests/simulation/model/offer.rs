//! Who is on offer, and with which weight: ranks, panic and slow start.

use std::time::Duration;

use howdah::pool::{Health, Order, ServerId, Standing};
use tokio::time::Instant;

use super::{Model, Seat};

impl Model {
    /// The pool looks at its servers, as it does at each change.
    pub(crate) fn stand(&mut self, now: Instant) {
        // The first verdicts after a start are not meant.
        let young = now - self.created_at < self.plan.care.slow_start;
        for seat in self.seats.iter_mut().chain(&mut self.leaving) {
            let before = seat.standing;
            seat.standing = Standing::of(seat.order, seat.health, false);
            let was_there = before.is_on_offer() || young && before == Standing::Waiting;
            if !seat.is_on_offer() {
                seat.came_up = None;
            } else if !was_there {
                seat.came_up = Some(now);
            }
        }
    }

    /// Who takes sessions now: the first rank, or the backups when nobody else is up.
    pub(crate) fn side(&self) -> Vec<ServerId> {
        let first = self.rank(false);
        if first.is_empty() {
            self.rank(true)
        } else {
            first
        }
    }

    /// Those that are up, and in panic those that are down.
    pub(super) fn rank(&self, backup: bool) -> Vec<ServerId> {
        let panic = self.is_panic();
        let takes = |seat: &&Seat| {
            seat.is_on_offer() || panic && seat.order == Order::Ready && seat.health == Health::Down
        };
        let rank = self.serving().filter(|seat| seat.plan.backup == backup);
        rank.filter(takes).map(|seat| seat.id).collect()
    }

    /// Fewer are up than the threshold, of those that are up or down and under no order; and no backup helps.
    pub(crate) fn is_panic(&self) -> bool {
        let count = |backup, health| {
            let all = self.serving().filter(|seat| seat.plan.backup == backup);
            all.filter(|seat| seat.order == Order::Ready && seat.health == health)
                .count()
        };
        let (up, down) = (count(false, Health::Up), count(false, Health::Down));
        let helped = up == 0 && count(true, Health::Up) > 0;
        up * 100 < (up + down) * usize::from(self.plan.care.panic_threshold) && !helped
    }

    /// What balancers compare, each weight in sixteenths.
    pub(crate) fn weigh(&self, id: ServerId, now: Instant) -> u64 {
        let seat = self.by_id(id);
        u64::from(seat.weight) * u64::from(self.step(seat, now))
    }

    pub(crate) fn weigh_whole(&self, id: ServerId) -> u64 {
        self.by_id(id).weight.into()
    }

    /// Whether the share of somebody on offer grows.
    pub(crate) fn is_growing(&self, now: Instant) -> bool {
        let offered = self.side();
        let mut seats = self.serving().filter(|seat| offered.contains(&seat.id));
        seats.any(|seat| self.step(seat, now) < STEPS)
    }

    /// Whether a timer, which counts whole milliseconds, may or may not have found somebody's next step.
    pub(crate) fn is_about_to_grow(&self, now: Instant) -> bool {
        let slow_start = self.plan.care.slow_start;
        let steps = (self.serving().filter_map(|seat| seat.came_up))
            .flat_map(|at| (1..=STEPS).map(move |step| at + slow_start * step / STEPS));
        slow_start > Duration::ZERO && steps.into_iter().any(|at| super::is_just_over(at, now))
    }

    /// In sixteen steps over `slow_start`.
    fn step(&self, seat: &Seat, now: Instant) -> u32 {
        let slow_start = self.plan.care.slow_start;
        let Some(age) = seat
            .came_up
            .map(|at| now - at)
            .filter(|age| *age < slow_start)
        else {
            return STEPS;
        };
        1 + (age.as_millis() * u128::from(STEPS) / slow_start.as_millis()) as u32
    }

    /// Those of the file, and those that leave and serve on.
    pub(super) fn serving(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().chain(&self.leaving)
    }

    pub(super) fn by_id(&self, id: ServerId) -> &Seat {
        self.serving().find(|seat| seat.id == id).expect("a member")
    }
}

const STEPS: u32 = 16;
