//! A random case: a listener, a pool or two, what was ordered, who is there already, and who comes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fastrand::Rng;

use crate::plan::{Balance, QueuePlan, SourcePlan, StickyPlan};
use crate::pool::{Health, Order};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) allow: Vec<String>,
    pub(super) deny: Vec<String>,
    pub(super) proxies: Vec<String>,
    pub(super) most: Option<u32>,
    pub(super) rate: Option<u32>,
    pub(super) process_most: Option<u32>,
    pub(super) source: SourcePlan,
    /// Pattern and pool.
    pub(super) routes: Vec<(&'static str, usize)>,
    pub(super) default: Option<usize>,
    pub(super) pools: Vec<PoolCase>,
    pub(super) before: Vec<Visit>,
    pub(super) comes: Visit,
}

#[derive(Clone, Debug)]
pub(super) struct PoolCase {
    pub(super) balance: Balance,
    pub(super) sticky: Option<StickyPlan>,
    pub(super) queue: QueuePlan,
    pub(super) panic_threshold: u8,
    pub(super) servers: Vec<ServerCase>,
}

#[derive(Clone, Debug)]
pub(super) struct ServerCase {
    pub(super) weight: u16,
    pub(super) most: Option<u32>,
    pub(super) rate: Option<u32>,
    pub(super) backup: bool,
    pub(super) order: Order,
    pub(super) health: Health,
    pub(super) refuses: bool,
    /// Of an answer, as a session saw it.
    pub(super) took: Duration,
}

/// One session.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) client: IpAddr,
    pub(super) via: Option<IpAddr>,
    pub(super) sni: Option<&'static str>,
    pub(super) stays: bool,
}

impl Case {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let r = &mut random;
        let pools = r.usize(1..=2);
        let routes = match r.u8(..3) {
            0 => (0..r.usize(1..=2))
                .map(|_| (NAMES[r.usize(..NAMES.len())], r.usize(..pools)))
                .collect(),
            _ => Vec::new(),
        };
        let has_default = routes.is_empty() || r.bool();
        let proxies = one_in(r, 4, |_| "10.0.9.0/24".to_owned());
        let deny = (0..some(r, 3)).map(|_| network(r)).collect();
        let allow = (0..some(r, 3)).map(|_| network(r)).collect();
        let visits = r.usize(..7);
        Self {
            allow,
            deny,
            most: one_in(r, 8, |r| r.u32(1..5)),
            rate: one_in(r, 12, |r| r.u32(1..4)),
            process_most: one_in(r, 12, |r| r.u32(1..5)),
            source: SourcePlan {
                max_connections: one_in(r, 8, |r| r.u32(1..3)),
                max_per_second: one_in(r, 12, |r| r.u32(1..3)),
            },
            default: has_default.then(|| r.usize(..pools)),
            pools: (0..pools).map(|_| PoolCase::draw(r)).collect(),
            before: (0..visits)
                .map(|_| Visit::draw(r, &proxies, &routes))
                .collect(),
            comes: Visit::draw(r, &proxies, &routes),
            proxies: proxies.into_iter().collect(),
            routes,
        }
    }
}

impl Case {
    /// The least time in which a bound on new sessions in a second lets another in; `None`: there is no such bound.
    pub(super) fn token(&self) -> Option<Duration> {
        let servers = self.pools.iter().flat_map(|pool| &pool.servers);
        let rates = servers.map(|server| server.rate);
        let rates = rates.chain([self.rate, self.source.max_per_second]);
        rates
            .flatten()
            .max()
            .map(|most| Duration::from_secs(1) / most)
    }
}

impl PoolCase {
    fn draw(r: &mut Rng) -> Self {
        let balances = [
            Balance::RoundRobin,
            Balance::LeastConnection,
            Balance::ResponseTime,
            Balance::Random,
            Balance::SourceHash,
        ];
        let sticky = one_in(r, 2, |r| StickyPlan {
            ttl: Duration::from_secs(60),
            max_entries: r.usize(1..4),
        });
        Self {
            balance: balances[r.usize(..balances.len())],
            sticky,
            queue: QueuePlan {
                most: r.usize(..3),
                patience: Duration::from_millis(20),
            },
            panic_threshold: if r.u8(..6) == 0 { 50 } else { 0 },
            servers: (0..r.usize(1..5)).map(|_| ServerCase::draw(r)).collect(),
        }
    }
}

impl ServerCase {
    fn draw(r: &mut Rng) -> Self {
        let order = match r.u8(..10) {
            0 => Order::Drain,
            1 => Order::Maintenance,
            _ => Order::Ready,
        };
        let health = match r.u8(..12) {
            0 => Health::Down,
            1 => Health::Alive,
            2 => Health::Unknown,
            _ => Health::Up,
        };
        Self {
            weight: r.u16(1..4),
            most: one_in(r, 4, |r| r.u32(1..3)),
            rate: one_in(r, 10, |r| r.u32(1..3)),
            backup: r.u8(..5) == 0,
            order,
            health,
            refuses: r.u8(..6) == 0,
            took: Duration::from_millis(r.u64(1..40)),
        }
    }
}

impl Visit {
    fn draw(r: &mut Rng, proxies: &Option<String>, routes: &[(&str, usize)]) -> Self {
        let through = proxies.is_some() && r.bool();
        let via = through.then(|| [10, 0, 9, r.u8(1..3)].into());
        // Also a proxy that speaks for itself.
        let own = proxies.is_some() && r.u8(..6) == 0;
        let client = match own && via.is_none() {
            true => Ipv4Addr::new(10, 0, 9, 1),
            false => Ipv4Addr::new(10, r.u8(..2), 0, r.u8(1..4)),
        };
        let named = !routes.is_empty() && r.u8(..5) > 0;
        Self {
            client: client.into(),
            via,
            sni: named.then(|| ASKED[r.usize(..ASKED.len())]),
            stays: r.u8(..4) > 0,
        }
    }
}

fn network(r: &mut Rng) -> String {
    match r.u8(..4) {
        0 => format!("10.0.0.{}/32", r.u8(1..4)),
        1 => "10.1.0.0/16".into(),
        2 => "10.0.0.0/15".into(),
        _ => "10.0.0.2/31".into(),
    }
}

fn some(r: &mut Rng, most: usize) -> usize {
    if r.u8(..6) == 0 { r.usize(1..=most) } else { 0 }
}

fn one_in<T>(r: &mut Rng, of: u8, draw: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (r.u8(..of) == 0).then(|| draw(r))
}

const NAMES: [&str; 3] = ["sales.example.com", "*.example.com", "hr.example.org"];
const ASKED: [&str; 4] = [
    "sales.example.com",
    "ops.example.com",
    "hr.example.org",
    "a.b.example.com",
];
