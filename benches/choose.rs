//! What a choice costs, and a snapshot, as a pool grows.
//!
//! `cargo bench --bench choose` prints nanoseconds for a choice, and for the end of a session, for each balance and
//! pool size, on one thread and on two that share the pool, which choose for 64 sessions and then end them; then
//! what making a snapshot costs (as the time from a change sent to the change seen).
#![allow(missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use howdah::base::word::Label;
use howdah::plan::{
    Address, Balance, Dial, Host, PoolName, PoolPlan, QueuePlan, ServerDefaults, ServerName,
    ServerPlan, Service, Timeouts,
};
use howdah::pool::{Change, Keeper, Order, Origin, Pool};
use howdah::telemetry::Metrics;

const SIZES: [usize; 5] = [1, 10, 100, 1000, 10_000];
/// Sessions that each thread chooses for before it ends them.
const HELD: usize = 64;

fn main() {
    for threads in [1, 2] {
        println!("ns for a choice / for the end of a session, {threads} thread(s)");
        print!("{:<18}", "servers");
        SIZES.iter().for_each(|size| print!("{size:>13}"));
        println!();
        for &balance in Balance::ALL {
            print!("{:<18}", balance.as_str());
            for size in SIZES {
                let [choice, end] = choices(balance, size, threads);
                print!("{:>13}", format!("{choice:.0} / {end:.0}"));
            }
            println!();
        }
    }
    println!("us from a change to its snapshot");
    for &balance in Balance::ALL {
        print!("{:<18}", balance.as_str());
        for size in SIZES {
            print!("{:>9.0}", snapshots(balance, size));
        }
        println!();
    }
}

fn pool(balance: Balance, size: usize) -> (Arc<Pool>, Keeper) {
    let server = |number: usize| {
        Arc::new(ServerPlan {
            name: ServerName::new(&format!("server-{number}")),
            address: Address {
                host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
                port: 10_000,
            },
            weight: 1,
            max_connections: None,
            max_per_second: None,
            backup: false,
        })
    };
    let plan = PoolPlan {
        name: PoolName::new("bench"),
        discover: None,
        service: Service::TCP,
        server_defaults: ServerDefaults::of(Service::TCP),
        balance,
        servers: (0..size).map(server).collect(),
        send_proxy: None,
        sticky: None,
        probe: None,
        tls: None,
        timeouts: Timeouts {
            connect: Duration::from_secs(3),
            idle: Duration::from_secs(3600),
            half_close: Duration::from_secs(600),
            udp_idle: Duration::from_secs(600),
            udp_responses: None,
            keepalive: Duration::from_secs(600),
            first_byte: Duration::from_secs(60),
        },
        queue: QueuePlan::default(),
        care: howdah::plan::CarePlan::DEFAULT,
        load: None,
        dial: Dial::Late,
        drain_timeout: Duration::from_secs(1800),
    };
    Pool::new(Arc::new(plan), &Metrics::new())
}

/// Nanoseconds for a choice and for an end: of each, the best of many short runs.
fn choices(balance: Balance, size: usize, threads: u32) -> [f64; 2] {
    let (pool, _keeper) = pool(balance, size);
    let mut best = [f64::INFINITY; 2];
    for _ in 0..25 {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || churn(&pool, worker))
            })
            .collect();
        let mut slowest = [Duration::ZERO; 2];
        for worker in workers {
            let took = worker.join().expect("no panic");
            slowest = [0, 1].map(|which| slowest[which].max(took[which]));
        }
        let each = slowest.map(|took| took.as_secs_f64() * 1e9 / (ROUNDS * HELD) as f64);
        best = [0, 1].map(|which| best[which].min(each[which]));
    }
    best
}

/// How long all choices took, and all ends.
fn churn(pool: &Arc<Pool>, worker: u32) -> [Duration; 2] {
    let mut held = Vec::with_capacity(HELD);
    let mut took = [Duration::ZERO; 2];
    let mut number = worker;
    let now = tokio::time::Instant::now();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..HELD {
            number = number.wrapping_add(0x9e37_79b9);
            let client: IpAddr = Ipv4Addr::from_bits(number).into();
            held.push(black_box(
                pool.choose(client, &[], now).expect("all are up"),
            ));
        }
        let chosen = Instant::now();
        held.clear();
        took[0] += chosen - began;
        took[1] += chosen.elapsed();
    }
    took
}

/// The median of some changes, in microseconds.
fn snapshots(balance: Balance, size: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let (pool, keeper) = pool(balance, size);
        tokio::spawn(keeper.run());
        let mut times = Vec::new();
        for number in 0..41 {
            let order = if number % 2 == 0 {
                Order::Drain
            } else {
                Order::Ready
            };
            let server = ServerName::new("server-0");
            let began = Instant::now();
            let given = Origin::by("bench");
            let change = Change::Order {
                server,
                order,
                given,
            };
            pool.send(change).await.expect("a member");
            times.push(began.elapsed());
            // The keeper rests after costly snapshots.
            tokio::time::sleep(Duration::from_millis(2) + began.elapsed() * 12).await;
        }
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    })
}

/// Few, so that some run is not interrupted on a busy machine.
const ROUNDS: usize = 300;
