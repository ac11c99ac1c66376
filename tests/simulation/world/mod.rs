//! One life: a pool, its sessions and its probes, and one thing that happens at each step.

mod back;
mod line;
mod orders;
mod probes;
mod sessions;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use fastrand::Rng;
use howdah::health::Verdict;
use howdah::plan::{Balance, PoolPlan, ServerName, ServerPlan};
use howdah::pool::{Change, Lease, Pool, Refused, ServerId};
use howdah::telemetry::Metrics;
use tokio::time::Instant;

pub(crate) use self::line::{Ends, Line};
use self::probes::{Truth, Watch};
use crate::model::Model;
use crate::{draw, metrics};

pub(crate) struct World {
    random: Rng,
    pub(crate) pool: Arc<Pool>,
    metrics: Metrics,
    pub(crate) model: Model,
    held: Vec<Held>,
    line: Line,
    watch: Watch,
    truths: HashMap<ServerId, Truth>,
    /// For a reload that is taken back.
    former: Option<PoolPlan>,
    /// For a source that changes its mind.
    unlisted: Option<Vec<Arc<ServerPlan>>>,
    generation: u64,
    steps: u64,
    pub(crate) newest: u32,
    events: VecDeque<String>,
}

/// A session.
pub(crate) struct Held {
    lease: Lease,
    pub(crate) server: ServerId,
    /// Its client's entry in the sticky table, as the model has it.
    holds: Option<IpAddr>,
}

impl World {
    /// Call it on a runtime whose clock is paused.
    pub(crate) fn new(balance: Balance, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let plan = Arc::new(draw::plan(balance, &mut random));
        let metrics = Metrics::new();
        let (pool, keeper) = Pool::new(Arc::clone(&plan), &metrics);
        tokio::spawn(keeper.run());
        let model = Model::new(plan, &pool.load(), Instant::now());
        let mut world = Self {
            random,
            pool,
            metrics,
            model,
            held: Vec::new(),
            line: Line::default(),
            watch: Watch::default(),
            truths: HashMap::new(),
            former: None,
            unlisted: None,
            generation: 0,
            steps: 0,
            newest: 0,
            events: VecDeque::new(),
        };
        world.meet(true);
        world
    }

    pub(crate) async fn step(&mut self) {
        self.steps += 1;
        match self.random.u16(..1000) {
            0..480 => self.session(),
            480..800 => self.session_ends(),
            800..880 => self.probe().await,
            880..905 => self.truth_turns(),
            905..930 => self.order().await,
            930..945 => self.weight().await,
            945..953 => self.reloads().await,
            953..960 => self.lists().await,
            960..985 => self.time_passes().await,
            985..992 => self.strangers().await,
            _ => self.burst().await,
        }
        self.arrive();
        self.check();
        if self.steps.is_multiple_of(1000) {
            self.count_shares().await;
            self.check();
            metrics::compare(&self.metrics, &self.model, &self.line);
        }
        if self.steps.is_multiple_of(2500) {
            self.flap().await;
            self.bring_back().await;
        }
    }

    /// Every server can be brought back, every session ends, and nothing is left.
    pub(crate) async fn finish(mut self) {
        self.bring_back().await;
        self.clear();
        self.check();
        metrics::compare(&self.metrics, &self.model, &self.line);
    }

    fn check(&mut self) {
        self.settle();
        let snapshot = self.pool.load();
        self.model.compare(&snapshot);
        assert!(
            snapshot.generation() >= self.generation,
            "the generation goes back"
        );
        self.generation = snapshot.generation();
        drop(snapshot);
        let open: u32 = self.model.counts.values().map(|count| count.open).sum();
        assert_eq!(open as usize, self.held.len() + self.line.arrived());
        for gone in &self.model.gone {
            let held = self.held.iter().find(|held| held.server == gone.id);
            let Some(server) = held.map(|held| held.lease.server()) else {
                continue;
            };
            assert_eq!(
                server.retire_at(),
                gone.retire_at,
                "{} was removed",
                gone.name
            );
            assert_eq!(server.sessions_active(), self.model.counts[&gone.id].open);
        }
    }

    async fn send(&mut self, change: Change) -> Result<(), Refused> {
        self.tell(|| match &change {
            Change::Plan(plan) => {
                let names = plan
                    .servers
                    .iter()
                    .map(|server| format!("{}@{}", server.name, server.address));
                format!("reload: {}", names.collect::<Vec<_>>().join(" "))
            }
            Change::Health { server, health, .. } => format!("{server:?} {health}"),
            Change::Order { server, order, .. } => format!("{server} {order}"),
            Change::Weight { server, weight, .. } => format!("{server} weight {weight}"),
            Change::Roster(listed) => {
                let names = listed.iter().map(|server| server.name.as_str());
                format!("listed: {}", names.collect::<Vec<_>>().join(" "))
            }
            Change::Said { server, said } => format!("{server:?} {said:?}"),
            Change::Recall(_) => "recalled".to_owned(),
            Change::Close { .. } => "the pool left the file".to_owned(),
        });
        self.pool.send(change).await
    }

    fn some_name(&mut self) -> ServerName {
        let place = self.random.usize(..self.model.seats.len());
        self.model.seats[place].plan.name.clone()
    }

    fn verdict(&mut self) -> Verdict {
        self.random
            .choice([Verdict::Up, Verdict::Up, Verdict::Alive, Verdict::Down])
            .expect("some")
    }

    /// Kept for a failure's message.
    fn tell(&mut self, event: impl FnOnce() -> String) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.forget_all();
            let events: Vec<_> = self.events.drain(..).collect();
            eprintln!("the last events of this life:\n  {}", events.join("\n  "));
        }
    }
}

const EVENTS: usize = 30;
