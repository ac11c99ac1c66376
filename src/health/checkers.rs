//! Who is watched: starts and stops a checker for each server of each pool.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cap::Cap;
use super::checker::{Asker, Checker};
use super::command::Programs;
use super::probe::{Means, ProbeMemory};
use super::tasks::Tasks;
use super::{Effort, Endpoint, Finding, Reason, Verdict, host, pace, probe};
use crate::base::caught::caught;
use crate::plan::{Ask, PoolName, PoolPlan, ProbePlan};
use crate::pool::{Health, Member, Pool, Server};

/// All checkers of this process. To drop it is to stop them.
pub struct Checkers {
    pools: HashMap<PoolName, Watch>,
    programs: Programs,
    epoch: Instant,
}

/// The checkers of one pool, all under the same plan.
struct Watch {
    pool: Arc<Pool>,
    plan: Arc<PoolPlan>,
    prober: Arc<Prober>,
    cap: Arc<Cap>,
    tasks: Tasks,
}

impl Checkers {
    /// Nobody is watched yet; `programs` run what probes of type command ask.
    pub fn new(programs: Programs) -> Self {
        Self {
            pools: HashMap::new(),
            programs,
            epoch: Instant::now(),
        }
    }

    /// Brings the checkers in line with the present snapshot: call it when a pool is new, and after each reload
    /// that changed it. Checkers of servers and probes that did not change go on undisturbed; where the
    /// probe changed, new ones begin with the health that is known. Needs a tokio runtime.
    pub fn reconcile(&mut self, pool: &Arc<Pool>) {
        let snapshot = pool.load();
        let Some(probe) = &snapshot.plan().probe else {
            self.forget(pool.name());
            return;
        };
        let alike = |watch: &Watch| {
            Arc::ptr_eq(&watch.pool, pool) && asks_alike(&watch.plan, snapshot.plan())
        };
        if !self.pools.get(pool.name()).is_some_and(alike) {
            let prober = Prober::new(Arc::clone(snapshot.plan()), probe, self.programs.clone());
            let watch = Watch::new(pool, snapshot.plan(), prober);
            self.pools.insert(pool.name().clone(), watch);
        }
        if let Some(watch) = self.pools.get_mut(pool.name()) {
            watch.follow(snapshot.members(), probe, self.epoch);
        }
    }

    /// Stops the checkers of a pool.
    pub fn forget(&mut self, pool: &PoolName) {
        self.pools.remove(pool);
    }
}

/// Whether two plans put the same question in the same way.
fn asks_alike(one: &PoolPlan, other: &PoolPlan) -> bool {
    one.probe == other.probe && one.send_proxy == other.send_proxy
}

impl Watch {
    fn new(pool: &Arc<Pool>, plan: &Arc<PoolPlan>, prober: Prober) -> Self {
        Self {
            pool: Arc::clone(pool),
            plan: Arc::clone(plan),
            prober: Arc::new(prober),
            cap: Arc::default(),
            tasks: Tasks::default(),
        }
    }

    fn follow(&mut self, members: &[Member], probe: &ProbePlan, epoch: Instant) {
        let (pool, asker, cap) = (&self.pool, &self.prober, &self.cap);
        self.tasks.follow(members, |member, count| {
            let watched = Watched {
                pool: Arc::clone(pool),
                server: Arc::clone(&member.server),
                plan: probe.clone(),
                asker: Arc::clone(asker),
                cap: Arc::clone(cap),
                epoch,
            };
            let delay = pace::first(count, fastrand::f64());
            // What a former howdah found is no verdict of this one: its first answer decides.
            let known = if member.is_judged() {
                member.health
            } else {
                Health::Unknown
            };
            watched.watch(known, delay)
        });
    }
}

/// What a checker is made from, so that another can follow one that failed.
struct Watched<A> {
    pool: Arc<Pool>,
    server: Arc<Server>,
    plan: ProbePlan,
    asker: Arc<A>,
    cap: Arc<Cap>,
    epoch: Instant,
}

impl<A: Asker> Watched<A> {
    /// Until the pool stops. A checker that panics is a fault of ours, and must not freeze the health of its server:
    /// another goes on with what is known.
    async fn watch(self, mut health: Health, mut delay: Duration) {
        while let Err(panic) = caught(self.checker(health).run(delay)).await {
            let (pool, server) = (self.pool.name(), self.server.name());
            tracing::error!(%pool, %server, %panic, "a checker failed; another takes over");
            self.server.metrics().checker_failed();
            let known = self
                .pool
                .load()
                .seat(self.server.id())
                .filter(|own| own.is_judged())
                .map(|own| own.health);
            health = known.unwrap_or(health);
            delay = pace::least(&self.plan).max(AFTER_PANIC);
        }
    }

    fn checker(&self, health: Health) -> Checker<A> {
        Checker::new(
            Arc::clone(&self.pool),
            Arc::clone(&self.server),
            health,
            self.plan.clone(),
            Arc::clone(&self.asker),
            self.epoch,
            Arc::clone(&self.cap),
        )
    }
}

impl Default for Checkers {
    fn default() -> Self {
        Self::new(Programs::default())
    }
}

/// Puts a pool's question to its servers.
struct Prober {
    plan: Arc<PoolPlan>,
    /// What the question needs, or why there is no such thing.
    means: Result<Means, String>,
    programs: Programs,
}

impl Prober {
    fn new(plan: Arc<PoolPlan>, probe: &ProbePlan, programs: Programs) -> Self {
        Self {
            means: Means::new(probe).map_err(|error| error.to_string()),
            plan,
            programs,
        }
    }
}

impl Asker for Prober {
    async fn ask(&self, server: &Server, effort: Effort, memory: &mut ProbeMemory) -> Finding {
        let addresses = server.addresses();
        if addresses.is_empty() {
            return unresolved(server);
        }
        let (Some(probe), Ok(means)) = (&self.plan.probe, &self.means) else {
            let why = self.means.as_ref().err().cloned();
            return unasked(Reason::Unusable, "prepare", why.unwrap_or_default());
        };
        let host = host(server);
        if let Ask::Command(command) = &probe.ask {
            let who = (self.plan.name.as_str(), server.name().as_str());
            let port = probe.port.unwrap_or(server.address().port);
            let place = (&*host, port);
            return self.programs.ask(command, who, place, probe.timeout).await;
        }
        let endpoint = self.endpoint(&addresses, &host);
        probe::ask(&endpoint, probe, effort, means, memory).await
    }

    async fn knock(&self, server: &Server) -> Finding {
        let addresses = server.addresses();
        match &self.plan.probe {
            Some(probe) if !addresses.is_empty() => {
                probe::knock(&self.endpoint(&addresses, &host(server)), probe).await
            }
            _ => unresolved(server),
        }
    }
}

impl Prober {
    fn endpoint<'a>(&self, addresses: &'a [SocketAddr], host: &'a str) -> Endpoint<'a> {
        Endpoint {
            addresses,
            host,
            send_proxy: self.plan.send_proxy,
        }
    }
}

fn unresolved(server: &Server) -> Finding {
    let detail = format!("{} has no address yet", server.address());
    unasked(Reason::ResolveFailed, "resolve", detail)
}

fn unasked(reason: Reason, step: &'static str, detail: String) -> Finding {
    Finding {
        verdict: Verdict::Down,
        reason,
        step,
        detail,
        role: None,
        steps: Vec::new(),
        took: Duration::ZERO,
        logs_error: false,
    }
}

/// Before a checker takes over from one that failed, which may fail again.
const AFTER_PANIC: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;

    use tokio::net::TcpListener;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::plan::{
        Address, Balance, Dial, Host, ServerDefaults, ServerName, ServerPlan, Service, Timeouts,
    };
    use crate::pool::Change;
    use crate::telemetry::Metrics;

    const PATIENCE: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(10);

    fn plan(servers: &[(&str, SocketAddr)], interval: Option<Duration>) -> Arc<PoolPlan> {
        let server = |(name, at): &(&str, SocketAddr)| {
            Arc::new(ServerPlan {
                name: ServerName::new(name),
                address: Address {
                    host: Host::Ip(at.ip()),
                    port: at.port(),
                },
                weight: 1,
                max_connections: None,
                max_per_second: None,
                backup: false,
            })
        };
        let probe = |interval| ProbePlan {
            ask: Ask::Tcp,
            port: None,
            tls: None,
            kerberos: None,
            interval,
            fast_interval: SHORT,
            deep_interval: PATIENCE,
            timeout: PATIENCE,
            rise: 1,
            fall: 2,
            observe: crate::plan::ObservePlan::DEFAULT,
        };
        Arc::new(PoolPlan {
            name: PoolName::new("hive"),
            discover: None,
            service: Service::TCP,
            server_defaults: ServerDefaults::of(Service::TCP),
            balance: Balance::RoundRobin,
            servers: servers.iter().map(server).collect(),
            send_proxy: None,
            sticky: None,
            probe: interval.map(probe),
            tls: None,
            timeouts: Timeouts {
                connect: PATIENCE,
                idle: PATIENCE,
                half_close: PATIENCE,
                udp_idle: PATIENCE,
                udp_responses: None,
                keepalive: PATIENCE,
                first_byte: PATIENCE,
            },
            queue: crate::plan::QueuePlan::default(),
            care: crate::plan::CarePlan::DEFAULT,
            load: None,
            dial: Dial::Late,
            drain_timeout: PATIENCE,
        })
    }

    async fn until(what: &str, mut done: impl FnMut() -> bool) {
        let wait = async {
            while !done() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("{what} did not come"));
    }

    fn health(pool: &Pool, place: usize) -> Health {
        pool.load().members()[place].health
    }

    fn asked_at(server: &Server) -> Option<SystemTime> {
        server.last_probe().map(|last| last.at)
    }

    #[tokio::test]
    async fn checkers_follow_the_plan() {
        let living = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let here = living.local_addr().expect("bound");
        let gone = TcpListener::bind("127.0.53.24:0").await.expect("a port");
        let there = gone.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok(peer) = living.accept().await {
                drop(peer)
            }
        });
        let tasks = |checkers: &Checkers| {
            checkers
                .pools
                .values()
                .map(|one| one.tasks.len())
                .sum::<usize>()
        };

        let both = plan(&[("a", here), ("b", there)], Some(SHORT));
        let (pool, keeper) = Pool::new(Arc::clone(&both), &Metrics::new());
        tokio::spawn(keeper.run());
        let mut checkers = Checkers::default();
        checkers.reconcile(&pool);
        until("up", || {
            health(&pool, 0) == Health::Up && health(&pool, 1) == Health::Up
        })
        .await;
        drop(gone);
        until("down", || health(&pool, 1) == Health::Down).await;
        let a = Arc::clone(&pool.load().members()[0].server);

        // b leaves: its checker ends, that of a goes on.
        let first = checkers
            .pools
            .values()
            .next()
            .map(|one| Arc::clone(&one.prober));
        let send = |plan| pool.send(Change::Plan(plan));
        send(plan(&[("a", here)], Some(SHORT)))
            .await
            .expect("a keeper");
        checkers.reconcile(&pool);
        let second = checkers
            .pools
            .values()
            .next()
            .map(|one| Arc::clone(&one.prober));
        assert_eq!(tasks(&checkers), 1);
        assert!(
            first
                .zip(second)
                .is_some_and(|(one, other)| Arc::ptr_eq(&one, &other))
        );

        // Another interval: another checker, the same health.
        send(plan(&[("a", here)], Some(SHORT * 2)))
            .await
            .expect("a keeper");
        checkers.reconcile(&pool);
        assert_eq!((tasks(&checkers), health(&pool, 0)), (1, Health::Up));
        let before = asked_at(&a);
        until("a further question", || asked_at(&a) > before).await;

        // No probe: nobody asks, all count as up.
        send(plan(&[("a", here), ("b", there)], None))
            .await
            .expect("a keeper");
        checkers.reconcile(&pool);
        assert_eq!((tasks(&checkers), health(&pool, 1)), (0, Health::Up));
    }

    #[tokio::test]
    async fn the_first_answer_decides_whatever_a_former_howdah_found() {
        let living = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let here = living.local_addr().expect("bound");
        let mut slow = PoolPlan::clone(&plan(&[("a", here)], Some(60 * PATIENCE)));
        if let Some(probe) = &mut slow.probe {
            (probe.rise, probe.fast_interval) = (5, 60 * PATIENCE);
        }
        let (pool, keeper) = Pool::new(Arc::new(slow), &Metrics::new());
        tokio::spawn(keeper.run());
        let known = serde_json::json!({"verdicts": [{
            "server": "a", "address": here.to_string(), "health": "down", "lasted": 0
        }]});
        let known = serde_json::from_value(known).expect("a memory");
        let recalled = pool.recall(known, Duration::ZERO, "a test").await;
        assert_eq!(recalled.map(|count| count.verdicts), Ok(1));
        assert_eq!(health(&pool, 0), Health::Down);
        let mut checkers = Checkers::default();
        checkers.reconcile(&pool);
        until("up by one answer", || health(&pool, 0) == Health::Up).await;
    }

    /// Panics at its first question, and answers up after that.
    struct Clumsy(AtomicU32);

    impl Asker for Clumsy {
        async fn ask(&self, _: &Server, _: Effort, _: &mut ProbeMemory) -> Finding {
            let asked = self.0.fetch_add(1, Ordering::Relaxed);
            assert_ne!(asked, 1, "the second question");
            Finding {
                verdict: match asked {
                    0 => Verdict::Up,
                    _ => Verdict::Down,
                },
                ..unasked(Reason::Ok, "connect", String::new())
            }
        }

        async fn knock(&self, server: &Server) -> Finding {
            unresolved(server)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_checker_that_panics_does_not_freeze_the_health_of_its_server() {
        let here = "127.0.0.1:10000".parse().expect("an address");
        let plan = plan(&[("a", here)], Some(SHORT));
        let metrics = Metrics::new();
        let (pool, keeper) = Pool::new(Arc::clone(&plan), &metrics);
        tokio::spawn(keeper.run());
        let watched = Watched {
            server: Arc::clone(&pool.load().members()[0].server),
            pool: Arc::clone(&pool),
            plan: plan.probe.clone().expect("a probe"),
            asker: Arc::new(Clumsy(AtomicU32::new(0))),
            cap: Arc::default(),
            epoch: Instant::now(),
        };
        let asker = Arc::clone(&watched.asker);
        tokio::spawn(watched.watch(Health::Unknown, Duration::ZERO));
        until("the first verdict", || health(&pool, 0) == Health::Up).await;
        until("the panic", || asker.0.load(Ordering::Relaxed) == 2).await;
        assert_eq!(health(&pool, 0), Health::Up, "as it was");
        until("another checker's verdict", || {
            health(&pool, 0) == Health::Down
        })
        .await;
        let line = "howdah_health_panics_total{pool=\"hive\",server=\"a\"} 1";
        assert!(metrics.render().contains(line), "{}", metrics.render());
    }
}
