//! Each balance against its definition, through a real pool that four workers share.
#![allow(missing_docs, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use howdah::plan::{
    Address, Balance, Dial, Host, PoolName, PoolPlan, QueuePlan, ServerDefaults, ServerName,
    ServerPlan, Service, Timeouts,
};
use howdah::pool::{Lease, Pool};
use howdah::telemetry::Metrics;
use tokio::time::{Instant, sleep};

const SESSIONS: usize = 10_000;
const WORKERS: usize = 4;
const WEIGHTS: [u16; 3] = [1, 2, 5];
/// 10,000 by 1 : 2 : 5.
const FAIR: [u32; 3] = [1250, 2500, 6250];

fn pool(balance: Balance, weights: &[u16]) -> Arc<Pool> {
    let server = |(number, weight): (u16, &u16)| {
        Arc::new(ServerPlan {
            name: ServerName::new(&format!("server-{number}")),
            address: Address {
                host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
                port: 10_000 + number,
            },
            weight: *weight,
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
        balance,
        servers: (0..).zip(weights).map(server).collect(),
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
    // Nothing changes in these pools, so the keeper need not run.
    let (pool, _keeper) = Pool::new(Arc::new(plan), &Metrics::new());
    pool
}

fn client(number: usize) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(number).expect("a small number")).into()
}

fn choose(pool: &Arc<Pool>, number: usize) -> Lease {
    pool.choose(client(number), &[], Instant::now())
        .expect("all are up")
}

/// Sessions that each server was chosen for, when four workers serve 10,000 between them; `held` sessions stay
/// open until the end, others end at once.
fn shares(pool: &Arc<Pool>, held: bool) -> Vec<u32> {
    shares_by(WORKERS, pool, held)
}

fn shares_by(workers: usize, pool: &Arc<Pool>, held: bool) -> Vec<u32> {
    let work = |worker: usize| {
        let pool = Arc::clone(pool);
        thread::spawn(move || {
            let numbers = (worker..SESSIONS).step_by(workers);
            let leases = numbers.map(|number| choose(&pool, number));
            if held {
                leases.collect()
            } else {
                leases.map(drop).for_each(drop);
                Vec::new()
            }
        })
    };
    let workers: Vec<_> = (0..workers).map(work).collect();
    let leases: Vec<Vec<Lease>> = workers
        .into_iter()
        .map(|one| one.join().expect("no panic"))
        .collect();
    let snapshot = pool.load();
    let total =
        |server: &howdah::pool::Server| u32::try_from(server.sessions_total()).expect("few");
    let shares = snapshot
        .members()
        .iter()
        .map(|one| total(&one.server))
        .collect();
    drop(leases);
    assert!(
        snapshot
            .members()
            .iter()
            .all(|one| one.server.sessions_active() == 0)
    );
    shares
}

#[test]
fn round_robin_is_exact() {
    for held in [false, true] {
        assert_eq!(shares(&pool(Balance::RoundRobin, &WEIGHTS), held), FAIR);
    }
}

#[test]
fn least_connection_fills_by_weight() {
    assert_eq!(
        shares(&pool(Balance::LeastConnection, &WEIGHTS), true),
        FAIR
    );
}

#[test]
fn response_time_of_equals_fills_by_weight() {
    let alone = shares_by(1, &pool(Balance::ResponseTime, &WEIGHTS), true);
    assert_eq!(alone, FAIR);
    // A session more moves the expected wait less than is ranked again for, so each of the other workers may be one ahead.
    let together = shares(&pool(Balance::ResponseTime, &WEIGHTS), true);
    for (share, fair) in together.iter().zip(FAIR) {
        let ahead = usize::try_from(share.abs_diff(fair)).expect("few");
        assert!(ahead < WORKERS, "{together:?}");
    }
}

#[test]
fn random_follows_weights_and_evens_out_under_load() {
    let idle = shares(&pool(Balance::Random, &WEIGHTS), false);
    let full = shares(&pool(Balance::Random, &WEIGHTS), true);
    for (place, fair) in FAIR.into_iter().enumerate() {
        // Without sessions it is chance: five standard deviations. With them, choices even out.
        let noise = 5.0 * (f64::from(fair) * (1.0 - f64::from(fair) / 10_000.0)).sqrt();
        assert!(f64::from(idle[place].abs_diff(fair)) < noise, "{idle:?}");
        assert!(full[place].abs_diff(fair) <= 30, "{full:?}");
    }
}

#[test]
fn source_hash_gives_each_client_its_server_and_keeps_the_bound() {
    let idle = pool(Balance::SourceHash, &WEIGHTS);
    let first = shares(&idle, false);
    let second = shares(&idle, false);
    for (place, fair) in FAIR.into_iter().enumerate() {
        assert!(first[place].abs_diff(fair) < fair / 4, "{first:?}");
        assert_eq!(
            second[place],
            2 * first[place],
            "the same clients, the same servers"
        );
    }
    let full = shares(&pool(Balance::SourceHash, &WEIGHTS), true);
    for (place, fair) in FAIR.into_iter().enumerate() {
        assert!(full[place] <= fair * 5 / 4 + 1, "{full:?}");
    }
}

/// A server that answers each session's one turn after this time.
struct Served {
    /// Chosen in a window that the test empties.
    counts: [u32; 2],
    answers: [Duration; 2],
}

/// Sessions of `clients` in a closed loop, for `time`: connect 1 ms, one turn, think 5 ms.
async fn serve(pool: &Arc<Pool>, clients: usize, served: &mut Served, time: Duration) {
    let end = Instant::now() + time;
    let mut sessions = tokio::task::JoinSet::new();
    for number in 0..clients {
        let (pool, answers) = (Arc::clone(pool), served.answers);
        sessions.spawn(async move {
            let mut counts = [0, 0];
            while Instant::now() < end {
                let lease = choose(&pool, number);
                let place = usize::from(lease.server().address().port - 10_000);
                counts[place] += 1;
                for took in [Duration::from_millis(1), answers[place]] {
                    sleep(took).await;
                    lease.observe(took, Instant::now());
                }
                drop(lease);
                sleep(Duration::from_millis(5)).await;
            }
            counts
        });
    }
    while let Some(counts) = sessions.join_next().await {
        let counts = counts.expect("no panic");
        (0..2).for_each(|place| served.counts[place] += counts[place]);
    }
}

#[tokio::test(start_paused = true)]
async fn response_time_avoids_a_slow_server_and_returns_when_it_recovers() {
    let (fast, slow) = (Duration::from_millis(2), Duration::from_millis(40));
    for clients in [1, 8, 64] {
        let pool = pool(Balance::ResponseTime, &[1, 1]);
        let answers = [fast, slow];
        let mut served = Served {
            counts: [0, 0],
            answers,
        };
        serve(&pool, clients, &mut served, Duration::from_secs(20)).await;
        let ratio = f64::from(served.counts[0]) / f64::from(served.counts[1].max(1));
        println!("{clients} clients: {:?}, ratio {ratio:.1}", served.counts);
        assert!(ratio >= 4.0, "{clients} clients: {:?}", served.counts);

        served.answers = [fast, fast];
        let recovered = Instant::now();
        loop {
            served.counts = [0, 0];
            serve(&pool, clients, &mut served, Duration::from_secs(1)).await;
            let [other, own] = served.counts;
            if own * 10 >= (own + other) * 4 {
                break;
            }
            assert!(
                recovered.elapsed() < Duration::from_secs(30),
                "{clients} clients: {:?}",
                served.counts
            );
        }
        println!(
            "{clients} clients: back to {:?} after {:?}",
            served.counts,
            recovered.elapsed()
        );
    }
}
