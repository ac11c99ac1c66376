//! Orders, reloads and time.

use std::sync::Arc;
use std::time::Duration;

use howdah::health::Verdict;
use howdah::health::machine::State;
use howdah::plan::{PoolPlan, ServerName};
use howdah::pool::{Change, Health, Order, Refused, ServerId};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, advance};

use super::{Held, World};
use crate::draw;
use crate::model::Gone;

impl World {
    pub(super) async fn order(&mut self) {
        let order = self.random.choice(ORDERS).expect("some");
        let server = self.some_name();
        self.send(Change::Order {
            server: server.clone(),
            order,
        })
        .await
        .expect("a member");
        self.model.obey(&server, order);
        self.model.changed();
    }

    pub(super) async fn weight(&mut self) {
        let weight = self.random.u16(1..=10);
        let server = self.some_name();
        self.send(Change::Weight {
            server: server.clone(),
            weight,
        })
        .await
        .expect("a member");
        self.model.seat(&server).expect("a member").weight = weight;
        self.model.changed();
    }

    /// One or several changes of the file at once, or the former file again.
    pub(super) async fn reload(&mut self) {
        let former = self.former.take().filter(|_| self.random.u8(..3) == 0);
        let before = PoolPlan::clone(&self.model.plan);
        let mut plan = former.unwrap_or_else(|| draw::change(&before, &mut self.random));
        while self.random.u8(..3) == 0 {
            plan = draw::change(&plan, &mut self.random);
        }
        let probed = before.probe.is_some() == plan.probe.is_some();
        self.former = Some(before);
        let plan = Arc::new(plan);
        self.send(Change::Plan(Arc::clone(&plan)))
            .await
            .expect("a keeper");
        let snapshot = Arc::clone(&self.pool.load());
        self.model.replan(plan, &snapshot, Instant::now());
        drop(snapshot);
        self.meet(!probed);
    }

    /// Checkers begin for members that are new, or for all.
    pub(super) fn meet(&mut self, all: bool) {
        for seat in &mut self.model.seats {
            let new = (State::new(seat.health), Verdict::Up);
            if all {
                seat.row = None;
                let state = self.states.entry(seat.id).or_insert(new);
                state.0 = new.0;
            } else {
                // A server that comes back has lost its health, and so its streak.
                let known = self.states.entry(seat.id).or_insert(new);
                if seat.row.is_none() {
                    known.0 = new.0;
                }
            }
        }
    }

    /// The clock moves, and the keeper acts if its own time has come.
    pub(crate) async fn pass(&mut self, time: Duration) {
        advance(time).await;
        while self.model.is_about_to_dismiss(Instant::now()) {
            advance(Duration::from_millis(1)).await;
        }
        for _ in 0..4 {
            yield_now().await;
        }
        self.model.dismiss(Instant::now());
    }

    /// Milliseconds to hours; then what must be gone goes, as `app` cuts it.
    pub(super) async fn time_passes(&mut self) {
        let most = self
            .random
            .choice([1, 1000, 60_000, 7_200_000])
            .expect("some");
        let millis = self.random.u64(..=most);
        self.tell(|| format!("{millis} ms pass"));
        self.pass(Duration::from_millis(millis)).await;
        let now = Instant::now();
        let due: Vec<ServerId> = (self.model.gone.iter())
            .filter(|gone| gone.retire_at <= now)
            .map(|gone| gone.id)
            .collect();
        let (cut, kept) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| due.contains(&held.server));
        self.held = kept;
        Vec::into_iter(cut).for_each(|held: Held| self.end(held));
    }

    /// What concerns nobody changes nothing.
    pub(super) async fn strangers(&mut self) {
        let stranger = ServerName::new("server-of-another-pool");
        let order = Change::Order {
            server: stranger.clone(),
            order: Order::Ready,
        };
        assert!(matches!(
            self.send(order).await,
            Err(Refused::UnknownServer { .. })
        ));
        let server = self.some_name();
        let weight = self.random.choice([0, 257]).expect("some");
        let refused = self.send(Change::Weight { server, weight }).await;
        assert_eq!(refused, Err(Refused::Weight(weight)));
        if let Some(Gone { id, .. }) = self.model.gone.first() {
            let late = Change::Health {
                server: *id,
                health: Health::Up,
            };
            assert_eq!(
                self.send(late).await,
                Ok(()),
                "a server that left is no fault"
            );
        }
    }

    /// Orders and weights that wait together are folded together.
    pub(super) async fn burst(&mut self) {
        let mut sent = JoinSet::new();
        for _ in 0..self.random.usize(2..20) {
            let server = self.some_name();
            let change = if self.random.bool() {
                let order = self.random.choice(ORDERS).expect("some");
                self.model.obey(&server, order);
                Change::Order { server, order }
            } else {
                let weight = self.random.u16(1..=10);
                self.model.seat(&server).expect("a member").weight = weight;
                Change::Weight { server, weight }
            };
            let pool = Arc::clone(&self.pool);
            sent.spawn(async move { pool.send(change).await });
        }
        self.model.changed();
        while let Some(answer) = sent.join_next().await {
            assert_eq!(answer.expect("no panic"), Ok(()));
        }
        self.tell(|| "a burst of orders".to_owned());
    }

    /// From whatever state: orders to be ready and good verdicts bring every server back, and each gets a session.
    pub(super) async fn bring_back(&mut self) {
        for place in 0..self.model.seats.len() {
            let name = self.model.seats[place].plan.name.clone();
            let order = Order::Ready;
            self.model.obey(&name, order);
            self.send(Change::Order {
                server: name,
                order,
            })
            .await
            .expect("a member");
            let rise = self.model.plan.probe.as_ref().map_or(0, |probe| probe.rise);
            for _ in 0..rise {
                self.hear(place, Verdict::Up).await;
            }
            assert_eq!(self.model.seats[place].health, Health::Up);
        }
        self.model.changed();
        self.check();
        self.end_all();
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
}

const ORDERS: [Order; 5] = [
    Order::Ready,
    Order::Ready,
    Order::Ready,
    Order::Drain,
    Order::Maintenance,
];
