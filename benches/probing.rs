//! What probing costs: 1,000 servers, each asked every 2 s, as a share of one core.
//!
//! `cargo bench --bench probing` runs the checkers as howdah does, on one thread, against listeners of another
//! thread of this process, and reads the processor time of the probing thread only, the kernel's included.
#![allow(missing_docs, reason = "a benchmark")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use howdah::health::Checkers;
use howdah::plan::{
    Address, Ask, Balance, Dial, Host, HttpAsk, PoolName, PoolPlan, ProbePlan, QueuePlan,
    ServerDefaults, ServerName, ServerPlan, Service, Timeouts,
};
use howdah::pool::{Health, Pool};
use howdah::telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

const SERVERS: usize = 1000;
const INTERVAL: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(20);

fn main() {
    let at = serve();
    let http = HttpAsk::get("/healthz");
    for (name, ask) in [("tcp", Ask::Tcp), ("http", Ask::Http(http))] {
        let (pool, keeper) = Pool::new(plan(at, ask), &Metrics::new());
        runtime().block_on(async {
            tokio::spawn(keeper.run());
            let mut checkers = Checkers::default();
            let began = Instant::now();
            checkers.reconcile(&pool);
            while !pool.load().members().iter().all(|one| one.health == Health::Up) {
                assert!(began.elapsed() < MEASURED, "servers do not come up");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let all_up = began.elapsed();
            // The first interval spreads the questions; then it is steady.
            tokio::time::sleep(2 * INTERVAL).await;
            let (before, generation) = (cpu(), pool.load().generation());
            tokio::time::sleep(MEASURED).await;
            let share = (cpu() - before).as_secs_f64() / MEASURED.as_secs_f64();
            assert_eq!(pool.load().generation(), generation, "steady servers make no snapshot");
            println!(
                "{name:<5} {SERVERS} servers every {INTERVAL:?}: {:.2} % of a core, {:.0} us a probe; all up {all_up:?} after the start, {generation} snapshots",
                share * 100.0,
                share * 1e6 * INTERVAL.as_secs_f64() / SERVERS as f64,
            );
        });
    }
}

/// A listener for all, on a thread of its own: answers whatever is said, and waits for the end.
fn serve() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let at = listener.local_addr().expect("bound");
    thread::spawn(move || {
        runtime().block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            while let Ok((mut peer, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut words = [0; 1024];
                    while let Ok(1..) = peer.read(&mut words).await {
                        let _ = peer.write_all(ANSWER).await;
                    }
                });
            }
        });
    });
    at
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Processor time of this thread.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

fn plan(at: SocketAddr, ask: Ask) -> Arc<PoolPlan> {
    let server = |number: usize| {
        Arc::new(ServerPlan {
            name: ServerName::new(&format!("server-{number}")),
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
    let long = Duration::from_secs(3600);
    Arc::new(PoolPlan {
        name: PoolName::new("bench"),
        discover: None,
        service: Service::TCP,
        server_defaults: ServerDefaults::of(Service::TCP),
        balance: Balance::LeastConnection,
        servers: (0..SERVERS).map(server).collect(),
        send_proxy: None,
        sticky: None,
        probe: Some(ProbePlan {
            ask,
            port: None,
            tls: None,
            kerberos: None,
            interval: INTERVAL,
            fast_interval: Duration::from_millis(250),
            deep_interval: long,
            timeout: INTERVAL,
            rise: 2,
            fall: 3,
            observe: howdah::plan::ObservePlan::DEFAULT,
        }),
        tls: None,
        timeouts: Timeouts {
            connect: long,
            idle: long,
            half_close: long,
            udp_idle: long,
            udp_responses: None,
            keepalive: long,
            first_byte: long,
        },
        queue: QueuePlan::default(),
        care: howdah::plan::CarePlan::DEFAULT,
        load: None,
        dial: Dial::Late,
        drain_timeout: long,
    })
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
