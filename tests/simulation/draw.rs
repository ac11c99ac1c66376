//! Plans, drawn: the first one of a life, and what reloads make of it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use howdah::base::word::Label;
use howdah::plan::{
    Address, Balance, CarePlan, DiscoverPlan, Host, Observe, PoolPlan, QueuePlan, ServerName,
    ServerPlan, StickyPlan,
};

/// A pool of one to eight servers.
pub(crate) fn plan(balance: Balance, random: &mut Rng) -> PoolPlan {
    let template = template();
    let mut plan = PoolPlan {
        balance,
        sticky: random.bool().then(|| sticky(random)),
        queue: queue(random),
        care: care(random),
        discover: discover(random),
        servers: Vec::new(),
        ..PoolPlan::clone(&template)
    };
    if random.u8(..8) == 0 {
        plan.probe = None;
    }
    observe(&mut plan, random);
    let tight = random.bool();
    let count = random.u8(1..=NAMES);
    for number in 0..count {
        plan.servers.push(Arc::new(server(
            &template.servers[0],
            number,
            tight,
            random,
        )));
    }
    plan
}

/// The same with one thing changed; sometimes another way to balance, for one reload in twenty.
pub(crate) fn change(plan: &PoolPlan, random: &mut Rng) -> PoolPlan {
    let mut next = plan.clone();
    let servers = &mut next.servers;
    // Where all are bounded, most changes leave it so.
    let bounded = servers.iter().all(|one| one.max_connections.is_some());
    let tight = bounded && random.u8(..8) > 0;
    let place = random.usize(..servers.len());
    match random.u8(..25) {
        0..4 => add(servers, tight, random),
        4..7 if servers.len() > 1 => drop(servers.remove(place)),
        7..9 => edit(&mut servers[place], |server| {
            server.address = address(server, random)
        }),
        9..11 => edit(&mut servers[place], |server| server.weight = weight(random)),
        11 => edit(&mut servers[place], |server| {
            server.max_connections = cap(tight, random)
        }),
        12 => edit(&mut servers[place], |server| server.backup = !server.backup),
        13 => random.shuffle(servers),
        14 => {
            let old = std::mem::take(servers);
            for number in 0..NAMES {
                let name = name(number);
                if old.iter().all(|server| server.name != name) {
                    servers.push(Arc::new(server(&old[0], number, tight, random)));
                }
            }
            if servers.is_empty() {
                *servers = old;
            }
        }
        15 => next.drain_timeout = Duration::from_secs(random.u64(1..7200)),
        16 => next.sticky = random.bool().then(|| sticky(random)),
        17 => {
            next.probe = if next.probe.is_some() {
                None
            } else {
                template().probe.clone()
            }
        }
        18 => {
            if let Some(probe) = &mut next.probe {
                (probe.rise, probe.fall) = (random.u32(1..4), random.u32(1..4));
            }
        }
        19 => next.queue = queue(random),
        20..22 => next.care = care(random),
        22 => observe(&mut next, random),
        23 => next.discover = discover(random),
        _ => next.balance = random.choice(Balance::ALL.iter().copied()).expect("five"),
    }
    next
}

/// Up to six servers: those of names that no plan has, and now and then one that the plan has too, or had.
pub(crate) fn roster(plan: &PoolPlan, random: &mut Rng) -> Vec<Arc<ServerPlan>> {
    let template = &plan.servers[0];
    let mut roster: Vec<Arc<ServerPlan>> = Vec::new();
    for _ in 0..random.u8(..=LISTED) {
        let own = random.u8(..4) == 0;
        let number = match own {
            true => random.u8(..NAMES),
            false => NAMES + random.u8(..LISTED),
        };
        let new = server(template, number, false, random);
        if roster.iter().all(|one| one.name != new.name) {
            roster.push(Arc::new(new));
        }
    }
    roster
}

/// A client of a network of sixty-four.
pub(crate) fn client(random: &mut Rng) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + random.u32(..64)).into()
}

/// Every field has its default, whatever fields there are.
fn template() -> Arc<PoolPlan> {
    let loaded = howdah::config::judge(Path::new("simulation.toml"), FILE.as_bytes().to_vec());
    let plan = loaded.expect("a good configuration").plan;
    Arc::clone(&plan.pools[0])
}

fn server(template: &ServerPlan, number: u8, tight: bool, random: &mut Rng) -> ServerPlan {
    let mut server = ServerPlan {
        name: name(number),
        weight: weight(random),
        max_connections: cap(tight, random),
        backup: random.u8(..5) == 0,
        ..template.clone()
    };
    server.address = address(&server, random);
    server
}

fn add(servers: &mut Vec<Arc<ServerPlan>>, tight: bool, random: &mut Rng) {
    let number = random.u8(..NAMES);
    if servers.iter().all(|server| server.name != name(number)) {
        let place = random.usize(..=servers.len());
        let new = server(&servers[0].clone(), number, tight, random);
        servers.insert(place, Arc::new(new));
    }
}

fn edit(server: &mut Arc<ServerPlan>, change: impl FnOnce(&mut ServerPlan)) {
    let mut new = ServerPlan::clone(server);
    change(&mut new);
    *server = Arc::new(new);
}

fn name(number: u8) -> ServerName {
    ServerName::new(&format!("server-{number}"))
}

/// One of two for each name, so that servers come back to where they were.
fn address(server: &ServerPlan, random: &mut Rng) -> Address {
    let last = server.name.as_str().as_bytes().last().copied().unwrap_or(0);
    Address {
        host: Host::Ip(Ipv4Addr::new(127, 0, 0, random.u8(1..=2)).into()),
        port: 10_000 + u16::from(last),
    }
}

/// Small ones mostly: a source-hash ring of large ones costs milliseconds.
fn weight(random: &mut Rng) -> u16 {
    if random.u8(..50) == 0 {
        100
    } else {
        random.choice([1, 1, 1, 2, 3, 5, 10]).unwrap_or(1)
    }
}

/// Where they are `tight`, sessions wait.
fn cap(tight: bool, random: &mut Rng) -> Option<u32> {
    let caps = if tight {
        [Some(1), Some(1), Some(2), Some(3), Some(3)]
    } else {
        [None, None, Some(1), Some(3), Some(20)]
    };
    random.choice(caps).flatten()
}

/// Which source it is does not matter to a pool.
fn discover(random: &mut Rng) -> Option<DiscoverPlan> {
    let name = format!("_{}._tcp.example.com", random.bool());
    (random.u8(..4) > 0).then_some(DiscoverPlan::DnsSrv { name })
}

fn queue(random: &mut Rng) -> QueuePlan {
    QueuePlan {
        most: random.choice([0, 1, 2, 5, 12]).unwrap_or(0),
        patience: Duration::from_secs(random.u64(1..300)),
    }
}

/// Slow starts whose steps are whole milliseconds.
fn care(random: &mut Rng) -> CarePlan {
    let slow_start = random.choice([0, 0, 16, 160, 1600]).unwrap_or(0);
    CarePlan {
        slow_start: Duration::from_secs(slow_start),
        panic_threshold: random.choice([0, 0, 30, 50, 100]).unwrap_or(0),
        ..CarePlan::DEFAULT
    }
}

/// What follows from what sessions see.
fn observe(plan: &mut PoolPlan, random: &mut Rng) {
    let observe = plan.probe.as_mut().map(|probe| &mut probe.observe);
    if let Some(observe) = observe {
        observe.what = random
            .choice([Observe::Sessions, Observe::Sessions, Observe::Connects])
            .expect("some");
        observe.limit = random.choice([0, 50, 50, 100]).unwrap_or(50);
        let quarantine = random.choice([0, 10, 10, 100]).unwrap_or(10);
        observe.quarantine = Duration::from_secs(quarantine);
    }
}

fn sticky(random: &mut Rng) -> StickyPlan {
    StickyPlan {
        ttl: Duration::from_secs(random.u64(1..3600)),
        max_entries: random.usize(1..40),
    }
}

/// Names that plans may have; a digit each.
const NAMES: u8 = 6;
/// And those that only a source has.
const LISTED: u8 = 4;

const FILE: &str = r#"
[[listener]]
name = "hive"
bind = "127.0.0.1:0"
pool = "hive"

[pool.hive]
service = "tcp"
servers = ["127.0.0.1:10000"]
"#;
