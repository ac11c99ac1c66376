//! Availability from outside: outages of measured length, work by order, and a history that outlives its howdah.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::eventually;
use crate::support::{Fault, Frame, Howdah, TERM, exchange, raw, read_all, soon};

/// Probed quickly, marked ten times a second.
fn config(servers: &str, history: Option<&Path>) -> String {
    let file = history.map(|path| format!("file = {path:?}"));
    format!(
        r#"
[history]
{}
flush = "100ms"

[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "hive"
slo = 99

[pool.hive]
service = "tcp"
servers = [{servers}]
probe = {{ type = "tcp", interval = "50ms", fast_interval = "20ms", rise = 1, fall = 1 }}
slo = 99.9
"#,
        file.unwrap_or_default()
    )
}

fn named(name: &str, address: std::net::SocketAddr) -> String {
    format!("{{ name = {name:?}, address = \"{address}\" }}")
}

/// The answer for that pool or listener.
async fn of(howdah: &Howdah, kind: &str, name: &str) -> Value {
    let target = format!("/api/v1/availability?{kind}={name}&window=1h");
    let (code, body) = howdah.http("GET", &target, "").await;
    assert_eq!(code, 200, "{body}");
    let report: Value = serde_json::from_str(&body).unwrap();
    report["targets"][0].clone()
}

fn outages(target: &Value) -> Vec<Value> {
    target["outages"].as_array().unwrap().clone()
}

fn seconds(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

async fn session(howdah: &Howdah) {
    let mut stream = howdah.connect("front").await;
    exchange(&mut stream, "hello").await;
}

#[tokio::test]
async fn a_pool_that_was_killed_for_a_measured_time_shows_that_outage_and_its_cause() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&config(&named("hs2", server.address()), None)).await;
    howdah.healthy("hive", "hs2", "up").await;
    session(&howdah).await;
    // It has ended by the time that its server dies.
    eventually!(seconds(&of(&howdah, "pool", "hive").await["sessions_served"]) >= 1.0);
    let before = Instant::now();
    server.switch().set(Fault::Dead);
    // Whoever watches the pools sees it a moment after the status does.
    eventually!(outages(&of(&howdah, "pool", "hive").await).len() == 1);
    eventually!(outages(&of(&howdah, "listener", "front").await).len() == 1);
    let begun = Instant::now();
    let mut refused = howdah.connect("front").await;
    let _ = tokio::io::AsyncWriteExt::write_all(&mut refused, b"hello").await;
    let _ = read_all(&mut refused).await;
    eventually!(begun.elapsed() > Duration::from_millis(900));
    let least = begun.elapsed();
    server.switch().set(Fault::None);
    howdah.healthy("hive", "hs2", "up").await;
    for (kind, name) in [("pool", "hive"), ("listener", "front")] {
        eventually!(outages(&of(&howdah, kind, name).await)[0]["end"].is_string());
    }
    let most = before.elapsed();
    session(&howdah).await;
    eventually!(seconds(&of(&howdah, "pool", "hive").await["sessions_served"]) >= 2.0);

    for (kind, name) in [("pool", "hive"), ("listener", "front")] {
        let target = of(&howdah, kind, name).await;
        let [outage] = outages(&target)
            .try_into()
            .unwrap_or_else(|all| panic!("{all:?}"));
        let lasted = seconds(&outage["seconds"]);
        assert!(
            lasted >= least.as_secs_f64() && lasted <= most.as_secs_f64(),
            "{least:?} {lasted} {most:?}"
        );
        assert_eq!(outage["planned"], false);
        assert!(outage["end"].is_string(), "{outage}");
        let cause = outage["cause"].as_str().unwrap();
        assert!(
            cause.contains("hs2: ") && cause.contains("refused"),
            "{cause}"
        );
        assert!(
            (seconds(&target["down_seconds"]) - lasted).abs() < 0.002,
            "{target}"
        );
        let watched = seconds(&target["watched_seconds"]);
        let percent = 100.0 * (watched - lasted) / watched;
        assert!(
            (seconds(&target["available_percent"]) - percent).abs() < 0.1,
            "{target}"
        );
        assert_eq!(seconds(&target["sessions_failed"]), 1.0, "{target}");
        assert!(seconds(&target["budget_left_seconds"]) < seconds(&target["budget_seconds"]));
        assert_eq!(
            howdah
                .metric(
                    &format!("howdah_{kind}_outages_total"),
                    &[("kind", "failure")]
                )
                .await,
            1.0
        );
        assert_eq!(
            howdah
                .metric(&format!("howdah_{kind}_available"), &[])
                .await,
            1.0
        );
    }
    let latency = &of(&howdah, "pool", "hive").await["latency"];
    for what in ["connect", "first_byte", "turn"] {
        assert_eq!(latency[what]["count"], 2, "{latency}");
        assert!(seconds(&latency[what]["p50"]) < 5.0, "{latency}");
    }
    let shown = howdah
        .ctl_ok(&["availability", "--pool", "hive", "--window", "1h"])
        .await;
    assert!(
        shown.contains("pool hive") && shown.contains("hs2: "),
        "{shown}"
    );
    let unknown = howdah.ctl(&["availability", "--pool", "nobody"]).await;
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(
        !unknown.status.success() && said.contains("there is no pool nobody"),
        "{said}"
    );
}

#[tokio::test]
async fn work_by_order_is_planned_and_a_failure_beside_it_is_not() {
    let (a, b) = (
        raw::echo(&Frame::default()).unwrap(),
        raw::echo(&Frame::default()).unwrap(),
    );
    let servers = format!("{}, {}", named("a", a.address()), named("b", b.address()));
    let howdah = Howdah::start(&config(&servers, None)).await;
    for server in ["a", "b"] {
        howdah.healthy("hive", server, "up").await;
    }
    howdah.ctl_ok(&["drain", "hive/a"]).await;
    assert!(
        outages(&of(&howdah, "pool", "hive").await).is_empty(),
        "the other serves"
    );
    howdah.ctl_ok(&["maintenance", "hive/b"]).await;
    let hive = of(&howdah, "pool", "hive").await;
    let [outage] = outages(&hive).try_into().unwrap();
    assert_eq!(
        (&outage["planned"], &outage["end"]),
        (&Value::Bool(true), &Value::Null)
    );
    assert_eq!(outage["cause"], "a: draining; b: maintenance");
    // Nobody sees what a server does that is out by order, until it should work again.
    a.switch().set(Fault::Dead);
    howdah.healthy("hive", "a", "down").await;
    howdah.ctl_ok(&["ready", "hive/a"]).await;
    eventually!(outages(&of(&howdah, "listener", "front").await).len() == 2);
    howdah.ctl_ok(&["ready", "hive/b"]).await;
    let front = of(&howdah, "listener", "front").await;
    let kinds: Vec<bool> = outages(&front)
        .iter()
        .map(|one| one["planned"] == true)
        .collect();
    assert_eq!(kinds, [true, false]);
    assert!(
        outages(&front).iter().all(|one| one["end"].is_string()),
        "{front}"
    );
    assert!(seconds(&front["planned_seconds"]) > 0.0 && seconds(&front["down_seconds"]) > 0.0);
    assert_eq!(
        howdah
            .metric("howdah_pool_outages_total", &[("kind", "planned")])
            .await,
        1.0
    );
}

#[tokio::test]
async fn a_killed_howdah_loses_no_more_than_what_was_not_marked_yet() {
    let server = raw::echo(&Frame::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("history.redb");
    let config = config(&named("hs2", server.address()), Some(&file));
    let howdah = Howdah::start(&config).await;
    howdah.healthy("hive", "hs2", "up").await;
    server.switch().set(Fault::Dead);
    howdah.healthy("hive", "hs2", "down").await;
    server.switch().set(Fault::None);
    howdah.healthy("hive", "hs2", "up").await;
    session(&howdah).await;
    eventually!(of(&howdah, "pool", "hive").await["sessions_served"] == 1);
    let first = of(&howdah, "pool", "hive").await;
    let (code, events) = howdah.http("GET", "/api/v1/events", "").await;
    assert_eq!(code, 200);
    // Whatever was counted by now is written with the next mark.
    eventually!(howdah.metric("howdah_pool_available_ratio", &[]).await > 0.0);
    let marked = Instant::now();
    eventually!(marked.elapsed() > Duration::from_millis(500));
    drop(howdah);
    let killed = Instant::now();

    let howdah = Howdah::start(&config).await;
    let gone = killed.elapsed().as_secs_f64();
    howdah.healthy("hive", "hs2", "up").await;
    // The history opens on a thread of its own.
    eventually!(outages(&of(&howdah, "listener", "front").await).len() == 2);
    let (hive, front) = (
        of(&howdah, "pool", "hive").await,
        of(&howdah, "listener", "front").await,
    );
    assert_eq!(hive["sessions_served"], 1, "{hive}");
    assert_eq!(
        outages(&hive),
        outages(&first),
        "the pool was not watched meanwhile"
    );
    assert!(seconds(&hive["watched_seconds"]) >= seconds(&first["watched_seconds"]));
    let outage = &outages(&front)[1];
    assert_eq!(
        (&outage["cause"], &outage["planned"]),
        (&"howdah was not running".into(), &Value::Bool(false))
    );
    assert!(
        seconds(&outage["seconds"]) <= gone + 0.6,
        "{outage}, {gone}"
    );
    let known: Value = serde_json::from_str(&events).unwrap();
    let (_, now) = howdah.http("GET", "/api/v1/events", "").await;
    for event in known["events"].as_array().unwrap() {
        let text = event["seq"].to_string();
        assert!(now.contains(&text), "{event} is not among\n{now}");
    }
}

#[tokio::test]
async fn a_stop_by_order_is_planned_until_the_next_start() {
    let server = raw::echo(&Frame::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let config = config(
        &named("hs2", server.address()),
        Some(&folder.path().join("history.redb")),
    );
    let mut howdah = Howdah::start(&config).await;
    howdah.healthy("hive", "hs2", "up").await;
    howdah.signal(TERM);
    assert!(howdah.exit().await.success());
    let howdah = Howdah::start(&config).await;
    eventually!(outages(&of(&howdah, "listener", "front").await).len() == 1);
    let front = of(&howdah, "listener", "front").await;
    let outage = &outages(&front)[0];
    assert_eq!(
        (&outage["cause"], &outage["planned"]),
        (&"howdah was stopped".into(), &Value::Bool(true))
    );
    assert_eq!(seconds(&front["down_seconds"]), 0.0, "{front}");
}

#[tokio::test]
async fn a_history_that_is_none_is_set_aside_and_howdah_serves() {
    let server = raw::echo(&Frame::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("history.redb");
    fs::write(&file, "no history").unwrap();
    let howdah = Howdah::start(&config(&named("hs2", server.address()), Some(&file))).await;
    howdah.healthy("hive", "hs2", "up").await;
    session(&howdah).await;
    let told = |line: &Value| {
        let text = line.to_string();
        (text.contains("it was set aside") && text.contains("history.redb.aside-")).then_some(())
    };
    howdah.log().find(0, told).await;
    eventually!(of(&howdah, "pool", "hive").await["sessions_served"] == 1);
    let names = fs::read_dir(folder.path()).unwrap();
    let aside = names.filter(|name| {
        name.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains(".aside-")
    });
    assert_eq!(aside.count(), 1);
}

#[tokio::test]
async fn a_second_howdah_leaves_the_history_to_the_first() {
    let server = raw::echo(&Frame::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let config = config(
        &named("hs2", server.address()),
        Some(&folder.path().join("history.redb")),
    );
    let first = Howdah::start(&config).await;
    first.healthy("hive", "hs2", "up").await;
    eventually!(first.metric("howdah_pool_available_ratio", &[]).await > 0.0);
    let second = Howdah::start(&config).await;
    second.healthy("hive", "hs2", "up").await;
    let told = |line: &Value| {
        line.to_string()
            .contains("another howdah keeps its history there")
            .then_some(())
    };
    second.log().find(0, told).await;
    soon(session(&second)).await;
    assert_eq!(
        of(&second, "pool", "hive").await["available_percent"],
        100.0
    );
}
