//! Leaving without loss: one server by order, or howdah as a whole.

use std::time::{Duration, Instant};

use ::howdah::standin::{Hive, HiveClient, HiveOptions};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::eventually;
use crate::support::{Frame, Howdah, Site, TERM, exchange, plain, raw, read_all, read_line, soon};

fn pair(drain_timeout: &str, a: &str, b: &str) -> String {
    format!(
        r#"
[global]
drain_timeout = "{drain_timeout}"

[[listener]]
name = "hive"
bind = "127.0.0.1:0"
pool = "hive"

[pool.hive]
service = "hiveserver2"
servers = [{{ name = "a", address = "{a}" }}, {{ name = "b", address = "{b}" }}]
probe = "none"
"#
    )
}

fn hive(name: &str) -> Hive {
    Hive::start(&Frame::default(), HiveOptions::new(name)).unwrap()
}

/// A client whose session is on that server.
async fn client_on(howdah: &Howdah, name: &str) -> HiveClient {
    let front = howdah.address("hive").await;
    loop {
        let mut client = HiveClient::connect(front, "u").await.unwrap();
        if client.query("SELECT who").await.unwrap() == [name] {
            return client;
        }
    }
}

#[tokio::test]
async fn a_running_query_on_a_drained_server_finishes() {
    let (a, b) = (hive("a"), hive("b"));
    let config = pair(
        "30m",
        &a.listener().address().to_string(),
        &b.listener().address().to_string(),
    );
    let howdah = Howdah::start(&config).await;
    let mut working = client_on(&howdah, "a").await;
    a.set_delay(Duration::from_millis(1_500));
    let statements = a.statements();
    let query = async {
        let rows = working.query("SELECT long").await.unwrap();
        working.close().await.unwrap();
        (rows, Instant::now())
    };
    let drain = async {
        eventually!(a.statements() > statements);
        let said = howdah.ctl_ok(&["drain", "hive/a", "--wait"]).await;
        (said, Instant::now())
    };
    let others = async {
        eventually!(howdah.server("hive", "a").await["admin"] == "draining");
        let front = howdah.address("hive").await;
        for _ in 0..10 {
            let mut client = HiveClient::connect(front, "u").await.unwrap();
            assert_eq!(client.query("SELECT who").await.unwrap(), ["b"]);
        }
    };
    let ((rows, finished), (_, returned), ()) =
        soon(async { tokio::join!(query, drain, others) }).await;
    assert_eq!(rows, ["a"]);
    assert!(
        returned >= finished - Duration::from_millis(20),
        "--wait returned too early"
    );
    assert_eq!(howdah.server("hive", "a").await["sessions_active"], 0);
    howdah.ctl_ok(&["ready", "hive/a"]).await;
    a.set_delay(Duration::ZERO);
    drop(soon(client_on(&howdah, "a")).await);
}

#[tokio::test]
async fn drain_timeout_cuts_what_is_left() {
    let server = raw::named(&Frame::default(), "a").unwrap();
    let mut howdah = Howdah::start(&plain("back", &[server.address()], "")).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_line(&mut client).await.unwrap(), "a");
    let name = format!("back/{}", server.address());
    let begun = Instant::now();
    howdah
        .ctl_ok(&["drain", &name, "--timeout", "500ms", "--wait"])
        .await;
    assert!(begun.elapsed() >= Duration::from_millis(450));
    let _ = read_all(&mut client).await;
    assert_eq!(howdah.ended().await["reason"], "drained");
}

#[tokio::test]
async fn a_stop_lets_sessions_end_and_then_ends() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "before").await;
    howdah.signal(TERM);
    // Not ready any more, and not accepting, while the session lives.
    eventually!(howdah.http("GET", "/readyz", "").await.0 == 503);
    let address = howdah.address("echo").await;
    eventually!(TcpStream::connect(address).await.is_err());
    let refused = Instant::now();
    while refused.elapsed() < Duration::from_millis(500) {
        exchange(&mut client, "after").await;
    }
    assert!(!howdah.has_ended());
    drop(client);
    assert_eq!(howdah.exit().await.code(), Some(0));
    assert_eq!(howdah.ended().await["reason"], "client-closed");
}

#[tokio::test]
async fn a_stop_under_load_cuts_no_session_before_the_drain_time() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("echo", &[server.address()], "") + "\n[global]\ndrain_timeout = \"4s\"\n";
    let mut howdah = Howdah::start(&config).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = howdah.connect("echo").await;
        exchange(&mut client, "hello").await;
        clients.push(client);
    }
    let told = Instant::now();
    howdah.signal(TERM);
    while told.elapsed() < Duration::from_millis(1_500) {
        for client in &mut clients {
            exchange(client, "still").await;
        }
    }
    // Well before the drain time, also on a busy machine.
    for mut client in clients.drain(25..) {
        client.shutdown().await.unwrap();
        assert_eq!(read_all(&mut client).await.unwrap(), b"");
    }
    assert_eq!(howdah.exit().await.code(), Some(0));
    assert!(
        told.elapsed() >= Duration::from_millis(3_900),
        "ended before the drain time"
    );
    let lines = howdah.access_lines();
    let count = |reason: &str| lines.iter().filter(|line| line["reason"] == reason).count();
    assert_eq!((count("client-closed"), count("shutdown")), (25, 25));
}

/// All listeners close together, not one after another.
#[tokio::test]
async fn a_stop_takes_no_longer_with_many_listeners() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config: String = (0..12)
        .map(|number| plain(&format!("l{number}"), &[server.address()], ""))
        .collect();
    let mut howdah = Howdah::start(&config).await;
    let last = howdah.address("l11").await;
    howdah.signal(TERM);
    let told = Instant::now();
    eventually!(TcpStream::connect(last).await.is_err());
    assert_eq!(howdah.exit().await.code(), Some(0));
    assert!(
        told.elapsed() < Duration::from_secs(5),
        "{:?}",
        told.elapsed()
    );
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "hello").await;
    howdah.signal(TERM);
    eventually!(howdah.http("GET", "/readyz", "").await.0 == 503);
    howdah.signal(TERM);
    let begun = Instant::now();
    assert!(howdah.exit().await.code().is_some());
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(howdah.ended().await["reason"], "shutdown");
}

#[tokio::test]
async fn maintenance_takes_no_session_and_keeps_those_it_has() {
    let (a, b) = (hive("a"), hive("b"));
    let config = pair(
        "30m",
        &a.listener().address().to_string(),
        &b.listener().address().to_string(),
    );
    let howdah = Howdah::start(&config).await;
    let mut on_a = client_on(&howdah, "a").await;
    howdah.ctl_ok(&["maintenance", "hive/a"]).await;
    let front = howdah.address("hive").await;
    for _ in 0..6 {
        let mut client = HiveClient::connect(front, "u").await.unwrap();
        assert_eq!(client.query("SELECT who").await.unwrap(), ["b"]);
    }
    assert_eq!(on_a.query("SELECT who").await.unwrap(), ["a"]);
    assert_eq!(howdah.server("hive", "a").await["admin"], "maintenance");
}

/// Talks until the deadline of a server that left is well over.
async fn talk_past(clients: &mut [&mut TcpStream], drain_timeout: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < drain_timeout + Duration::from_millis(700) {
        for client in clients.iter_mut() {
            exchange(client, "still here").await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A client of listener `front` on the server of that name, as [`raw::named`] has it.
async fn visitor_of(howdah: &Howdah, name: &str) -> TcpStream {
    let visit = async {
        loop {
            let mut client = howdah.connect("front").await;
            client.write_all(b"?").await.unwrap();
            if read_line(&mut client).await.unwrap() == name {
                return client;
            }
        }
    };
    soon(visit).await
}

/// Longer than two reloads one after the other take on a busy machine.
const SHORT: &str = "\n[global]\ndrain_timeout = \"3s\"\n";

/// By default half an hour after a reload and its rollback.
#[tokio::test]
async fn a_server_that_is_put_back_keeps_its_sessions_past_the_first_deadline() {
    let (a, b) = (
        raw::named(&Frame::default(), "a").unwrap(),
        raw::named(&Frame::default(), "b").unwrap(),
    );
    let both = plain("front", &[a.address(), b.address()], "") + SHORT;
    let one = plain("front", &[b.address()], "") + SHORT;
    let mut howdah = Howdah::start(&both).await;
    let mut old = visitor_of(&howdah, "a").await;
    assert!(howdah.reload(&one).await.status.success());
    assert!(howdah.reload(&both).await.status.success());
    let mut new = visitor_of(&howdah, "a").await;
    talk_past(&mut [&mut old, &mut new], Duration::from_secs(3)).await;

    // It leaves for good: now its time counts, and from now.
    let left = Instant::now();
    assert!(howdah.reload(&one).await.status.success());
    let _ = timeout(Duration::from_secs(10), read_all(&mut old))
        .await
        .expect("cut at the deadline");
    assert!(left.elapsed() > Duration::from_millis(2_900));
    let _ = timeout(Duration::from_secs(3), read_all(&mut new)).await;
    let drained = howdah.ended_where(|line| line["reason"] == "drained");
    timeout(Duration::from_secs(3), drained)
        .await
        .expect("told");
}

#[tokio::test]
async fn a_pool_that_is_put_back_keeps_its_sessions_and_their_count() {
    let server = raw::named(&Frame::default(), "a").unwrap();
    let stays = plain("other", &[server.address()], "") + SHORT;
    let both = plain("front", &[server.address()], "") + &stays;
    let howdah = Howdah::start(&both).await;
    let mut old = visitor_of(&howdah, "a").await;
    assert!(howdah.reload(&stays).await.status.success());
    assert!(howdah.reload(&both).await.status.success());
    let name = server.address().to_string();
    assert_eq!(howdah.server("front", &name).await["sessions_active"], 1);
    talk_past(&mut [&mut old], Duration::from_secs(3)).await;

    // Without its pool a server has no more than the drain time.
    assert!(howdah.reload(&stays).await.status.success());
    let _ = timeout(Duration::from_secs(10), read_all(&mut old))
        .await
        .expect("cut at the deadline");
}

/// Whoever stands in front asks `/readyz` every so often, and sends clients until it has heard.
#[tokio::test]
async fn a_stop_goes_on_serving_for_the_delay_that_was_asked_for() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("echo", &[server.address()], "")
        + "\n[global]\nshutdown_delay = \"2s\"\ndrain_timeout = \"1m\"\n";
    let mut howdah = Howdah::start(&config).await;
    howdah.signal(TERM);
    let told = Instant::now();
    eventually!(howdah.http("GET", "/readyz", "").await.0 == 503);
    while told.elapsed() < Duration::from_millis(1_500) {
        let mut client = howdah.connect("echo").await;
        exchange(&mut client, "not yet gone").await;
    }
    let address = howdah.address("echo").await;
    eventually!(TcpStream::connect(address).await.is_err());
    assert!(told.elapsed() > Duration::from_millis(1_900));
    assert!(told.elapsed() < Duration::from_secs(6));
    assert_eq!(howdah.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_delay_too() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("echo", &[server.address()], "")
        + "\n[global]\nshutdown_delay = \"5m\"\ndrain_timeout = \"5m\"\n";
    let mut howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "hello").await;
    howdah.signal(TERM);
    eventually!(howdah.http("GET", "/readyz", "").await.0 == 503);
    howdah.signal(TERM);
    let exit = timeout(Duration::from_secs(5), howdah.exit()).await;
    assert_eq!(exit.expect("at once").code(), Some(0));
}

/// glibc asks a name server that is silent for ten seconds, on a thread that nobody can stop.
#[tokio::test]
async fn a_silent_name_server_does_not_hold_up_an_exit() {
    // Silent: bound, and never read. Where that port needs a right that we lack, a network that leads nowhere.
    let silent = std::net::UdpSocket::bind("127.77.0.1:53");
    let server = if silent.is_ok() {
        [127, 77, 0, 1]
    } else {
        [192, 0, 2, 1]
    };
    let known = raw::echo(&Frame::default()).unwrap();
    let config = plain("echo", &[known.address()], "")
        .replace("servers = [", "servers = [\"hs2-1.example.com:10000\", ");
    let site = Site::new().with_name_server(server.into());
    let mut howdah = site.start(&config).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "hello").await;
    drop(client);
    let told = Instant::now();
    howdah.signal(TERM);
    assert_eq!(howdah.exit().await.code(), Some(0));
    assert!(
        told.elapsed() < Duration::from_secs(4),
        "{:?}",
        told.elapsed()
    );
}
