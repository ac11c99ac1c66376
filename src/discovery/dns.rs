//! Names to addresses, A and AAAA, as the system resolves them.
//!
//! An answer that fails or is empty keeps the last good one: a name server that is away for a while must not
//! take a pool with it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::base::word::words;
use crate::plan::{Host, PoolName};
use crate::pool::{Pool, Server, ServerId};

/// The tasks that look names up, one for each pool. To drop it is to stop them.
#[derive(Default)]
pub struct Names(HashMap<PoolName, Task>);

struct Task {
    pool: Arc<Pool>,
    again: Arc<Notify>,
    handle: AbortHandle,
}

words! {
    /// What a look-up brought.
    enum Answer {
        /// Other addresses than before.
        Changed = "changed",
        /// The same, in whatever order.
        Same = "same",
        /// The name exists and has no address; the last good answer stays.
        Empty = "empty",
        /// No answer; the last good one stays.
        Failed = "failed",
    }
}

impl Names {
    /// Nobody is looked up yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks up what the present snapshot names, now and from now on: call it when a pool is new, and after each
    /// reload that changed it. Needs a tokio runtime.
    pub fn reconcile(&mut self, pool: &Arc<Pool>) {
        match self.0.get(pool.name()) {
            Some(task) if Arc::ptr_eq(&task.pool, pool) => task.again.notify_one(),
            _ => {
                self.0.insert(pool.name().clone(), Task::spawn(pool));
            }
        }
    }

    /// Stops looking up the names of a pool.
    pub fn forget(&mut self, pool: &PoolName) {
        self.0.remove(pool);
    }
}

impl Task {
    fn spawn(pool: &Arc<Pool>) -> Self {
        let again = Arc::new(Notify::new());
        let resolver = Resolver {
            pool: Arc::clone(pool),
            lookup: Arc::new(System),
            failing: HashSet::new(),
        };
        Self {
            pool: Arc::clone(pool),
            handle: tokio::spawn(resolver.run(Arc::clone(&again))).abort_handle(),
            again,
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Who is asked.
trait Lookup: Send + Sync + 'static {
    fn lookup(&self, host: &str) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// `getaddrinfo`, on a thread that may block.
struct System;

impl Lookup for System {
    async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.collect())
    }
}

/// Looks up the names of one pool.
struct Resolver<L> {
    pool: Arc<Pool>,
    lookup: Arc<L>,
    /// Whose last look-up brought nothing: said once, not every half minute.
    failing: HashSet<ServerId>,
}

impl<L: Lookup> Resolver<L> {
    async fn run(mut self, again: Arc<Notify>) {
        loop {
            self.round().await;
            let known = named(&self.pool)
                .iter()
                .all(|server| !server.addresses().is_empty());
            let pause = if known { PAUSE } else { SHORT_PAUSE };
            tokio::select! {
                () = sleep(pause.mul_f64(0.9 + 0.2 * fastrand::f64())) => {}
                () = again.notified() => {}
            }
        }
    }

    /// Every name once, a few at a time; each answer is applied when it comes.
    async fn round(&mut self) {
        let mut servers: BTreeMap<String, Vec<Arc<Server>>> = BTreeMap::new();
        for server in named(&self.pool) {
            if let Host::Name(host) = &server.address().host {
                servers.entry(host.clone()).or_default().push(server);
            }
        }
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut answers = JoinSet::new();
        for (host, servers) in servers {
            let (places, lookup) = (Arc::clone(&places), Arc::clone(&self.lookup));
            answers.spawn(async move {
                let _place = places.acquire_owned().await;
                let answer = timeout(PATIENCE, lookup.lookup(&host)).await;
                (servers, answer.unwrap_or_else(|late| Err(late.into())))
            });
        }
        while let Some(answer) = answers.join_next().await {
            if let Ok((servers, answer)) = answer {
                servers
                    .iter()
                    .for_each(|server| self.apply(server, &answer));
            }
        }
    }

    fn apply(&mut self, server: &Server, answer: &io::Result<Vec<SocketAddr>>) {
        let (result, detail) = match answer {
            Err(error) => (Answer::Failed, error.to_string()),
            Ok(found) if found.is_empty() => (Answer::Empty, "no address".to_owned()),
            Ok(found) => (settle(server, found), String::new()),
        };
        self.pool.metrics().resolved(result);
        let (pool, name) = (self.pool.name(), server.name());
        match result {
            Answer::Changed => {
                let addresses = server.addresses();
                tracing::info!(%pool, server = %name, ?addresses, "addresses changed");
                server.nudge();
            }
            Answer::Same => {}
            Answer::Empty | Answer::Failed => {
                if self.failing.insert(server.id()) {
                    let host = server.address();
                    tracing::warn!(%pool, server = %name, %host, %detail, "name does not resolve");
                }
                return;
            }
        }
        self.failing.remove(&server.id());
    }
}

/// Members of the present snapshot that are written as names.
fn named(pool: &Pool) -> Vec<Arc<Server>> {
    let snapshot = pool.load();
    let members = snapshot.members().iter().map(|member| &member.server);
    let named = |server: &&Arc<Server>| matches!(server.address().host, Host::Name(_));
    members.filter(named).cloned().collect()
}

/// Tells the server what was found, unless it is what it knows: name servers like to change the order.
fn settle(server: &Server, found: &[SocketAddr]) -> Answer {
    let mut fresh: Vec<SocketAddr> = Vec::with_capacity(found.len());
    for address in found {
        let address = SocketAddr::new(address.ip(), server.address().port);
        if !fresh.contains(&address) {
            fresh.push(address);
        }
    }
    let known = server.addresses();
    if known.len() == fresh.len() && fresh.iter().all(|one| known.contains(one)) {
        return Answer::Same;
    }
    server.set_addresses(&fresh);
    Answer::Changed
}

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(30);

/// The same while some name has never resolved.
const SHORT_PAUSE: Duration = Duration::from_secs(2);

/// For one name; a name server that is away makes `getaddrinfo` wait for long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names of a pool looked up at the same time; each takes a thread.
const AT_ONCE: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::plan::{
        Address, Balance, Dial, PoolPlan, ServerDefaults, ServerName, ServerPlan, Service, Timeouts,
    };
    use crate::telemetry::Metrics;

    type Zone = Mutex<HashMap<String, Vec<SocketAddr>>>;

    impl Lookup for Zone {
        async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
            let zone = self.lock().expect("no panic");
            let found = zone.get(host).cloned();
            found.ok_or_else(|| io::Error::other("no such name"))
        }
    }

    fn pool(hosts: &[&str]) -> Arc<Pool> {
        let server = |host: &&str| {
            Arc::new(ServerPlan {
                name: ServerName::new(host),
                address: Address {
                    host: host
                        .parse()
                        .map_or_else(|_| Host::Name((*host).to_owned()), Host::Ip),
                    port: 10_000,
                },
                weight: 1,
                max_connections: None,
                max_per_second: None,
                backup: false,
            })
        };
        let plan = PoolPlan {
            name: PoolName::new("hive"),
            discover: None,
            service: Service::TCP,
            server_defaults: ServerDefaults::of(Service::TCP),
            balance: Balance::RoundRobin,
            servers: hosts.iter().map(server).collect(),
            send_proxy: None,
            sticky: None,
            probe: None,
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
        };
        let (pool, keeper) = Pool::new(Arc::new(plan), &Metrics::new());
        tokio::spawn(keeper.run());
        pool
    }

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter()
            .map(|one| one.parse().expect("an address"))
            .collect()
    }

    fn known(pool: &Pool, place: usize) -> Vec<SocketAddr> {
        pool.load().members()[place].server.addresses().to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn good_answers_are_followed_and_bad_ones_keep_the_last_good() {
        let pool = pool(&["hs2.example.com", "127.0.0.7"]);
        let zone = Arc::new(Zone::default());
        let resolver = Resolver {
            pool: Arc::clone(&pool),
            lookup: Arc::clone(&zone),
            failing: HashSet::new(),
        };
        tokio::spawn(resolver.run(Arc::default()));
        let say = |found: &[&str]| {
            let mut zone = zone.lock().expect("no panic");
            zone.insert("hs2.example.com".to_owned(), addresses(found));
        };
        sleep(Duration::from_secs(5)).await;
        assert_eq!(known(&pool, 0), []);
        assert_eq!(known(&pool, 1), addresses(&["127.0.0.7:10000"]));

        say(&["10.0.0.1:0", "[2001:db8::1]:0", "10.0.0.1:0"]);
        sleep(SHORT_PAUSE * 2).await;
        let both = addresses(&["10.0.0.1:10000", "[2001:db8::1]:10000"]);
        assert_eq!(known(&pool, 0), both);
        let server = Arc::clone(&pool.load().members()[0].server);
        timeout(Duration::from_millis(1), server.nudged())
            .await
            .expect("a nudge");

        say(&["[2001:db8::1]:0", "10.0.0.1:0"]);
        sleep(PAUSE * 2).await;
        assert_eq!(known(&pool, 0), both, "another order is no change");
        timeout(Duration::from_millis(1), server.nudged())
            .await
            .expect_err("no nudge");

        say(&[]);
        sleep(PAUSE * 2).await;
        assert_eq!(known(&pool, 0), both, "an empty answer");
        zone.lock().expect("no panic").clear();
        sleep(PAUSE * 2).await;
        assert_eq!(known(&pool, 0), both, "no answer");

        say(&["10.0.0.2:0"]);
        sleep(PAUSE * 2).await;
        assert_eq!(known(&pool, 0), addresses(&["10.0.0.2:10000"]));
    }

    #[tokio::test]
    async fn the_system_knows_localhost() {
        let pool = pool(&["localhost"]);
        let mut names = Names::new();
        names.reconcile(&pool);
        let server = Arc::clone(&pool.load().members()[0].server);
        timeout(PATIENCE, server.nudged()).await.expect("an answer");
        assert!(
            server
                .addresses()
                .iter()
                .all(|one| one.ip().is_loopback() && one.port() == 10_000)
        );
    }
}
