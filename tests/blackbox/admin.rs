//! The admin address: API, commands, metrics, and what guards them.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::howdah::standin::Hue;
use tokio::io::AsyncWriteExt;

use crate::eventually;
use crate::support::howdah::http;
use crate::support::{Fault, Frame, Howdah, Site, exchange, plain, program, raw, read_line, run};

#[tokio::test]
async fn status_says_what_the_contract_promises() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "x").await;
    let status = howdah.status().await;
    assert!(status["version"].is_string() && status["uptime_seconds"].is_number());
    assert!(status["generation"].is_number());
    let listener = &status["listeners"][0];
    assert_eq!(listener["name"], "echo");
    assert_eq!(
        (&listener["sessions_active"], &listener["sessions_total"]),
        (&1.into(), &1.into())
    );
    let address = howdah.address("echo").await.to_string();
    assert!(
        listener["bind"].to_string().contains(&address),
        "{listener}"
    );
    let pool = &status["pools"][0];
    assert_eq!(
        (&pool["name"], &pool["service"]),
        (&"echo".into(), &"tcp".into())
    );
    assert_eq!(pool["balance"], "round-robin");
    let server_view = &pool["servers"][0];
    for field in [
        "name",
        "address",
        "weight",
        "health",
        "admin",
        "sessions_active",
        "sessions_total",
        "reason",
        "last_probe",
    ] {
        assert!(
            server_view.get(field).is_some(),
            "{field} is missing: {server_view}"
        );
    }
    assert_eq!(server_view["address"], server.address().to_string());
    assert_eq!(
        (&server_view["health"], &server_view["admin"]),
        (&"up".into(), &"ready".into())
    );
    let table = howdah.ctl_ok(&["status"]).await;
    assert!(
        table.contains("echo") && table.contains(&server.address().to_string()),
        "{table}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&howdah.ctl_ok(&["status", "--json"]).await).unwrap();
    assert_eq!(json["pools"][0]["name"], "echo");
}

#[tokio::test]
async fn orders_by_request_and_by_command() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let name = server.address().to_string();
    let target = |what: &str| format!("/api/v1/pools/echo/servers/{name}/{what}");
    for (what, admin) in [
        ("drain", "draining"),
        ("maintenance", "maintenance"),
        ("ready", "ready"),
    ] {
        let (code, body) = howdah.http("POST", &target(what), "").await;
        assert_eq!(code, 200, "{body}");
        let view: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(view["admin"], admin);
        howdah.ctl_ok(&[what, &format!("echo/{name}")]).await;
        assert_eq!(howdah.server("echo", &name).await["admin"], admin);
    }
    let (code, body) = howdah
        .http("PUT", &target("weight"), r#"{"weight": 3}"#)
        .await;
    assert_eq!(code, 200, "{body}");
    assert_eq!(howdah.server("echo", &name).await["weight"], 3);
    howdah
        .ctl_ok(&["weight", &format!("echo/{name}"), "7"])
        .await;
    assert_eq!(howdah.server("echo", &name).await["weight"], 7);
}

#[tokio::test]
async fn faults_are_told_with_their_code() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let weight = format!("/api/v1/pools/echo/servers/{}/weight", server.address());
    for (method, target, body, expected) in [
        ("GET", "/nowhere", "", 404),
        ("POST", "/api/v1/pools/echo/servers/nobody/drain", "", 404),
        ("POST", "/api/v1/pools/nobody/servers/x/drain", "", 404),
        ("GET", "/api/v1/reload", "", 405),
        ("DELETE", "/api/v1/status", "", 405),
        ("PUT", weight.as_str(), "no json", 400),
        ("PUT", weight.as_str(), r#"{"weight": 100000}"#, 422),
    ] {
        let (code, answer) = howdah.http(method, target, body).await;
        assert!(
            code == expected || (expected == 422 && code == 400),
            "{method} {target}: {code} {answer}"
        );
        if code != 404 || target.starts_with("/api") {
            assert!(answer.contains("\"error\""), "{method} {target}: {answer}");
        }
    }
    let output = howdah.ctl(&["drain", "echo/nobody"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("nobody"),
        "{output:?}"
    );
}

#[tokio::test]
async fn a_token_guards_the_commands() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    let token = site.write("admin.token", "open sesame\n");
    let config = plain("echo", &[server.address()], "")
        + "[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n[log]\nformat = \"json\"\n";
    let howdah = site.start(&config).await;
    let drain = format!("/api/v1/pools/echo/servers/{}/drain", server.address());
    for (header, code) in [
        (None, 401),
        (Some("Authorization: Bearer wrong"), 401),
        (Some("Authorization: Bearer open sesame"), 200),
    ] {
        let headers: Vec<&str> = header.into_iter().collect();
        assert_eq!(
            http(howdah.admin().await, "POST", &drain, "", &headers)
                .await
                .0,
            code,
            "{header:?}"
        );
    }
    let name = format!("echo/{}", server.address());
    let refused = howdah.ctl(&["ready", &name]).await;
    assert_eq!(refused.status.code(), Some(1));
    howdah
        .ctl_ok(&["ready", &name, "--token-file", token.to_str().unwrap()])
        .await;
    let mut command = program();
    command.env("HOWDAH_TOKEN", "open sesame");
    command.env("HOWDAH_ADMIN", format!("http://{}", howdah.admin().await));
    command.args(["status"]);
    assert!(run(command).await.status.success());
}

#[tokio::test]
async fn readiness_follows_the_servers() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("echo", &[server.address()], "").replace(
        "probe = \"none\"",
        "probe = { type = \"tcp\", interval = \"100ms\", fast_interval = \"20ms\" }",
    );
    let howdah = Howdah::start(&config).await;
    eventually!(howdah.http("GET", "/readyz", "").await.0 == 200);
    assert_eq!(howdah.http("GET", "/healthz", "").await.0, 200);
    server.switch().set(Fault::Refuse);
    eventually!(howdah.http("GET", "/readyz", "").await.0 == 503);
    let (_, why) = howdah.http("GET", "/readyz", "").await;
    assert!(why.contains("echo"), "{why}");
    assert_eq!(howdah.http("GET", "/healthz", "").await.0, 200);
}

#[tokio::test]
async fn metrics_tell_of_sessions_and_bytes() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "12345").await;
    drop(client);
    howdah.ended().await;
    let (code, text) = howdah.http("GET", "/metrics", "").await;
    assert_eq!(code, 200);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            line.starts_with("howdah_") || line.starts_with("process_"),
            "a name of another family: {line}"
        );
        assert!(
            !line.contains("127.0.0.1:") || line.contains("server=\""),
            "a client's address: {line}"
        );
    }
    let told = text.lines().any(|line| {
        line.starts_with("howdah_session") && line.contains("client-closed") && line.ends_with(" 1")
    });
    assert!(told, "no session that ended:\n{text}");
    let (code, page) = howdah.http("GET", "/", "").await;
    assert_eq!(code, 200);
    assert!(
        page.contains("<html") || page.contains("<!doctype"),
        "{page}"
    );
}

/// A weight of the running process decides the next sessions.
#[tokio::test]
async fn a_weight_changes_the_shares() {
    let standins = [
        raw::named(&Frame::default(), "a").unwrap(),
        raw::named(&Frame::default(), "b").unwrap(),
    ];
    let servers = [standins[0].address(), standins[1].address()];
    let howdah = Howdah::start(&plain("pair", &servers, "")).await;
    howdah
        .ctl_ok(&["weight", &format!("pair/{}", servers[1]), "4"])
        .await;
    let mut on_b = 0;
    for _ in 0..20 {
        let mut client = howdah.connect("pair").await;
        client.write_all(b"?").await.unwrap();
        on_b += usize::from(read_line(&mut client).await.unwrap() == "b");
    }
    assert_eq!(on_b, 16, "four of five");
}

#[tokio::test]
async fn garbage_on_the_admin_port_harms_nobody() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    for garbage in [
        &b"\x16\x03\x01\x00\x00"[..],
        b"GET",
        b"\0\0\0\0\0\0\0\0",
        b"POST / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(howdah.admin().await)
            .await
            .unwrap();
        stream.write_all(garbage).await.unwrap();
    }
    assert_eq!(howdah.http("GET", "/healthz", "").await.0, 200);
}

/// The log said `"changes":"[]"`, and the command printed `warning: warning:`.
#[tokio::test]
async fn a_reload_tells_its_changes_as_a_list_and_warns_once() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("echo", &[server.address()], "");
    let howdah = Howdah::start(&config).await;
    let unused = plain("spare", &[server.address()], "");
    let unused = &unused[unused.find("[pool").unwrap()..];
    let output = howdah.reload(&format!("{config}{unused}")).await;
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("warning: "), "{said}");
    assert!(!said.contains("warning: warning"), "{said}");
    let (_, changes) = howdah
        .log()
        .find(0, |line| line.get("changes").cloned())
        .await;
    assert_eq!(changes, serde_json::json!(["pool spare added"]));
}

#[tokio::test]
async fn a_server_takes_orders_by_its_address() {
    let server = raw::echo(&Frame::default()).unwrap();
    let address = server.address();
    let config = plain("echo", &[address], "").replace(
        &format!("[\"{address}\"]"),
        &format!("[{{ name = \"one\", address = \"{address}\" }}]"),
    );
    let howdah = Howdah::start(&config).await;
    howdah.ctl_ok(&["drain", &format!("echo/{address}")]).await;
    assert_eq!(howdah.server("echo", "one").await["admin"], "draining");
}

/// Whoever looks, looks at the cost of nobody else: the program once asked its servers and printed its status on the
/// same thread, and took healthy servers out when dashboards of a large site polled it.
#[tokio::test]
async fn sixty_dashboards_of_four_thousand_servers_take_no_healthy_server_out() {
    let hues: Vec<_> = (0..20)
        .map(|_| Hue::start(&Frame::default(), "hue").unwrap())
        .collect();
    let servers: Vec<_> = hues
        .iter()
        .map(|hue| format!("\"{}\"", hue.listener().address()))
        .collect();
    let servers = servers.join(", ");
    let mut config =
        "[[listener]]\nname = \"front\"\nbind = \"127.0.0.1:0\"\npool = \"p0\"\n".to_owned();
    for number in 0..200 {
        config += &format!(
            "[pool.p{number}]\nservice = \"hue\"\nservers = [{servers}]\n\
             probe = {{ type = \"hue\", interval = \"5s\", fast_interval = \"5s\", timeout = \"4s\", rise = 1, fall = 1 }}\n"
        );
    }
    let howdah = Howdah::start(&config).await;
    let asked = || {
        hues.iter()
            .map(|hue| hue.listener().accepted())
            .sum::<u64>()
    };
    let round = async || {
        let (begun, told) = (std::time::Instant::now(), asked());
        eventually!(asked() >= told + 4_000);
        begun.elapsed()
    };
    eventually!(howdah.metric("howdah_health_probes_total", &[]).await >= 4_000.0);
    // Five seconds, on a machine that has nothing else to do.
    let quiet = round().await;
    let before = howdah.log().so_far().len();
    let pollers = Pollers::start(howdah.admin().await, 60);
    // What others do on this machine slows a round; who waits for the dashboards is slow in each.
    let mut rounds = Vec::new();
    let in_time = |took: &Duration| *took < quiet * 3 / 2 + Duration::from_secs(1);
    while rounds.len() < 3 && !rounds.last().is_some_and(in_time) {
        rounds.push(round().await);
    }
    assert!(pollers.stop() >= 60, "each was answered");
    assert!(
        rounds.last().is_some_and(in_time),
        "a round of probes took {rounds:?}, and {quiet:?} before"
    );
    let lines = howdah.log().so_far();
    let down: Vec<_> = lines[before..]
        .iter()
        .filter(|line| line.contains("\"to\":\"down\""))
        .collect();
    assert!(
        down.is_empty(),
        "{} lines tell of a server that is down, the first: {}",
        down.len(),
        down[0]
    );
    let shown = howdah.status().await;
    let pools = shown["pools"].as_array().unwrap();
    assert_eq!(pools.len(), 200);
    for server in pools
        .iter()
        .flat_map(|pool| pool["servers"].as_array().unwrap())
    {
        assert_eq!(server["health"], "up", "{server}");
    }
}

/// Threads that ask for the status again and again.
struct Pollers {
    over: Arc<AtomicBool>,
    all: Vec<std::thread::JoinHandle<usize>>,
}

impl Pollers {
    fn start(admin: SocketAddr, count: usize) -> Self {
        let over = Arc::<AtomicBool>::default();
        let poll = |over: Arc<AtomicBool>| {
            move || {
                let mut answers = 0;
                while !over.load(Ordering::Relaxed) {
                    answers += usize::from(Self::ask(admin).is_ok_and(|length| length > 1_000_000));
                }
                answers
            }
        };
        let all = (0..count)
            .map(|_| std::thread::spawn(poll(Arc::clone(&over))))
            .collect();
        Self { over, all }
    }

    /// The length of one answer.
    fn ask(admin: SocketAddr) -> std::io::Result<usize> {
        let mut stream = std::net::TcpStream::connect(admin)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(b"GET /api/v1/status HTTP/1.0\r\n\r\n")?;
        let (mut buffer, mut length) = (vec![0; 64 * 1024], 0);
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(length),
                some => length += some,
            }
        }
    }

    /// How many answers there were.
    fn stop(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.all.into_iter().map(|one| one.join().unwrap()).sum()
    }
}
