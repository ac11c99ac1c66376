//! Who gets which session: shares, weights, stickiness, bounds, and workers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::eventually;
use crate::support::{
    Fault, Frame, Howdah, StandInListener, at_once, exchange, plain, raw, read_all, read_line, soon,
};

/// Three named servers, and a pool of them with weights 1, 2 and 5 on four workers.
fn weighted(balance: &str) -> (Vec<StandInListener>, String) {
    let standins: Vec<StandInListener> = ["one", "two", "five"]
        .iter()
        .map(|name| raw::named(&Frame::default(), name).unwrap())
        .collect();
    let servers: Vec<String> = ["one", "two", "five"]
        .iter()
        .zip([1, 2, 5])
        .zip(&standins)
        .map(|((name, weight), standin)| {
            let address = standin.address();
            format!("{{ name = \"{name}\", address = \"{address}\", weight = {weight} }}")
        })
        .collect();
    (standins, config(balance, &servers, ""))
}

fn config(balance: &str, servers: &[String], more: &str) -> String {
    format!(
        r#"
[global]
workers = 4

[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "tcp"
balance = "{balance}"
servers = [{}]
probe = "none"
{more}
"#,
        servers.join(", ")
    )
}

fn entry(name: &str, standin: &StandInListener, more: &str) -> String {
    format!(
        "{{ name = \"{name}\", address = \"{}\"{more} }}",
        standin.address()
    )
}

/// One session, from that source address; returns who answered. The session is still open.
async fn visit(front: SocketAddr, from: IpAddr) -> (TcpStream, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let mut stream = socket.connect(front).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"?").await.unwrap();
    let name = read_line(&mut stream).await.unwrap();
    (stream, name)
}

/// `count` sessions one after another from many addresses, `wide` of them open at any time.
async fn shares(howdah: &Howdah, count: u32, wide: usize) -> BTreeMap<String, u32> {
    let front = howdah.address("front").await;
    let mut shares = BTreeMap::new();
    let mut open = std::collections::VecDeque::new();
    for number in 0..count {
        let (stream, name) = visit(front, client(number)).await;
        *shares.entry(name).or_insert(0) += 1;
        open.push_back(stream);
        if open.len() > wide {
            let mut oldest = open.pop_front().unwrap();
            oldest.shutdown().await.unwrap();
            read_all(&mut oldest).await.unwrap();
        }
    }
    shares
}

/// Addresses of 127.0.0.0/8 spread over the hash.
fn client(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x7f00_0001 + (number % 4000) * 251))
}

fn total() -> u32 {
    std::env::var("HOWDAH_TEST_SESSIONS").map_or(10_000, |count| count.parse().expect("a number"))
}

/// Counts within `tolerance` (a part of one) of the shares 1, 2, 5 of eight.
fn assert_shares(shares: &BTreeMap<String, u32>, tolerance: f64) {
    let all: u32 = shares.values().sum();
    for (name, weight) in [("one", 1.0), ("two", 2.0), ("five", 5.0)] {
        let expected = f64::from(all) * weight / 8.0;
        let got = f64::from(shares.get(name).copied().unwrap_or(0));
        let off = (got - expected).abs() / expected;
        assert!(off <= tolerance, "{name}: {got} of {expected}: {shares:?}");
    }
}

#[tokio::test]
async fn round_robin_gives_each_its_exact_share() {
    let (_doors, config) = weighted("round-robin");
    let howdah = Howdah::start(&config).await;
    assert_shares(&shares(&howdah, total(), 0).await, 0.0);
}

#[tokio::test]
async fn least_connection_holds_shares_of_what_is_open() {
    let (standins, config) = weighted("least-connection");
    let howdah = Howdah::start(&config).await;
    let front = howdah.address("front").await;
    let mut open = Vec::new();
    for number in 0..400 {
        open.push(visit(front, client(number)).await.0);
    }
    let held: Vec<u64> = standins.iter().map(StandInListener::open_now).collect();
    assert_eq!(held, [50, 100, 250], "open sessions");
    drop(open);
    eventually!(standins.iter().all(|standin| standin.open_now() == 0));
    // With few sessions open the definition, smallest (active + 1) / weight, prefers the heavy one: 16 open are 2, 4, 10.
    assert_shares(&shares(&howdah, total(), 16).await, 0.25);
}

#[tokio::test]
async fn random_comes_near_the_shares() {
    let (_doors, config) = weighted("random");
    let howdah = Howdah::start(&config).await;
    assert_shares(&shares(&howdah, total(), 40).await, 0.25);
}

#[tokio::test]
async fn source_hash_comes_near_the_shares_and_keeps_clients() {
    let (standins, config) = weighted("source-hash");
    let howdah = Howdah::start(&config).await;
    let front = howdah.address("front").await;
    let mut home = BTreeMap::new();
    let mut counted = BTreeMap::new();
    for number in 0..total().min(2_000) {
        let (mut stream, name) = visit(front, client(number)).await;
        *counted.entry(name.clone()).or_insert(0) += 1;
        home.insert(number, name);
        stream.shutdown().await.unwrap();
        read_all(&mut stream).await.unwrap();
    }
    assert_shares(&counted, 0.35);
    for (&number, name) in home.iter().take(300) {
        let (mut stream, again) = visit(front, client(number)).await;
        assert_eq!(&again, name, "client {number} keeps its server");
        stream.shutdown().await.unwrap();
        read_all(&mut stream).await.unwrap();
    }
    howdah.ctl_ok(&["maintenance", "back/two"]).await;
    eventually!(howdah.server("back", "two").await["admin"] == "maintenance");
    for (&number, name) in home.iter().take(300) {
        let (mut stream, now) = visit(front, client(number)).await;
        match name.as_str() {
            "two" => assert_ne!(now, "two"),
            _ => assert_eq!(&now, name, "client {number} had another server and stays"),
        }
        stream.shutdown().await.unwrap();
        read_all(&mut stream).await.unwrap();
    }
    drop(standins);
}

/// Each session asks once: the answer's time is what the balancer sees.
#[tokio::test]
async fn response_time_prefers_the_quick_and_comes_back_to_the_healed() {
    let (quick, slow) = (
        raw::named(&Frame::default(), "quick").unwrap(),
        raw::named(&Frame::default(), "slow").unwrap(),
    );
    quick.switch().set(Fault::Delay(Duration::from_millis(2)));
    slow.switch().set(Fault::Delay(Duration::from_millis(40)));
    let servers = [entry("quick", &quick, ""), entry("slow", &slow, "")];
    let more = "dial = \"late\"";
    let howdah = Howdah::start(&config("response-time", &servers, more)).await;
    let shares_of = shares(&howdah, 1_000, 0).await;
    let of = |name| shares_of.get(name).copied().unwrap_or(0);
    assert!(of("quick") >= 4 * of("slow"), "{shares_of:?}");
    slow.switch().set(Fault::Delay(Duration::from_millis(2)));
    let begun = Instant::now();
    loop {
        let now = shares(&howdah, 50, 0).await;
        if now.get("slow").copied().unwrap_or(0) >= 10 {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "not back after 30 s: {now:?}"
        );
    }
}

#[tokio::test]
async fn a_sticky_client_stays_until_its_server_is_drained() {
    let standins = [
        raw::named(&Frame::default(), "a").unwrap(),
        raw::named(&Frame::default(), "b").unwrap(),
    ];
    let servers = [entry("a", &standins[0], ""), entry("b", &standins[1], "")];
    let more = "sticky = { by = \"source-ip\", ttl = \"1h\" }";
    let mut howdah = Howdah::start(&config("round-robin", &servers, more)).await;
    let front = howdah.address("front").await;
    let me = client(1);
    let (_open, home) = visit(front, me).await;
    for _ in 0..10 {
        assert_eq!(visit(front, me).await.1, home);
        assert_eq!(howdah.ended().await["pick"], "sticky");
    }
    let spread: std::collections::BTreeSet<String> = {
        let mut names = std::collections::BTreeSet::new();
        for number in 2..8 {
            names.insert(visit(front, client(number)).await.1);
        }
        names
    };
    assert_eq!(spread.len(), 2, "other clients go elsewhere");
    howdah.ctl_ok(&["drain", &format!("back/{home}")]).await;
    let (_open_too, now) = visit(front, me).await;
    assert_ne!(now, home, "sticky yields to drain");
    howdah.ctl_ok(&["ready", &format!("back/{home}")]).await;
    assert_eq!(visit(front, me).await.1, now, "and stays where it went");
}

#[tokio::test]
async fn a_backup_serves_when_no_other_is_up() {
    let (main, backup) = (
        raw::named(&Frame::default(), "main").unwrap(),
        raw::named(&Frame::default(), "backup").unwrap(),
    );
    let servers = [
        entry("main", &main, ""),
        entry("backup", &backup, ", backup = true"),
    ];
    let mut howdah = Howdah::start(&config("round-robin", &servers, "")).await;
    let front = howdah.address("front").await;
    for number in 0..10 {
        assert_eq!(visit(front, client(number)).await.1, "main");
    }
    howdah.ctl_ok(&["maintenance", "back/main"]).await;
    assert_eq!(visit(front, client(0)).await.1, "backup");
    let line = howdah.ended_where(|line| line["server"] == "backup").await;
    assert_eq!(line["pick"], "backup");
    howdah.ctl_ok(&["ready", "back/main"]).await;
    assert_eq!(visit(front, client(0)).await.1, "main");
}

#[tokio::test]
async fn a_full_server_is_skipped_and_not_called_ill() {
    let (small, large) = (
        raw::named(&Frame::default(), "small").unwrap(),
        raw::named(&Frame::default(), "large").unwrap(),
    );
    let servers = [
        entry("small", &small, ", weight = 100, max_connections = 3"),
        entry("large", &large, ", max_connections = 2"),
    ];
    let no_queue = config("least-connection", &servers, "max_queue = 0");
    let mut howdah = Howdah::start(&no_queue).await;
    let front = howdah.address("front").await;
    let mut open = Vec::new();
    for number in 0..5 {
        open.push(visit(front, client(number)).await.0);
    }
    assert_eq!((small.open_now(), large.open_now()), (3, 2));
    let mut refused = howdah.connect("front").await;
    let _ = refused.write_all(b"?").await;
    let _ = read_all(&mut refused).await;
    let line = howdah.ended().await;
    assert_eq!(line["reason"], "limit", "{line}");
    assert_eq!(howdah.server("back", "small").await["health"], "up");
    drop(open);
    eventually!(small.open_now() == 0);
    assert_eq!(visit(front, client(9)).await.1, "small");
}

#[tokio::test]
async fn a_listener_takes_no_more_than_its_bound() {
    let server = raw::echo(&Frame::default()).unwrap();
    let text = config("round-robin", &[entry("echo", &server, "")], "").replace(
        "pool = \"back\"\n",
        "pool = \"back\"\nmax_connections = 2\n",
    );
    let mut howdah = Howdah::start(&text).await;
    let mut first = howdah.connect("front").await;
    let mut second = howdah.connect("front").await;
    exchange(&mut first, "a").await;
    exchange(&mut second, "b").await;
    let mut third = howdah.connect("front").await;
    let _ = read_all(&mut third).await;
    let line = howdah.ended().await;
    assert_eq!(
        (&line["stage"], &line["reason"]),
        (&"admit".into(), &"limit".into())
    );
    drop(first);
    howdah
        .ended_where(|line| line["reason"] == "client-closed")
        .await;
    let mut fourth = howdah.connect("front").await;
    exchange(&mut fourth, "d").await;
}

/// Few connections over four workers: without the handout the kernel's hash would pile them up.
#[tokio::test]
async fn few_connections_are_spread_over_the_workers() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&config("round-robin", &[entry("echo", &server, "")], "")).await;
    let front = howdah.address("front").await;
    let mut open = Vec::new();
    for _ in 0..24 {
        let mut stream = TcpStream::connect(front).await.unwrap();
        exchange(&mut stream, "x").await;
        open.push(stream);
    }
    let busy_before = worker_ticks(howdah.pid());
    assert_eq!(busy_before.len(), 4, "worker threads: {busy_before:?}");
    // Every session talks; every worker must be seen working.
    let begun = Instant::now();
    loop {
        for stream in &mut open {
            let chunk = vec![b'x'; 256 * 1024];
            soon(async {
                let (mut reader, mut writer) = stream.split();
                let mut back = vec![0; chunk.len()];
                let (sent, heard) =
                    tokio::join!(writer.write_all(&chunk), reader.read_exact(&mut back));
                sent.unwrap();
                heard.unwrap();
            })
            .await;
        }
        let now = worker_ticks(howdah.pid());
        let busy = now
            .iter()
            .filter(|(id, ticks)| busy_before.get(*id).is_some_and(|old| *ticks > old))
            .count();
        if busy == 4 {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "idle workers: {busy_before:?} {now:?}"
        );
    }
}

/// As many workers as processors: each keeps to its own, unless told not to.
#[tokio::test]
async fn each_worker_keeps_to_a_processor_of_its_own() {
    let all = processors_of("/proc/self/status");
    let server = raw::echo(&Frame::default()).unwrap();
    for (affinity, want) in [
        ("auto", all.iter().map(|own| vec![*own]).collect::<Vec<_>>()),
        ("none", vec![all.clone(); all.len()]),
    ] {
        let workers = all.len();
        let config = plain("front", &[server.address()], "")
            + &format!("\n[global]\nworkers = {workers}\ncpu_affinity = \"{affinity}\"\n");
        let howdah = Howdah::start(&config).await;
        eventually!({
            let workers = workers_of(howdah.pid());
            let homes = workers
                .iter()
                .map(|(_, task)| processors_of(&format!("{task}/status")));
            let mut homes: Vec<Vec<u32>> = homes.collect();
            homes.sort();
            homes == want
        });
    }
}

/// Where a thread may run: "0-2,5" is 0, 1, 2 and 5.
fn processors_of(status: &str) -> Vec<u32> {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let number = |text: &str| text.trim().parse::<u32>().unwrap();
    let ranges = line.unwrap_or_default().split(',');
    ranges
        .filter(|range| !range.trim().is_empty())
        .flat_map(|range| match range.split_once('-') {
            Some((first, last)) => number(first)..=number(last),
            None => number(range)..=number(range),
        })
        .collect()
}

/// Name and folder of each worker's thread.
fn workers_of(pid: u32) -> Vec<(String, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let named = tasks.flatten().map(|task| {
        let folder = task.path().display().to_string();
        let name = std::fs::read_to_string(format!("{folder}/comm")).unwrap_or_default();
        (name.trim().to_owned(), folder)
    });
    named.filter(|(name, _)| name.contains("worker")).collect()
}

/// Processor ticks by worker thread.
fn worker_ticks(pid: u32) -> BTreeMap<String, u64> {
    let mut ticks = BTreeMap::new();
    for (name, task) in workers_of(pid) {
        let stat = std::fs::read_to_string(format!("{task}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let fields: Vec<&str> = after_name.split(' ').collect();
        if fields.len() > 13 {
            let used = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
            ticks.insert(format!("{name} {task}"), used);
        }
    }
    ticks
}

/// One server with room for one, and a session that has it.
async fn full(more: &str) -> (Howdah, StandInListener, TcpStream) {
    let server = raw::named(&Frame::default(), "only").unwrap();
    let entries = [entry("only", &server, ", max_connections = 1")];
    let howdah = Howdah::start(&config("least-connection", &entries, more)).await;
    let mut first = asks(&howdah).await;
    assert_eq!(read_line(&mut first).await.unwrap(), "only");
    (howdah, server, first)
}

async fn asks(howdah: &Howdah) -> TcpStream {
    let mut client = howdah.connect("front").await;
    client.write_all(b"?").await.unwrap();
    client
}

async fn queued(howdah: &Howdah, count: f64) {
    let pool = &[("pool", "back")];
    eventually!(howdah.metric("howdah_pool_queue_length", pool).await == count);
}

#[tokio::test]
async fn a_full_pool_serves_who_waits_in_the_order_of_arrival() {
    let (howdah, server, first) = full("[pool.back.timeouts]\nqueue = \"5m\"").await;
    let mut second = asks(&howdah).await;
    queued(&howdah, 1.0).await;
    let mut third = asks(&howdah).await;
    queued(&howdah, 2.0).await;
    assert_eq!(server.accepted(), 1, "nobody is sent to a full server");
    drop(first);
    let heard = timeout(Duration::from_secs(3), read_line(&mut second)).await;
    assert_eq!(heard.expect("its turn").unwrap(), "only");
    queued(&howdah, 1.0).await;
    drop(second);
    let heard = timeout(Duration::from_secs(3), read_line(&mut third)).await;
    assert_eq!(heard.expect("its turn").unwrap(), "only");
    let served = [("pool", "back"), ("end", "served")];
    let count = howdah
        .metric("howdah_pool_queue_ended_total", &served)
        .await;
    assert_eq!(count, 2.0);
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_takes_no_turn() {
    let (mut howdah, server, first) = full("[pool.back.timeouts]\nqueue = \"5m\"").await;
    let leaves = asks(&howdah).await;
    queued(&howdah, 1.0).await;
    let mut stays = asks(&howdah).await;
    queued(&howdah, 2.0).await;
    drop(leaves);
    let line = timeout(Duration::from_secs(3), howdah.ended()).await;
    let line = line.expect("heard of it");
    assert_eq!(
        (&line["stage"], &line["reason"], &line["attempts"]),
        (&"choose".into(), &"client-closed".into(), &0.into())
    );
    drop(first);
    let heard = timeout(Duration::from_secs(3), read_line(&mut stays)).await;
    assert_eq!(heard.expect("its turn").unwrap(), "only");
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn waiting_for_a_server_is_bounded_in_time_and_number() {
    let server = raw::named(&Frame::default(), "only").unwrap();
    let entries = [entry("only", &server, ", max_connections = 1")];
    let waits = |time: &str| {
        let more = format!("max_queue = 1\n[pool.back.timeouts]\nqueue = \"{time}\"");
        config("least-connection", &entries, &more)
    };
    let mut howdah = Howdah::start(&waits("5m")).await;
    let mut first = asks(&howdah).await;
    assert_eq!(read_line(&mut first).await.unwrap(), "only");
    let second = asks(&howdah).await;
    queued(&howdah, 1.0).await;
    let _third = asks(&howdah).await;
    assert_eq!(at_once(howdah.ended()).await["reason"], "limit");
    drop(second);
    assert_eq!(at_once(howdah.ended()).await["reason"], "client-closed");
    assert!(howdah.reload(&waits("700ms")).await.status.success());
    let begun = Instant::now();
    let _fourth = asks(&howdah).await;
    assert_eq!(at_once(howdah.ended()).await["reason"], "queue-timeout");
    assert!(begun.elapsed() >= Duration::from_millis(690));
    queued(&howdah, 0.0).await;
}
