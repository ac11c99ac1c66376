//! A case come true: pools with their keepers, servers that listen or refuse, and sessions through the real stages.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName as DnsName;
use serde::Deserialize;
use socket2::{Domain, Socket, Type};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::super::{Explanation, Query, Rules, Scene, explain};
use super::draw::{Case, PoolCase, ServerCase, Visit};
use crate::plan::{
    Address, CarePlan, Dial, Host, ListenerName, ListenerPlan, LogFormat, LogLevel, LogPlan,
    LogTarget, OnRefuse, PoolName, PoolPlan, Protocol, RelayWay, ServerDefaults, ServerName,
    ServerPlan, Service, SniPattern, Timeouts,
};
use crate::pool::{Change, Health, Order, Origin, Pool};
use crate::session::{Arrival, Destination, Limit, SessionConfig, Sources, Switch, serve};
use crate::telemetry::Metrics;
use crate::telemetry::access::AccessLog;

/// See the module.
pub(super) struct World {
    pub(super) case: Case,
    config: Arc<SessionConfig>,
    log: NamedTempFile,
    /// Sessions that are there, with their clients.
    present: Vec<(TcpStream, JoinHandle<()>)>,
    _tasks: JoinSet<()>,
    _refusing: Vec<Socket>,
}

/// Of the session log.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    pub(super) session: String,
    pub(super) pool: Option<String>,
    pub(super) server: Option<String>,
    pub(super) pick: Option<String>,
    pub(super) attempts: u64,
    pub(super) reason: String,
}

impl World {
    pub(super) async fn build(case: &Case) -> Self {
        let metrics = Metrics::new();
        let (mut tasks, mut refusing) = (JoinSet::new(), Vec::new());
        let mut destinations = Vec::new();
        for (number, plan) in case.pools.iter().enumerate() {
            let mut servers = Vec::new();
            for server in &plan.servers {
                let address = match server.refuses {
                    true => refuse(&mut refusing),
                    false => greet_all(&mut tasks).await,
                };
                servers.push((server, address));
            }
            let pool = pool(number, plan, &servers, &metrics, &mut tasks).await;
            destinations.push(Destination {
                metrics: Arc::clone(pool.metrics()),
                connector: None,
                pool,
            });
        }
        let log = NamedTempFile::new().expect("a file");
        let mut world = Self {
            config: Arc::new(config(case, &destinations, &log, &metrics)),
            case: case.clone(),
            log,
            present: Vec::new(),
            _tasks: tasks,
            _refusing: refusing,
        };
        for (id, visit) in (2..).zip(&case.before) {
            let (client, session) = world.visit(visit, id).await;
            if visit.stays {
                world.present.push((client, session));
            } else {
                drop(client);
                session.await.expect("no panic");
            }
        }
        world.settle().await;
        world
    }

    /// Orders and verdicts come when sessions are there: they hold sticky entries and places by then.
    async fn settle(&self) {
        let all: Vec<&Arc<Pool>> = self.config.switch.pools().collect();
        for pool in all {
            let number: usize = pool.name().as_str()[1..].parse().expect("a number");
            for server in pool
                .load()
                .members()
                .iter()
                .zip(&self.case.pools[number].servers)
            {
                let (member, case) = server;
                let now = Instant::now();
                pool.probed(&member.server, case.took, now);
            }
            let members = pool.load().members().to_vec();
            for (member, case) in members.iter().zip(&self.case.pools[number].servers) {
                judge(pool, member.server.id(), case.health).await;
                let (server, order) = (member.plan.name.clone(), case.order);
                if order != Order::Ready {
                    let given = Origin::by("test");
                    pool.send(Change::Order {
                        server,
                        order,
                        given,
                    })
                    .await
                    .expect("it is there");
                }
            }
        }
    }

    pub(super) fn refuses(&self, server: &str) -> bool {
        let port = server.rsplit_once(':').map_or("", |(_, port)| port);
        let port: u16 = port.parse().expect("a port");
        self._refusing.iter().any(|socket| {
            let own = socket.local_addr().expect("bound").as_socket();
            own.is_some_and(|own| own.port() == port)
        })
    }

    pub(super) fn is_backup(&self, server: &str) -> bool {
        let mut pools = self.config.switch.pools();
        pools.any(|pool| {
            let now = pool.load();
            let mut backups = now.members().iter().filter(|one| one.plan.backup);
            backups.any(|one| one.plan.name.as_str() == server)
        })
    }

    pub(super) fn ask(&self) -> Explanation {
        let visit = &self.case.comes;
        let query = Query {
            client: visit.client,
            via: visit.via,
            sni: visit.sni.map(Into::into),
            protocol: None,
        };
        let scene = Scene::Running {
            bound: self.config.plan.bind.clone(),
            draining: false,
        };
        explain(Rules::from(&*self.config), &scene, &query, Instant::now())
    }

    /// The session that was asked about.
    pub(super) async fn come(&self) -> Line {
        let (client, session) = self.visit(&self.case.comes, 1).await;
        drop(client);
        session.await.expect("no panic");
        assert!(
            self.config.access.flush(Duration::from_secs(60)),
            "the log is written"
        );
        let mut text = String::new();
        self.log
            .reopen()
            .expect("a file")
            .read_to_string(&mut text)
            .expect("text");
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Line>(line).expect("JSON"));
        let mut own = lines.filter(|line| line.session == format!("{:016x}", 1));
        own.next().expect("its line")
    }

    /// Until it is with a server, or refused.
    async fn visit(&self, visit: &Visit, id: u64) -> (TcpStream, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (mut client, (stream, _)) = (client.expect("connects"), accepted.expect("accepts"));
        let peer = SocketAddr::new(visit.via.unwrap_or(visit.client), 40_000);
        let mut first = Vec::new();
        if self
            .config
            .plan
            .accept_proxy
            .iter()
            .any(|net| net.contains(&peer.ip()))
        {
            first.extend_from_slice(header(visit).as_bytes());
        }
        match self.config.switch.routes.is_empty() {
            true => first.extend_from_slice(b"hello"),
            false => first.extend_from_slice(&hello(visit.sni)),
        }
        // One that is refused may have closed before.
        let _ = client.write_all(&first).await;
        let arrival = Arrival { stream, peer, id };
        let session = tokio::spawn(serve(arrival, Arc::clone(&self.config), ()));
        let _ = client.read(&mut [0; 16]).await;
        (client, session)
    }
}

fn header(visit: &Visit) -> String {
    match visit.via {
        Some(_) => format!("PROXY TCP4 {} 127.0.0.1 40000 10000\r\n", visit.client),
        None => "PROXY UNKNOWN\r\n".into(),
    }
}

fn hello(sni: Option<&str>) -> Vec<u8> {
    let roots = rustls::RootCertStore::empty();
    let builder = rustls::ClientConfig::builder_with_provider(crate::tls::provider());
    let config = builder
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A client that dials an address asks for no name.
    let name = DnsName::try_from(sni.unwrap_or("127.0.0.1").to_owned()).expect("a name");
    let mut client = rustls::ClientConnection::new(config.into(), name).expect("a client");
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).expect("memory");
    bytes
}

/// Greets with a byte, so that its client knows that it came through; then waits for its end.
async fn greet_all(tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tasks.spawn(async move {
        let mut sessions = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            sessions.spawn(async move {
                let _ = stream.write_all(b"!").await;
                while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    address
}

/// A port that is taken, and where nobody listens.
fn refuse(refusing: &mut Vec<Socket>) -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).expect("a port");
    let address = socket.local_addr().expect("bound").as_socket().expect("IP");
    refusing.push(socket);
    address
}

async fn pool(
    number: usize,
    case: &PoolCase,
    servers: &[(&ServerCase, SocketAddr)],
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> Arc<Pool> {
    let hour = Duration::from_secs(3600);
    let server = |(case, address): &(&ServerCase, SocketAddr)| {
        Arc::new(ServerPlan {
            name: ServerName::new(&address.to_string()),
            address: Address {
                host: Host::Ip(address.ip()),
                port: address.port(),
            },
            weight: case.weight,
            max_connections: case.most,
            max_per_second: case.rate,
            backup: case.backup,
        })
    };
    let interval = Duration::from_secs(10);
    let plan = PoolPlan {
        name: PoolName::new(&format!("p{number}")),
        discover: None,
        service: Service::TCP,
        balance: case.balance,
        servers: servers.iter().map(server).collect(),
        server_defaults: ServerDefaults::of(Service::TCP),
        send_proxy: None,
        sticky: case.sticky.clone(),
        probe: Some(crate::plan::ProbePlan {
            ask: crate::plan::Ask::Tcp,
            port: None,
            tls: None,
            kerberos: None,
            interval,
            fast_interval: interval,
            deep_interval: interval,
            timeout: interval,
            rise: 1,
            fall: 1,
            observe: crate::plan::ObservePlan::DEFAULT,
        }),
        tls: None,
        timeouts: Timeouts {
            connect: Duration::from_millis(250),
            idle: hour,
            half_close: hour,
            udp_idle: hour,
            udp_responses: None,
            keepalive: hour,
            first_byte: hour,
        },
        queue: case.queue.clone(),
        care: CarePlan {
            panic_threshold: case.panic_threshold,
            ..CarePlan::DEFAULT
        },
        load: None,
        dial: Dial::Late,
        drain_timeout: hour,
    };
    let (pool, keeper) = Pool::new(Arc::new(plan), metrics);
    tasks.spawn(keeper.run());
    let ids: Vec<_> = pool
        .load()
        .members()
        .iter()
        .map(|one| one.server.id())
        .collect();
    for id in ids {
        judge(&pool, id, Health::Up).await;
    }
    pool
}

async fn judge(pool: &Pool, server: crate::pool::ServerId, health: Health) {
    let change = Change::Health {
        server,
        health,
        role: None,
    };
    pool.send(change).await.expect("a pool");
}

fn config(
    case: &Case,
    pools: &[Destination],
    log: &NamedTempFile,
    metrics: &Metrics,
) -> SessionConfig {
    let networks = |all: &[String]| {
        all.iter()
            .map(|net| net.parse().expect("a network"))
            .collect()
    };
    let name = ListenerName::new("front");
    let routes = case.routes.iter().map(|(pattern, pool)| {
        let pattern = match pattern.strip_prefix("*.") {
            Some(suffix) => SniPattern::Wildcard(suffix.into()),
            None => SniPattern::Exact((*pattern).into()),
        };
        (vec![pattern], pools[*pool].clone())
    });
    let plan = ListenerPlan {
        name: name.clone(),
        bind: vec![SocketAddr::from((IpAddr::from([127, 0, 0, 1]), 10_000))],
        protocols: vec![Protocol::Tcp],
        pool: case.default.map(|pool| pools[pool].pool.name().clone()),
        routes: Vec::new(),
        max_connections: case.most,
        max_per_second: case.rate,
        source: case.source.clone(),
        on_refuse: OnRefuse::Close,
        allow: networks(&case.allow),
        deny: networks(&case.deny),
        accept_proxy: (case.proxies.iter())
            .map(|net| net.parse().expect("a network"))
            .collect(),
        tls: None,
        greet_timeout: Duration::from_secs(10),
        keepalive: Duration::from_secs(120),
        goal: None,
    };
    let sink = AccessLog::open(&LogPlan {
        level: LogLevel::Info,
        format: LogFormat::Json,
        target: None,
        access: Some(LogTarget::File(log.path().into())),
        access_start: false,
        access_every: None,
    })
    .expect("a file");
    SessionConfig {
        tls: None,
        relay: RelayWay::Copy,
        switch: Switch {
            routes: routes.collect(),
            default: case.default.map(|pool| pools[pool].clone()),
        },
        limit: Limit::new(case.most, case.rate),
        udp_limit: Limit::new(None, None),
        process_limit: Limit::new(case.process_most, None),
        lease: None,
        sources: Sources::new(),
        metrics: metrics.listener(&name),
        access: AccessLog::start(sink, metrics).expect("a thread"),
        plan: Arc::new(plan),
    }
}
