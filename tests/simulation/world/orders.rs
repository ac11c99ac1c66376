//! Orders, reloads and time.

use std::sync::Arc;
use std::time::Duration;

use howdah::plan::{PoolPlan, ServerName};
use howdah::pool::{Change, Health, Order, Origin, Refused, ServerId};
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
            given: Origin::by("simulation"),
        })
        .await
        .expect("a member");
        self.model.obey(&server, order);
        self.model.changed(Instant::now());
        self.settle();
    }

    pub(super) async fn weight(&mut self) {
        let weight = self.random.u16(1..=10);
        let server = self.some_name();
        self.set_weight(server, weight).await;
    }

    async fn set_weight(&mut self, server: ServerName, weight: u16) {
        self.send(Change::Weight {
            server: server.clone(),
            weight,
            given: Origin::by("simulation"),
        })
        .await
        .expect("a member");
        self.model.seat(&server).expect("a member").weight = weight;
        self.model.changed(Instant::now());
        self.settle();
    }

    /// What replaces all servers is often taken back at once.
    pub(super) async fn reloads(&mut self) {
        self.reload(3).await;
        if self.model.has_leavers() && self.random.bool() {
            self.reload(1).await;
        }
    }

    /// One or several changes of the file at once, or in one of `odds` the former file again.
    async fn reload(&mut self, odds: u8) {
        let former = self.former.take().filter(|_| self.random.u8(..odds) == 0);
        let before = PoolPlan::clone(&self.model.plan);
        let mut plan = former.unwrap_or_else(|| draw::change(&before, &mut self.random));
        while self.random.u8(..3) == 0 {
            plan = draw::change(&plan, &mut self.random);
        }
        let asked_anew = before.probe != plan.probe;
        self.former = Some(before);
        let plan = Arc::new(plan);
        self.send(Change::Plan(Arc::clone(&plan)))
            .await
            .expect("a keeper");
        let snapshot = Arc::clone(&self.pool.load());
        self.model.replan(plan, &snapshot, Instant::now());
        drop(snapshot);
        self.settle();
        self.meet(asked_anew);
    }

    /// A source lists others, or those that it listed before it changed its mind. Where the plan names none, nobody hears it.
    pub(super) async fn lists(&mut self) {
        let before = self.model.roster.clone();
        let taken_back = self.unlisted.take().filter(|_| self.random.bool());
        let roster = taken_back.unwrap_or_else(|| draw::roster(&self.model.plan, &mut self.random));
        self.unlisted = Some(before);
        let sent = self.send(Change::Roster(roster.clone())).await;
        sent.expect("a keeper");
        if self.model.plan.discover.is_some() {
            let snapshot = Arc::clone(&self.pool.load());
            self.model.enroll(roster, &snapshot, Instant::now());
        }
        self.settle();
        self.meet(false);
    }

    /// The clock moves, and the keeper acts if its own time has come.
    pub(crate) async fn pass(&mut self, time: Duration) {
        let waited = self.line.len() > 0;
        advance(time).await;
        while self.is_on_the_edge(Instant::now()) {
            advance(Duration::from_millis(1)).await;
        }
        for _ in 0..4 {
            yield_now().await;
        }
        self.model.dismiss(Instant::now());
        self.model.changed(Instant::now());
        self.settle();
        if waited {
            self.look_up().await;
        }
    }

    /// Who waited may have looked into the sticky table meanwhile: now somebody has, so that it is known what is forgotten.
    async fn look_up(&mut self) {
        if self.line.len() > 0 {
            let seat = &self.model.seats[0];
            let (name, weight) = (seat.plan.name.clone(), seat.weight % 10 + 1);
            self.set_weight(name, weight).await;
            self.model.looked_up(Instant::now());
        } else {
            let client = draw::client(&mut self.random);
            let held = self.choose(client, &[]);
            held.into_iter().for_each(|held| self.end(held));
        }
    }

    /// Whether a timer may or may not have found its time over.
    fn is_on_the_edge(&self, now: Instant) -> bool {
        self.model.is_about_to_dismiss(now)
            || self.model.is_about_to_forget(now)
            || self.model.is_about_to_grow(now)
            || self.line.is_about_to_end(now)
    }

    /// Milliseconds to hours.
    pub(super) async fn time_passes(&mut self) {
        let most = self
            .random
            .choice([1, 1000, 1000, 60_000, 60_000, 60_000, 7_200_000])
            .expect("some");
        let millis = self.random.u64(..=most);
        self.tell(|| format!("{millis} ms pass"));
        self.pass_and_cut(Duration::from_millis(millis)).await;
    }

    /// What must be gone goes, as `app` cuts it.
    pub(super) async fn pass_and_cut(&mut self, time: Duration) {
        self.pass(time).await;
        let now = Instant::now();
        let due: Vec<ServerId> = (self.model.gone.iter())
            .filter(|gone| gone.retire_at.is_some_and(|at| at <= now))
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
            given: Origin::by("simulation"),
        };
        assert!(matches!(
            self.send(order).await,
            Err(Refused::UnknownServer { .. })
        ));
        let server = self.some_name();
        let weight = self.random.choice([0, 257]).expect("some");
        let refused = self
            .send(Change::Weight {
                server,
                weight,
                given: Origin::by("simulation"),
            })
            .await;
        assert_eq!(refused, Err(Refused::Weight(weight)));
        if let Some(Gone { id, .. }) = self.model.gone.first() {
            let late = Change::Health {
                server: *id,
                health: Health::Up,
                role: None,
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
                Change::Order {
                    server,
                    order,
                    given: Origin::by("simulation"),
                }
            } else {
                let weight = self.random.u16(1..=10);
                self.model.seat(&server).expect("a member").weight = weight;
                Change::Weight {
                    server,
                    weight,
                    given: Origin::by("simulation"),
                }
            };
            let pool = Arc::clone(&self.pool);
            sent.spawn(async move { pool.send(change).await });
        }
        self.model.changed(Instant::now());
        while let Some(answer) = sent.join_next().await {
            assert_eq!(answer.expect("no panic"), Ok(()));
        }
        self.settle();
        self.tell(|| "a burst of orders".to_owned());
    }
}

const ORDERS: [Order; 5] = [
    Order::Ready,
    Order::Ready,
    Order::Ready,
    Order::Drain,
    Order::Maintenance,
];
