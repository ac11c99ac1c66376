//! From everywhere back into service: no state is a dead end.

use std::time::Duration;

use howdah::health::Verdict;
use howdah::pool::{Change, Health, Order, Origin, ServerId};
use tokio::time::Instant;

use super::World;
use crate::draw;

impl World {
    /// From whatever state: orders to be ready and good verdicts bring every server back, and each gets a session.
    pub(super) async fn bring_back(&mut self) {
        for place in 0..self.model.seats.len() {
            let name = self.model.seats[place].plan.name.clone();
            let order = Order::Ready;
            self.model.obey(&name, order);
            self.send(Change::Order {
                server: name,
                order,
                given: Origin::by("simulation"),
            })
            .await
            .expect("a member");
            self.model.changed(Instant::now());
            self.settle();
            self.heal(place).await;
        }
        self.check();
        self.clear();
        let all: Vec<ServerId> = self.model.seats.iter().map(|seat| seat.id).collect();
        for id in &all {
            let others: Vec<ServerId> = all.iter().copied().filter(|other| other != id).collect();
            let client = draw::client(&mut self.random);
            let held = self.choose(client, &others);
            assert_eq!(
                held.as_ref().map(|held| held.server).ok(),
                Some(*id),
                "{id:?} is not back"
            );
            if let Ok(held) = held {
                self.end(held);
            }
        }
    }

    /// One falls again and again, and comes back each time, later and later.
    pub(super) async fn flap(&mut self) {
        let place = self.random.usize(..self.model.seats.len());
        let Some(probe) = self.model.plan.probe.clone() else {
            return;
        };
        for _ in 0..self.random.u8(..12) {
            for _ in 0..probe.fall {
                self.hear(place, Verdict::Down).await;
            }
            self.heal(place).await;
            let longest = 11 * probe.observe.quarantine.as_millis() as u64;
            let holds = Duration::from_millis(self.random.u64(..=longest / 4));
            self.pass_and_cut(holds).await;
        }
    }

    /// Good verdicts, and time where it is in quarantine: at most 32 times the first.
    async fn heal(&mut self, place: usize) {
        let Some(probe) = self.model.plan.probe.clone() else {
            return;
        };
        let id = self.model.seats[place].id;
        for _ in 0..3 {
            for _ in 0..probe.rise {
                self.hear(place, Verdict::Up).await;
            }
            if self.model.seats[place].health == Health::Up {
                return;
            }
            let due = self.watch.due(id).expect("it is kept out for a time");
            let stay = due - Instant::now();
            assert!(stay <= probe.observe.quarantine * 32, "{stay:?}");
            self.pass_and_cut(stay).await;
        }
        panic!("{id:?} does not come back");
    }
}
