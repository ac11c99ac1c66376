//! Weights follow what servers say of their own load: HiveServer2's and Impala's pages, and lines of HAProxy's agents.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::eventually;
use crate::support::{Frame, Howdah, StandInListener, exchange, raw, read_all, read_line, soon};

/// Says the same to everybody who connects, or closes: a page of metrics, or a line.
#[derive(Clone)]
struct Speaker {
    address: SocketAddr,
    words: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicU64>,
    heard: Arc<Mutex<String>>,
}

impl Speaker {
    /// On that address of loopback, and that port, or any with 0.
    async fn start(host: u8, port: u16, words: &str) -> Option<Self> {
        let at = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), port));
        let listener = TcpListener::bind(at).await.ok()?;
        let speaker = Self {
            address: listener.local_addr().unwrap(),
            words: Arc::new(Mutex::new(Some(words.to_owned()))),
            asked: Arc::default(),
            heard: Arc::default(),
        };
        let own = speaker.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().answer(stream));
            }
        });
        Some(speaker)
    }

    /// Two on the same port of two addresses.
    async fn two(words: &str) -> [Self; 2] {
        loop {
            let first = Self::start(1, 0, words).await.unwrap();
            if let Some(second) = Self::start(2, first.address.port(), words).await {
                return [first, second];
            }
        }
    }

    async fn answer(self, mut stream: TcpStream) -> std::io::Result<()> {
        let words = self.words.lock().unwrap().clone();
        let Some(words) = words else { return Ok(()) };
        let is_page = words.starts_with("HTTP/");
        let mut heard = [0; 1024];
        if is_page || words.starts_with("75%") {
            let count = stream.read(&mut heard).await?;
            *self.heard.lock().unwrap() = String::from_utf8_lossy(&heard[..count]).into_owned();
        }
        stream.write_all(words.as_bytes()).await?;
        self.asked.fetch_add(1, Ordering::SeqCst);
        stream.shutdown().await
    }

    fn says(&self, words: &str) {
        *self.words.lock().unwrap() = Some(words.to_owned());
    }

    fn falls_silent(&self) {
        *self.words.lock().unwrap() = None;
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn page(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// HiveServer2's metrics with so many operations that wait, beside a hundred that run.
fn hive(waiting: u32) -> String {
    let bean = |name: &str, value: u32| {
        format!("{{\"name\" : \"metrics:name={name}\", \"Value\" : {value}}}")
    };
    let beans = [
        bean("exec_async_pool_size", 100),
        bean("exec_async_queue_size", waiting),
        bean("hs2_open_sessions", 7),
    ];
    page(&format!("{{ \"beans\" : [ {} ] }}", beans.join(", ")))
}

fn impala(queued: u32) -> String {
    page(&format!(
        "{{\"impala-server.num-queries-registered\": 9, \"admission-controller.local-num-queued.root.default\": {queued}, \
         \"admission-controller.local-num-admitted-running.root.default\": 9}}"
    ))
}

/// Two servers that tell their name, at the hosts of the speakers.
fn servers() -> [StandInListener; 2] {
    [(1, "one"), (2, "two")].map(|(host, name)| {
        let bind = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
        raw::named(
            &Frame {
                bind,
                ..Frame::default()
            },
            name,
        )
        .unwrap()
    })
}

fn config(service: &str, servers: &[StandInListener; 2], load: &str) -> String {
    format!(
        r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "{service}"
balance = "round-robin"
sticky = {{ by = "none" }}
probe = "none"
servers = [{{ name = "one", address = "{}" }}, {{ name = "two", address = "{}" }}]
{load}
"#,
        servers[0].address(),
        servers[1].address()
    )
}

fn load(from: &str, speaker: &Speaker, more: &str) -> String {
    let port = speaker.address.port();
    format!("[pool.back.load]\nfrom = \"{from}\"\nport = {port}\n{more}")
}

/// One session, still open, and who answered.
async fn visit(howdah: &Howdah) -> (TcpStream, String) {
    let mut stream = howdah.connect("front").await;
    stream.write_all(b"?").await.unwrap();
    let name = read_line(&mut stream).await.unwrap();
    (stream, name)
}

/// One session after another; how many each server got.
async fn shares(howdah: &Howdah, count: u32) -> BTreeMap<String, u32> {
    let mut shares = BTreeMap::new();
    for _ in 0..count {
        let (mut stream, name) = visit(howdah).await;
        *shares.entry(name).or_insert(0) += 1;
        stream.shutdown().await.unwrap();
        read_all(&mut stream).await.unwrap();
    }
    shares
}

async fn said(howdah: &Howdah, server: &str) -> Value {
    howdah.server("back", server).await["load"].clone()
}

async fn factor(howdah: &Howdah, server: &str) -> f64 {
    said(howdah, server).await["factor"].as_f64().unwrap()
}

async fn a_full_server_gets_a_third(service: &str, from: &str, idle: &str, full: &str) {
    let servers = servers();
    let speakers = Speaker::two(idle).await;
    let load = load(from, &speakers[0], "interval = \"700ms\"");
    let howdah = Howdah::start(&config(service, &servers, &load)).await;
    eventually!(said(&howdah, "two").await["state"] == "live");
    let even = shares(&howdah, 20).await;
    assert_eq!((even["one"], even["two"]), (10, 10));
    let asked = speakers[1].asked();
    speakers[1].says(full);
    eventually!(factor(&howdah, "two").await <= 0.33);
    // The first of these may have been under way before.
    assert!(
        speakers[1].asked() <= asked + 4,
        "{asked} then {}",
        speakers[1].asked()
    );
    eventually!(factor(&howdah, "two").await <= 0.12);
    let uneven = shares(&howdah, 60).await;
    assert!(
        uneven.get("two").copied().unwrap_or(0) * 3 <= 30,
        "{uneven:?}"
    );
    let metric = howdah
        .metric("howdah_server_load_share", &[("server", "two")])
        .await;
    assert!(metric <= 0.12, "{metric}");
    speakers[1].says(idle);
    eventually!(factor(&howdah, "two").await == 1.0);
    let even = shares(&howdah, 20).await;
    assert_eq!((even["one"], even["two"]), (10, 10));
}

#[tokio::test]
async fn a_hiveserver2_that_says_it_is_full_gets_a_third_of_its_share_and_comes_back() {
    a_full_server_gets_a_third("hiveserver2", "hiveserver2-web", &hive(0), &hive(100)).await;
}

#[tokio::test]
async fn an_impala_that_queues_gets_a_third_of_its_share_and_comes_back() {
    a_full_server_gets_a_third("impala", "impala-web", &impala(0), &impala(9)).await;
}

#[tokio::test]
async fn a_page_that_is_none_costs_no_weight_and_is_shown() {
    let servers = servers();
    let speakers = Speaker::two(&hive(0)).await;
    let load = load("hiveserver2-web", &speakers[0], "interval = \"200ms\"");
    let howdah = Howdah::start(&config("hiveserver2", &servers, &load)).await;
    for (words, detail) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n",
            "status 401, wants Negotiate",
        ),
        (&page("{\"beans\": []}"), "hive.server2.metrics.enabled"),
        (&page("<html>"), "no page of metrics"),
    ] {
        speakers[1].says(&hive(100));
        eventually!(factor(&howdah, "two").await <= 0.33);
        speakers[1].says(words);
        eventually!(said(&howdah, "two").await["state"] == "silent");
        let shown = said(&howdah, "two").await["detail"].to_string();
        assert!(shown.contains(detail), "{shown}");
        eventually!(factor(&howdah, "two").await == 1.0);
    }
    speakers[1].falls_silent();
    let is_end = |detail: &Value| {
        let detail = detail.to_string();
        detail.contains("closed") || detail.contains("reset")
    };
    eventually!(is_end(&said(&howdah, "two").await["detail"]));
    assert_eq!(shares(&howdah, 20).await["two"], 10);
    assert_eq!(howdah.server("back", "two").await["health"], "up");
    assert!(
        howdah
            .metric("howdah_server_load_misses_total", &[("server", "two")])
            .await
            >= 3.0
    );
    let log = howdah.log().so_far().join("\n");
    let told = log.matches("server does not say how loaded it is").count();
    assert!((1..=4).contains(&told), "one line each time: {told}");
}

#[tokio::test]
async fn agents_of_haproxy_are_understood() {
    let servers = servers();
    let speakers = Speaker::two("75%\n").await;
    let load = load(
        "agent",
        &speakers[0],
        "interval = \"200ms\"\nsend = \"back\\n\"",
    );
    let howdah = Howdah::start(&config("tcp", &servers, &load)).await;
    eventually!(factor(&howdah, "one").await == 0.75 && factor(&howdah, "two").await == 0.75);
    assert_eq!(*speakers[1].heard.lock().unwrap(), "back\n");
    speakers[1].says("25%\r\n");
    eventually!(factor(&howdah, "two").await == 0.25);
    let uneven = shares(&howdah, 40).await;
    assert_eq!((uneven["one"], uneven["two"]), (30, 10), "3 to 1");

    let mut old = visit(&howdah).await;
    while old.1 != "two" {
        old = visit(&howdah).await;
    }
    let mut old = old.0;
    speakers[1].says("drain 100%\n");
    eventually!(said(&howdah, "two").await["withdrawn"] == "drain");
    assert_eq!(howdah.server("back", "two").await["on_offer"], false);
    assert_eq!(shares(&howdah, 10).await.get("two"), None);
    exchange(&mut old, "still here").await;
    // Only the agent itself takes it back.
    speakers[1].says("100%\n");
    eventually!(factor(&howdah, "two").await == 1.0);
    assert_eq!(said(&howdah, "two").await["withdrawn"], "drain");
    speakers[1].says("ready\n");
    eventually!(said(&howdah, "two").await["withdrawn"].is_null());
    assert!(shares(&howdah, 10).await["two"] >= 4);
    let (_, told) = howdah.http("GET", "/api/v1/events?kind=order", "").await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let orders = told["events"].as_array().unwrap().iter();
    let words =
        orders.map(|one| [&one["by"], &one["from"], &one["to"]].map(|word| word.as_str().unwrap()));
    let words: Vec<_> = words.collect();
    assert_eq!(
        words,
        [["agent", "ready", "drain"], ["agent", "drain", "ready"]]
    );

    speakers[1].says("down #disk is full\n");
    eventually!(said(&howdah, "two").await["withdrawn"] == "down");
    assert_eq!(said(&howdah, "two").await["detail"], "disk is full");
    speakers[1].says("up maxconn:1\n");
    eventually!(said(&howdah, "two").await["max_connections"] == 1);
    assert_eq!(shares(&howdah, 10).await.get("two"), None, "it has one");
    drop(old);
    eventually!(howdah.server("back", "two").await["sessions_active"] == 0);
    assert!(shares(&howdah, 10).await["two"] >= 4);
    speakers[1].says("hello\n");
    let word = "nobody knows the word \"hello\"";
    eventually!(said(&howdah, "two").await["detail"] == word);
    speakers[1].falls_silent();
    eventually!(said(&howdah, "two").await["max_connections"].is_null());
    assert_eq!(said(&howdah, "two").await["state"], "silent");
}

#[tokio::test]
async fn a_reload_that_asks_no_more_forgets_what_was_said() {
    let servers = servers();
    let speakers = Speaker::two("ready\n").await;
    let load = load("agent", &speakers[0], "interval = \"200ms\"");
    let howdah = Howdah::start(&config("tcp", &servers, &load)).await;
    speakers[1].says("maint 50%\n");
    eventually!(said(&howdah, "two").await["withdrawn"] == "maint");
    let config = config("tcp", &servers, "");
    let output = howdah.reload(&config).await;
    assert!(output.status.success(), "{output:?}");
    eventually!(said(&howdah, "two").await.is_null());
    assert_eq!(shares(&howdah, 10).await["two"], 5);
    let asked = speakers[1].asked();
    soon(tokio::time::sleep(Duration::from_secs(1))).await;
    assert!(
        speakers[1].asked() <= asked + 1,
        "one may have been under way"
    );
}
