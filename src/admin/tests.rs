//! The admin server as its clients meet it: over a socket, with real pools behind it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::listener::sessions::SessionTable;
use crate::plan::{
    Address, Balance, Dial, HistoryPlan, Host, PoolPlan, Protocol, Secret, ServerDefaults,
    ServerName, ServerPlan, Service, Timeouts,
};
use crate::pool::{Change, Health, LastProbe, Loss, Order};

/// A running admin server, what it shows, and what `app` would hear.
struct Stage {
    address: SocketAddr,
    context: HandlerContext,
    commands: mpsc::Receiver<Command>,
    serving: JoinHandle<std::io::Result<std::convert::Infallible>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Whether a pool has probes decides whether its servers count as up at once.
fn pool_plan(name: &str, servers: &[&str], probed: bool) -> Arc<PoolPlan> {
    let server = |name: &&str| {
        Arc::new(ServerPlan {
            name: ServerName::new(name),
            address: Address {
                host: Host::Ip([127, 0, 0, 1].into()),
                port: 10_000,
            },
            weight: 1,
            max_connections: None,
            max_per_second: None,
            backup: false,
        })
    };
    let hour = Duration::from_secs(3600);
    Arc::new(PoolPlan {
        name: PoolName::new(name),
        discover: None,
        service: Service::HIVESERVER2,
        server_defaults: ServerDefaults::of(Service::HIVESERVER2),
        balance: Balance::RoundRobin,
        servers: servers.iter().map(server).collect(),
        send_proxy: None,
        sticky: None,
        probe: probed.then(tcp_probe),
        tls: None,
        timeouts: Timeouts {
            connect: Duration::from_secs(3),
            idle: hour,
            half_close: hour,
            udp_idle: hour,
            udp_responses: None,
            keepalive: hour,
            first_byte: hour,
        },
        queue: crate::plan::QueuePlan::default(),
        care: crate::plan::CarePlan::DEFAULT,
        load: None,
        dial: Dial::Late,
        drain_timeout: hour,
    })
}

fn tcp_probe() -> crate::plan::ProbePlan {
    let interval = Duration::from_secs(10);
    crate::plan::ProbePlan {
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
    }
}

/// What the sessions of the listener follow.
fn explained(pool: &Arc<Pool>, metrics: &Metrics) -> Arc<Listener> {
    use crate::session::{Destination, Limit, SessionConfig, Sources, Switch};
    let plan = crate::plan::ListenerPlan {
        name: ListenerName::new("front"),
        bind: vec![SocketAddr::from(([127, 0, 0, 1], 10_000))],
        protocols: vec![Protocol::Tcp],
        pool: Some(pool.name().clone()),
        routes: Vec::new(),
        max_connections: Some(5),
        max_per_second: None,
        source: crate::plan::SourcePlan::default(),
        on_refuse: crate::plan::OnRefuse::Close,
        allow: Default::default(),
        deny: ["10.66.0.0/16".parse().expect("a network")]
            .into_iter()
            .collect(),
        accept_proxy: Vec::new(),
        tls: None,
        greet_timeout: Duration::from_secs(10),
        keepalive: Duration::from_secs(120),
        goal: None,
    };
    let sink = crate::telemetry::access::AccessLog::open(&crate::plan::LogPlan {
        level: crate::plan::LogLevel::Info,
        format: crate::plan::LogFormat::Json,
        target: None,
        access: Some(crate::plan::LogTarget::Off),
        access_start: false,
        access_every: None,
    });
    let access = crate::telemetry::access::AccessLog::start(sink.expect("none"), metrics);
    Listener::new(Arc::new(SessionConfig {
        tls: None,
        relay: crate::plan::RelayWay::Auto,
        switch: Switch {
            routes: Vec::new(),
            default: Some(Destination {
                metrics: Arc::clone(pool.metrics()),
                connector: None,
                pool: Arc::clone(pool),
            }),
        },
        limit: Limit::new(Some(5), None),
        udp_limit: Limit::new(None, None),
        process_limit: Limit::new(None, None),
        lease: None,
        sources: Sources::new(),
        metrics: metrics.listener(&plan.name),
        access: access.expect("a thread"),
        plan: Arc::new(plan),
    }))
}

async fn stage(token: Option<&str>) -> Stage {
    let metrics = Metrics::new();
    let admin = AdminPlan {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        socket: None,
        token: token.map(Secret::new),
        reader_token: None,
        tls: None,
    };
    let plans = [
        pool_plan("hive", &["hs2-1.example.com:10000", "hs2-2"], true),
        pool_plan("odd / pool", &["a/b"], false),
    ];
    let mut pools = Vec::new();
    for plan in plans {
        let (pool, keeper) = Pool::new(plan, &metrics);
        tokio::spawn(keeper.run());
        pools.push(pool);
    }
    let name = ListenerName::new("front");
    let listener = ListenerView {
        bound: vec![SocketAddr::from(([127, 0, 0, 1], 10_000))],
        protocols: vec![Protocol::Tcp],
        pools: vec![PoolName::new("hive")],
        max_connections: Some(900),
        metrics: metrics.listener(&name),
        listener: Some(explained(&pools[0], &metrics)),
        name,
    };
    let view = RuntimeView {
        started: Instant::now(),
        generation: 1,
        listeners: vec![listener],
        pools,
        draining: None,
        needs_restart: Vec::new(),
        refused: None,
        configuration: Configuration::of(None, ""),
        certificates: Vec::new(),
        peers: Arc::default(),
        state: StateView::default(),
        plan: None,
        cluster: None,
        predecessors: Predecessors::default(),
        admin: admin.clone(),
        vips: vip::Board::default(),
    };
    let (sender, commands) = mpsc::channel(4);
    let context = HandlerContext {
        view: Arc::new(ArcSwap::from_pointee(view)),
        availability: Availability::start(&HistoryPlan::default(), &metrics).expect("a thread"),
        metrics,
        commands: sender,
        sessions: SessionTable::nobody(),
        schema: || "{}".into(),
    };
    let server = AdminServer::bind(&admin).expect("a free port");
    Stage {
        address: server.address(),
        serving: tokio::spawn(server.serve(context.clone())),
        context,
        commands,
    }
}

impl Stage {
    /// Sends these bytes and reads to the end.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        stream.write_all(bytes).await.expect("writes");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("reads");
        String::from_utf8(answer).expect("text")
    }

    /// Status, head and body.
    async fn ask(&self, line: &str, headers: &str, body: &str) -> (u16, String, String) {
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        let answer = self.raw(request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a code"), head.to_owned(), body.to_owned())
    }

    async fn json(&self, line: &str, body: &str) -> (u16, Value) {
        let (status, _, body) = self.ask(line, "", body).await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }

    async fn conclude(&self, server: &str, health: Health) {
        let view = self.context.view.load_full();
        let pool = &view.pools[0];
        let id = {
            let snapshot = pool.load();
            let member = snapshot.member(&ServerName::new(server)).expect("is there");
            let last = LastProbe {
                verdict: health,
                reason: "connect-refused",
                step: "connect",
                detail: "nobody listens".into(),
                took: Duration::from_micros(1_500),
                at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            };
            member.server.set_last_probe(last, &[]);
            member.server.id()
        };
        pool.send(Change::Health {
            server: id,
            health,
            role: None,
        })
        .await
        .expect("the keeper runs");
    }

    fn draining(&self) {
        let mut view = RuntimeView::clone(&self.context.view.load());
        view.draining = Some(Draining {
            until: Instant::now(),
        });
        self.context.view.store(Arc::new(view));
    }

    async fn ended(&self, end: &str) {
        let line = format!("howdah_admin_connections_total{{end=\"{end}\"}} 1");
        while !self.context.metrics.render().contains(&line) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

const HS2: &str = "/api/v1/pools/hive/servers/hs2-1.example.com:10000";

#[tokio::test]
async fn status_has_exactly_the_shape_of_the_contract() {
    let stage = stage(None).await;
    stage.conclude("hs2-2", Health::Down).await;
    let (code, mut status) = stage.json("GET /api/v1/status", "").await;
    assert_eq!(code, 200);
    assert!(status["uptime_seconds"].take().as_f64().is_some());
    for pool in status["pools"].as_array_mut().expect("pools") {
        for server in pool["servers"].as_array_mut().expect("servers") {
            let since = server["since"].take();
            let since: jiff::Timestamp = since.as_str().expect("text").parse().expect("RFC 3339");
            assert!(
                since
                    .as_second()
                    .abs_diff(jiff::Timestamp::now().as_second())
                    < 60
            );
        }
    }
    let server = |name: &str, health: &str, probe: Value, reason: Value| {
        json!({
            "name": name, "address": "127.0.0.1:10000", "weight": 1, "backup": false, "health": health, "since": null,
            "role": null, "on_offer": health == "up", "admin": "ready", "max_connections": null,
            "sessions_active": 0, "sessions_total": 0, "reason": reason, "last_probe": probe,
        })
    };
    let probe = json!({
        "verdict": "down", "detail": "nobody listens", "duration_seconds": 0.0015, "at": "2027-01-15T08:00:00.000Z",
    });
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id(), "uptime_seconds": null, "generation": 1, "state": "running", "draining": null,
        "needs_restart": [], "refused_reload": null,
        "listeners": [{"name": "front", "bind": ["127.0.0.1:10000"], "protocol": ["tcp"], "sessions_active": 0, "sessions_total": 0,
            "max_connections": 900, "pools": ["hive"]}],
        "pools": [
            {"name": "hive", "service": "hiveserver2", "balance": "round-robin", "panic": false, "conflict": false,
             "queue": 0, "sticky_entries": null, "servers": [
                server("hs2-1.example.com:10000", "unknown", Value::Null, Value::Null),
                server("hs2-2", "down", probe, json!("connect-refused")),
            ]},
            {"name": "odd / pool", "service": "hiveserver2", "balance": "round-robin", "panic": false, "conflict": false,
             "queue": 0, "sticky_entries": null, "servers": [
                server("a/b", "up", Value::Null, Value::Null),
            ]},
        ],
    });
    assert_eq!(status, expected);
}

#[tokio::test]
async fn the_page_the_metrics_and_the_pulse() {
    let stage = stage(Some("s3cret")).await;
    let (code, head, page) = stage.ask("GET /", "", "").await;
    assert_eq!(code, 200);
    assert!(head.contains("content-type: text/html"));
    assert!(page.contains("<title>howdah</title>"));
    assert!(head.contains("script-src 'self'") && !head.contains("unsafe"));
    let (code, head, script) = stage.ask("GET /assets/app.js", "", "").await;
    assert_eq!(code, 200);
    assert!(head.contains("content-type: text/javascript") && script.contains("import "));
    assert_eq!(stage.ask("GET /assets/mod.rs", "", "").await.0, 404);
    let (code, head, text) = stage.ask("GET /metrics?name[]=x", "", "").await;
    assert_eq!(code, 200);
    assert!(head.contains("text/plain; version=0.0.4"));
    assert!(text.contains("howdah_server_weight{pool=\"hive\",server=\"hs2-2\"} 1"));
    assert_eq!(stage.ask("GET /healthz", "", "").await.0, 200);
    let (code, head, body) = stage.ask("HEAD /metrics", "", "").await;
    assert_eq!((code, body.as_str()), (200, ""));
    assert!(head.contains("content-length"));
}

#[tokio::test]
async fn ready_when_a_server_is_up_and_not_while_stopping() {
    let stage = stage(None).await;
    let (code, body) = stage.json("GET /readyz", "").await;
    let reason =
        "listener \"front\" reaches no server that is up: pool \"hive\" has 2 waiting".to_owned();
    assert_eq!((code, &body["reasons"]), (503, &json!([reason])));
    stage.conclude("hs2-2", Health::Up).await;
    assert_eq!(stage.ask("GET /readyz", "", "").await.0, 200);
    let (code, _) = stage
        .json("POST /api/v1/pools/hive/servers/hs2-2/drain", "")
        .await;
    assert_eq!(code, 200);
    let (code, body) = stage.json("GET /readyz", "").await;
    let reason = body["reasons"][0].as_str().expect("a reason").to_owned();
    assert_eq!(code, 503);
    assert!(reason.ends_with("has 1 draining, 1 waiting"), "{reason}");
    stage
        .json("POST /api/v1/pools/hive/servers/hs2-2/ready", "")
        .await;
    assert_eq!(stage.ask("GET /readyz", "", "").await.0, 200);
    stage.draining();
    let (_, status) = stage.json("GET /api/v1/status", "").await;
    assert_eq!(status["state"], "draining");
    assert_eq!(status["draining"]["sessions_left"], 0);
    let (code, body) = stage.json("GET /readyz", "").await;
    assert_eq!(code, 503);
    assert_eq!(
        body["reasons"][0],
        "howdah is stopping and takes no new sessions"
    );
    assert_eq!(stage.ask("GET /healthz", "", "").await.0, 200);
}

#[tokio::test]
async fn a_listener_that_is_not_bound_is_not_ready() {
    let stage = stage(None).await;
    stage.conclude("hs2-2", Health::Up).await;
    let mut view = RuntimeView::clone(&stage.context.view.load());
    view.listeners[0].bound.clear();
    stage.context.view.store(Arc::new(view));
    let (code, body) = stage.json("GET /readyz", "").await;
    assert_eq!(code, 503);
    assert_eq!(body["reasons"], json!(["listener \"front\" is not bound"]));
}

#[tokio::test]
async fn orders_are_in_force_when_the_answer_is_there() {
    let stage = stage(None).await;
    for (verb, admin) in [
        ("drain", "draining"),
        ("maintenance", "maintenance"),
        ("ready", "ready"),
    ] {
        let (code, body) = stage.json(&format!("POST {HS2}/{verb}"), "").await;
        assert_eq!((code, &body["admin"]), (200, &json!(admin)));
        assert_eq!(body["name"], "hs2-1.example.com:10000");
    }
    let (code, body) = stage
        .json(&format!("PUT {HS2}/weight"), r#"{"weight": 3}"#)
        .await;
    assert_eq!((code, &body["weight"]), (200, &json!(3)));
    let odd = "POST /api/v1/pools/odd%20%2F%20pool/servers/a%2fb/drain";
    assert_eq!(stage.json(odd, "").await.1["admin"], "draining");
    let (code, body) = stage.json(&format!("GET {HS2}"), "").await;
    assert_eq!((code, &body["weight"]), (200, &json!(3)));
}

#[tokio::test]
async fn a_server_is_also_known_by_its_address() {
    let stage = stage(None).await;
    let (code, body) = stage
        .json(
            "POST /api/v1/pools/odd%20%2F%20pool/servers/127.0.0.1:10000/drain",
            "",
        )
        .await;
    assert_eq!((code, &body["name"]), (200, &json!("a/b")), "{body}");
    assert_eq!(body["admin"], "draining");
    let shared = "/api/v1/pools/hive/servers/127.0.0.1:10000";
    let (code, body) = stage
        .json(&format!("PUT {shared}/weight"), r#"{"weight": 3}"#)
        .await;
    let error = "several servers have the address 127.0.0.1:10000: say which, hs2-1.example.com:10000, hs2-2";
    assert_eq!((code, &body["error"]), (422, &json!(error)));
    assert_eq!(stage.json(&format!("GET {shared}"), "").await.0, 422);
}

#[tokio::test(start_paused = true)]
async fn a_drain_with_a_timeout_cuts_what_is_left_unless_it_is_taken_back() {
    let stage = stage(None).await;
    let pool = Arc::clone(&stage.context.view.load().pools[0]);
    let mut falls = pool.falls().expect("nobody has asked before");
    let drain = format!("POST {HS2}/drain");
    let began = tokio::time::Instant::now();
    assert_eq!(stage.json(&drain, r#"{"timeout": "30m"}"#).await.0, 200);
    assert_eq!(stage.json(&drain, r#"{"timeout": "1h"}"#).await.0, 200);
    let fall = falls.recv().await.expect("the deadline");
    let cut = fall.server.upgrade().map(|server| server.id());
    assert_eq!(cut, Some(pool.load().members()[0].server.id()));
    assert_eq!(fall.what, Loss::Drain);
    assert_eq!(began.elapsed().as_secs(), 3600);
    assert_eq!(stage.json(&drain, r#"{"timeout": "1s"}"#).await.0, 200);
    assert_eq!(stage.json(&format!("POST {HS2}/ready"), "").await.0, 200);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(falls.try_recv().is_err(), "was taken back");
}

#[tokio::test]
async fn faults_are_sentences_with_their_code() {
    let stage = stage(None).await;
    let weight = format!("PUT {HS2}/weight");
    let drain = format!("POST {HS2}/drain");
    let long = format!("{{\"timeout\": \"{}s\"}}", "9".repeat(70_000));
    let table: &[(&str, &str, u16, &str)] = &[
        ("GET /nothing", "", 404, "nothing is here"),
        (
            "POST /api/v1/pools/pig/servers/a/drain",
            "",
            404,
            "there is no pool \"pig\": the pools are hive, odd / pool",
        ),
        (
            "POST /api/v1/pools/hive/servers/a/drain",
            "",
            404,
            "pool \"hive\" has no server \"a\": its servers are hs2-1.example.com:10000, hs2-2",
        ),
        (
            "POST /api/v1/pools/hive/servers/%zz/drain",
            "",
            400,
            "percent",
        ),
        (&weight, "", 422, "from 1 to 256"),
        (&weight, "{\"weight\": 0}", 422, "from 1 to 256"),
        (&weight, "{\"weight\": 257}", 422, "from 1 to 256"),
        (&weight, "{\"weight\": -1}", 422, "from 1 to 256"),
        (&weight, "{\"weight\": 1.5}", 422, "from 1 to 256"),
        (&weight, "{\"weight\": \"3\"}", 422, "from 1 to 256"),
        (&weight, "{\"wieght\": 3}", 422, "unknown key \"wieght\""),
        (&weight, "{\"weight\": 3", 400, "no JSON"),
        (&weight, "[3]", 400, "JSON object"),
        (&drain, "{\"timeout\": \"30\"}", 422, "unit is missing"),
        (&drain, "{\"timeout\": 30}", 422, "like \"30m\""),
        (&drain, "{\"timeout\": \"400d\"}", 422, "longer than a year"),
        (&drain, &long, 400, "longer than 64 KiB"),
        (
            &format!("POST {HS2}/ready"),
            "{\"timeout\": \"1s\"}",
            422,
            "takes none",
        ),
    ];
    for (line, body, code, sentence) in table {
        let (status, answer) = stage.json(line, body).await;
        let error = answer["error"].as_str().expect("an error");
        assert_eq!(status, *code, "{line} {error}");
        assert!(error.contains(sentence), "{line}: {error}");
    }
    let (_, now) = stage.json(&format!("GET {HS2}"), "").await;
    assert_eq!(
        (&now["weight"], &now["admin"]),
        (&json!(1), &json!("ready"))
    );
}

#[tokio::test]
async fn wrong_methods_hear_which_are_right() {
    let stage = stage(None).await;
    for (line, allow) in [
        ("POST /", "GET, HEAD"),
        ("DELETE /api/v1/status", "GET, HEAD"),
        ("GET /api/v1/reload", "POST"),
        (&format!("GET {HS2}/drain"), "POST"),
        (&format!("POST {HS2}/weight"), "PUT"),
    ] {
        let (code, head, body) = stage.ask(line, "", "").await;
        assert_eq!(code, 405, "{line}");
        assert!(head.contains(&format!("allow: {allow}")), "{line}: {head}");
        assert!(body.contains("\"error\""));
    }
}

#[tokio::test]
async fn commands_need_the_token_and_looking_does_not() {
    let stage = stage(Some("s3cret")).await;
    let (drain, weight) = (format!("POST {HS2}/drain"), format!("PUT {HS2}/weight"));
    for line in [&drain, &weight, "POST /api/v1/reload"] {
        for header in ["", "authorization: Bearer wrong\r\n"] {
            let (code, head, body) = stage.ask(line, header, "").await;
            assert_eq!(code, 401, "{line}");
            assert!(head.contains("www-authenticate: Bearer"));
            assert!(body.contains("HOWDAH_TOKEN"));
        }
    }
    let token = "authorization: Bearer s3cret\r\n";
    assert_eq!(stage.ask(&drain, token, "").await.0, 200);
    assert_eq!(stage.ask("GET /api/v1/status", "", "").await.0, 200);
    assert_eq!(stage.ask("GET /metrics", "", "").await.0, 200);
}

#[tokio::test]
async fn a_foreign_page_cannot_command() {
    let stage = stage(None).await;
    let origin = "origin: http://evil.example\r\n";
    let (code, _, body) = stage.ask(&format!("POST {HS2}/drain"), origin, "").await;
    assert_eq!(code, 400);
    assert!(body.contains("another site"));
}

#[tokio::test]
async fn a_reload_answers_with_what_changed_or_with_the_faults() {
    let mut stage = stage(None).await;
    let mut commands = std::mem::replace(&mut stage.commands, mpsc::channel(1).1);
    tokio::spawn(async move {
        for turn in 0.. {
            let Some(Command::Reload { reply, .. }) = commands.recv().await else {
                return;
            };
            let _ = reply.send(match turn {
                0 => Ok(Reloaded {
                    generation: 2,
                    changes: vec!["pool hive changed".into()],
                    warnings: Vec::new(),
                }),
                _ => Err(Rejected {
                    error: "the file has 1 fault".into(),
                    faults: vec!["error: a\n --> b".into()],
                    told: vec!["b: a".into()],
                }),
            });
        }
    });
    let (code, body) = stage.json("POST /api/v1/reload", "").await;
    assert_eq!(code, 200);
    let expected = json!({"generation": 2, "changes": ["pool hive changed"], "warnings": []});
    assert_eq!(body, expected);
    let (code, body) = stage.json("POST /api/v1/reload", "").await;
    assert_eq!(code, 422);
    let expected = json!({"error": "the file has 1 fault", "faults": ["error: a\n --> b"]});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn without_an_app_a_reload_is_for_later() {
    let mut stage = stage(None).await;
    stage.commands.close();
    let (code, body) = stage.json("POST /api/v1/reload", "").await;
    let error = json!("howdah is stopping and reloads no more");
    assert_eq!((code, &body["error"]), (503, &error));
}

#[tokio::test]
async fn bytes_that_are_not_http_end_their_connection_alone() {
    let stage = stage(None).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(stage.address).await.expect("connects");
        stream.write_all(bytes).await.expect("writes");
        stream.shutdown().await.expect("half-closes");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{bytes:?}");
    }
    let endless = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 70_000]].concat();
    let mut stream = TcpStream::connect(stage.address).await.expect("connects");
    let _ = stream.write_all(&endless).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(stage.ask("GET /healthz", "", "").await.0, 200);
    assert!(
        stage
            .context
            .metrics
            .render()
            .contains("{end=\"malformed\"}")
    );
}

#[tokio::test]
async fn a_hundred_silent_clients_do_not_lock_the_operator_out() {
    let stage = stage(None).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(stage.address).await.expect("connects");
        stream.write_all(b"GET / HT").await.expect("writes");
        silent.push(stream);
    }
    for _ in 0..100 {
        assert_eq!(stage.ask("GET /healthz", "", "").await.0, 200);
    }
    assert!(stage.context.metrics.render().contains("{end=\"limit\"}"));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_ended_in_time() {
    let stage = stage(None).await;
    let stream = TcpStream::connect(stage.address).await.expect("connects");
    let (mut reader, mut writer) = stream.into_split();
    let began = tokio::time::Instant::now();
    let dribble = tokio::spawn(async move {
        while writer.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = reader.read_to_end(&mut answer).await;
    assert!(began.elapsed() < Duration::from_secs(12));
    stage.ended("timeout").await;
    dribble.abort();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_a_fault() {
    let stage = stage(None).await;
    let head = format!(
        "PUT {HS2}/weight HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 13\r\n\r\n{{"
    );
    let answer = stage.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("took too long"));
}

#[tokio::test]
async fn a_port_in_use_is_a_sentence_that_says_what_to_do() {
    let stage = stage(None).await;
    let at = |bind| AdminPlan {
        bind,
        ..AdminPlan::clone(&stage.context.view.load().admin)
    };
    let error = AdminServer::bind(&at(stage.address)).err().expect("in use");
    let text = error.to_string();
    let port = stage.address.port();
    assert!(
        text.contains(&format!("port {port} is in use; end what holds it")),
        "{text}"
    );
    let foreign = SocketAddr::from(([192, 0, 2, 1], 0));
    let error = AdminServer::bind(&at(foreign)).err().expect("not ours");
    assert!(
        error
            .to_string()
            .contains("this machine has no address 192.0.2.1"),
        "{error}"
    );
}

/// `Order` and status say the same words as the paths do.
#[test]
fn orders_have_the_words_of_the_contract() {
    let words = [Order::Ready, Order::Drain, Order::Maintenance].map(Order::as_str);
    assert_eq!(words, ["ready", "draining", "maintenance"]);
}

#[tokio::test]
async fn the_table_is_an_openapi_document() {
    let stage = stage(None).await;
    let (code, document) = stage.json("GET /api/v1/openapi.json", "").await;
    assert_eq!((code, &document["openapi"]), (200, &json!("3.1.0")));
    let weight = &document["paths"]["/api/v1/pools/{pool}/servers/{server}/weight"]["put"];
    let statuses: Vec<_> = weight["responses"]
        .as_object()
        .expect("some")
        .keys()
        .collect();
    assert_eq!(statuses, ["200", "400", "401", "404", "422", "503"]);
    assert_eq!(weight["security"], json!([{ "token": [] }]));
    let schemas = &document["components"]["schemas"];
    let text = document.to_string();
    let names = text.split("\"#/components/schemas/").skip(1);
    let names: Vec<_> = names.filter_map(|rest| rest.split('"').next()).collect();
    let ids = text.split("\"operationId\":\"").skip(1);
    let ids: Vec<_> = ids.filter_map(|rest| rest.split('"').next()).collect();
    let different: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(schemas[name].is_object(), "{name} is not there");
    }
}

/// A table of its own files; here, that the question reaches the rules and the pool.
#[tokio::test]
async fn a_client_is_explained() {
    let stage = stage(None).await;
    let ask = "GET /api/v1/explain?listener=front&client=";
    let (code, said) = stage.json(&format!("{ask}10.66.1.2"), "").await;
    assert_eq!(
        (code, &said["decision"], &said["reason"]),
        (200, &json!("refused"), &json!("denied"))
    );
    let text = said["steps"][1]["text"].as_str().expect("a sentence");
    assert!(
        text.contains("10.66.0.0/16") && text.contains("deny"),
        "{text}"
    );
    let (code, said) = stage.json(&format!("{ask}10.1.2.3"), "").await;
    assert_eq!(
        (code, &said["decision"], &said["reason"]),
        (200, &json!("refused"), &json!("no-server"))
    );
    let (code, said) = stage
        .json("GET /api/v1/explain?listener=frnt&client=10.1.2.3", "")
        .await;
    assert_eq!(
        (code, &said["error"]),
        (
            404,
            &json!("there is no listener \"frnt\": the listeners are front")
        )
    );
    let (code, said) = stage
        .json("GET /api/v1/explain?listener=front&client=x", "")
        .await;
    assert!(
        code == 400
            && said["error"]
                .as_str()
                .is_some_and(|one| one.contains("IP address")),
        "{said}"
    );
}
