//! What outlives a howdah that was killed: sticky clients, orders, weights, verdicts; and what does not hinder its start.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use crate::eventually;
use crate::support::{Fault, Frame, Howdah, Site, StandInListener, TERM, at_once, raw, read_line};

fn config(file: &Path, servers: &[(&str, &StandInListener)], more: &str) -> String {
    let entry = |(name, standin): &(&str, &StandInListener)| {
        format!(
            "{{ name = \"{name}\", address = \"{}\" }}",
            standin.address()
        )
    };
    let servers: Vec<_> = servers.iter().map(entry).collect();
    format!(
        r#"
[state]
file = {file:?}

[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "tcp"
balance = "round-robin"
sticky = {{ by = "source-ip", ttl = "1h" }}
servers = [{}]
{more}
"#,
        servers.join(", ")
    )
}

fn client(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 9, number).into()
}

/// A session of that client, and the name of the server that answered.
async fn visit(front: SocketAddr, from: IpAddr) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let mut stream = socket.connect(front).await.unwrap();
    name_of(&mut stream).await
}

async fn name_of(stream: &mut TcpStream) -> String {
    use tokio::io::AsyncWriteExt;
    stream.write_all(b"who\n").await.unwrap();
    read_line(stream).await.unwrap()
}

fn named(name: &str) -> StandInListener {
    raw::named(&Frame::default(), name).unwrap()
}

#[tokio::test]
async fn sticky_clients_orders_and_weights_outlive_a_howdah_that_was_killed() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let config = config(
        &file,
        &[("a", &a), ("b", &b), ("c", &c)],
        "probe = \"none\"",
    );
    let mut first = Howdah::start(&config).await;
    first.ctl_ok(&["drain", "back/c", "--timeout", "2h"]).await;
    let front = first.address("front").await;
    let mut homes = BTreeMap::new();
    for number in 1..=12 {
        homes.insert(number, visit(front, client(number)).await);
    }
    // What changes by itself is written some seconds later, an order at once, and with it all the rest.
    first.ctl_ok(&["weight", "back/a", "7"]).await;
    at_once(async {
        eventually!(fs::read_to_string(&file).is_ok_and(|text| text.contains("\"weight\":7")));
    })
    .await;
    first.signal(Signal::KILL);
    first.exit().await;

    let second = Howdah::start(&config).await;
    let front = second.address("front").await;
    for (number, home) in &homes {
        assert_eq!(visit(front, client(*number)).await, *home, "{number}");
    }
    let drained = second.server("back", "c").await;
    assert_eq!(drained["admin"], "draining", "{drained}");
    let left = drained["ordered"]["seconds_left"].as_f64().unwrap();
    assert!(left > 7_000.0 && left <= 7_200.0, "{drained}");
    assert_eq!(second.server("back", "a").await["weight"], 7);
    let (_, events) = second.http("GET", "/api/v1/events", "").await;
    assert!(events.contains("(from the state file)"), "{events}");
    assert_eq!(
        second
            .metric("howdah_state_recalled_total", &[("what", "clients")])
            .await,
        12.0
    );
    assert_eq!(
        second
            .metric("howdah_state_recalled_total", &[("what", "orders")])
            .await,
        2.0
    );
}

/// Also what is ordered, and who comes, while the new one prepares; and its file is the old one's for as long as that serves.
#[tokio::test]
async fn a_takeover_hands_over_what_pools_remember() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let with_file = config(
        &file,
        &[("a", &a), ("b", &b), ("c", &c)],
        "probe = \"none\"",
    );
    let table = format!("[state]\nfile = {file:?}\n");
    assert!(with_file.contains(&table));
    let mut first = Howdah::start(&with_file.replace(&table, "")).await;
    first.ctl_ok(&["drain", "back/c", "--timeout", "2h"]).await;
    let front = first.address("front").await;
    let mut homes = BTreeMap::new();
    for number in 1..=12 {
        homes.insert(number, visit(front, client(number)).await);
    }
    first.ctl_ok(&["weight", "back/a", "7"]).await;

    let mut second = first.successor().await;
    assert!(first.exit().await.success());
    for (number, home) in &homes {
        assert_eq!(visit(front, client(*number)).await, *home, "{number}");
    }
    let drained = second.server("back", "c").await;
    assert_eq!(drained["admin"], "draining", "{drained}");
    assert_eq!(second.server("back", "a").await["weight"], 7);
    let (_, events) = second.http("GET", "/api/v1/events", "").await;
    assert!(events.contains("(from the howdah before)"), "{events}");

    // This one has a file by its configuration, and cannot serve: nothing is written.
    second.configure(&with_file.replace("\"127.0.0.1:0\"", "[\"127.0.0.1:0\", \"192.0.2.1:7\"]"));
    assert!(!second.takeover().exit().await.success());
    assert!(!file.exists());
    second.configure(&with_file);
    let third = second.successor().await;
    assert!(second.exit().await.success());
    at_once(async {
        eventually!(fs::read_to_string(&file).is_ok_and(|text| text.contains("\"weight\":7")));
    })
    .await;
    assert_eq!(third.server("back", "c").await["admin"], "draining");
}

#[tokio::test]
async fn the_first_session_after_a_restart_waits_for_no_verdict() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let (a, asked) = (
        named("a"),
        raw::banner(&Frame::default(), "hello\n").unwrap(),
    );
    // A probe that hangs tells nothing for two minutes.
    let probe = format!(
        "probe = {{ type = \"exchange\", port = {}, steps = [{{ expect = \"^hello\" }}], interval = \"5m\", timeout = \"2m\" }}",
        asked.address().port()
    );
    let config = config(&file, &[("a", &a)], &probe);
    let mut first = Howdah::start(&config).await;
    first.healthy("back", "a", "up").await;
    first.signal(TERM);
    assert!(first.exit().await.success());

    asked.switch().set(Fault::Hang);
    let second = Howdah::start(&config).await;
    let front = second.address("front").await;
    assert_eq!(at_once(visit(front, client(1))).await, "a");
    let server = second.server("back", "a").await;
    assert_eq!(
        (&server["health"], &server["recalled"]),
        (&"up".into(), &true.into()),
        "{server}"
    );
    assert_eq!(server["reason"], "ok", "{server}");
    let text = second.ctl_ok(&["status"]).await;
    assert!(text.contains("none yet (from memory)"), "{text}");
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_hinders_nobody() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    fs::write(&file, "{\"format\":\"howdah-state\",\"version\":1,").unwrap();
    let a = named("a");
    let howdah = Howdah::start(&config(&file, &[("a", &a)], "probe = \"none\"")).await;
    assert_eq!(visit(howdah.address("front").await, client(1)).await, "a");
    let unread = howdah.status().await["state_file"]["unread"].to_string();
    assert!(
        unread.contains("is damaged: ") && unread.contains("state.json.damaged-"),
        "{unread}"
    );
    let text = howdah.ctl_ok(&["status"]).await;
    assert!(
        text.contains("the state file of the former howdah"),
        "{text}"
    );
    eventually!(fs::read_to_string(&file).is_ok_and(|text| text.contains("sha256")));
}

#[tokio::test]
async fn a_full_disk_costs_nothing_but_the_memory() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let a = named("a");
    let site = Site::new().with_full_disk(kept.path());
    let mut howdah = site
        .start(&config(&file, &[("a", &a)], "probe = \"none\""))
        .await;
    eventually!(howdah.status().await["state_file"]["error"].is_string());
    let error = howdah.status().await["state_file"]["error"].to_string();
    assert!(error.contains("No space left on device"), "{error}");
    for _ in 0..3 {
        howdah.ctl_ok(&["maintenance", "back/a"]).await;
        howdah.ctl_ok(&["ready", "back/a"]).await;
    }
    let mut stream = howdah.connect("front").await;
    assert_eq!(name_of(&mut stream).await, "a");
    eventually!(
        howdah
            .metric("howdah_state_writes_total", &[("result", "failed")])
            .await
            >= 2.0
    );
    let (_, events) = howdah.http("GET", "/api/v1/events?kind=state", "").await;
    assert_eq!(events.matches("cannot be written").count(), 1, "{events}");
    drop(stream);
    howdah.signal(TERM);
    assert!(howdah.exit().await.success());
}
