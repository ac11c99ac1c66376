//! Clients and servers that do everything wrong, in any order: what must hold afterwards.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::eventually;
use crate::support::{Door, Fault, Frame, Howdah, exchange, raw};

const CLIENTS: usize = 600;
const AT_ONCE: usize = 40;

/// Every session ends in exactly one line, and leaves nothing behind: no session, no socket, no server's lease.
#[tokio::test]
async fn whatever_happens_each_session_ends_once_and_leaves_nothing() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let doors: Vec<Door> = (0..3)
        .map(|_| raw::echo(&Frame::default()).unwrap())
        .collect();
    let mut howdah = Howdah::start(&config(&doors)).await;
    let mut first = howdah.connect("front").await;
    exchange(&mut first, "warm").await;
    drop(first);
    howdah.ended().await;
    let sockets = sockets(howdah.pid());
    let front = howdah.address("front").await;

    let mut running = JoinSet::new();
    for _ in 0..CLIENTS {
        if running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        if random.u8(..) < 40 {
            let door = random.usize(..doors.len());
            doors[door].switch().set(any_fault(&mut random));
        }
        running.spawn(misbehave(front, random.fork()));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }

    for door in &doors {
        door.switch().set(Fault::None);
    }
    eventually!(howdah.access_lines().len() > CLIENTS);
    let status = howdah.status().await;
    assert_eq!(status["listeners"][0]["sessions_active"], 0, "{status}");
    for server in status["pools"][0]["servers"].as_array().unwrap() {
        assert_eq!(server["sessions_active"], 0, "{server}");
    }
    eventually!(self::sockets(howdah.pid()) <= sockets);
    let lines = howdah.access_lines();
    assert_eq!(lines.len(), CLIENTS + 1, "one line for each");
    let ids: HashSet<String> = lines
        .iter()
        .map(|line| line["session"].to_string())
        .collect();
    assert_eq!(ids.len(), lines.len(), "each session once");
    let mut reasons = BTreeMap::new();
    for line in &lines {
        *reasons
            .entry(line["reason"].as_str().unwrap().to_owned())
            .or_insert(0) += 1;
    }
    println!("{reasons:?}");
    assert!(!reasons.contains_key("internal"), "{reasons:?}");
    assert!(reasons.len() > 4, "a quiet chaos: {reasons:?}");
    let ended = howdah.metric("howdah_session_ended_total", &[]).await;
    assert_eq!(
        ended,
        f64::from(u32::try_from(lines.len()).unwrap()),
        "metrics count the same"
    );
    let mut last = howdah.connect("front").await;
    exchange(&mut last, "and it still works").await;
    assert!(!howdah.log().so_far().join("\n").contains("panicked"));
}

fn config(doors: &[Door]) -> String {
    let servers: Vec<String> = doors
        .iter()
        .map(|door| format!("\"{}\"", door.address()))
        .collect();
    format!(
        r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "tcp"
balance = "least-connection"
dial = "late"
servers = [{}]
probe = "none"
sticky = {{ by = "source-ip", ttl = "1s" }}
timeouts = {{ connect = "300ms", idle = "400ms", half_close = "200ms", first_byte = "300ms" }}
"#,
        servers.join(", ")
    )
}

fn any_fault(random: &mut fastrand::Rng) -> Fault {
    match random.u8(..8) {
        0 => Fault::Refuse,
        1 => Fault::Dead,
        2 => Fault::Hang,
        3 => Fault::Dribble,
        4 => Fault::Reset,
        5 => Fault::HalfClose,
        6 => Fault::Delay(Duration::from_millis(random.u64(..300))),
        _ => Fault::None,
    }
}

/// One client that says something or nothing, listens or does not, and leaves in some way.
async fn misbehave(front: std::net::SocketAddr, mut random: fastrand::Rng) {
    let mut stream = TcpStream::connect(front).await.unwrap();
    let bytes = vec![b'x'; [0, 1, 100, 200_000][random.usize(..4)]];
    let saying = stream.write_all(&bytes);
    let _ = timeout(Duration::from_secs(1), saying).await;
    match random.u8(..5) {
        0 => {}
        1 => drop(stream.shutdown().await),
        2 => sleep(Duration::from_millis(random.u64(..100))).await,
        _ => {
            let mut heard = vec![0; bytes.len().max(1)];
            let _ = timeout(Duration::from_millis(600), stream.read_exact(&mut heard)).await;
        }
    }
    if random.bool() {
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
}

/// Open sockets; pipes are kept for the next sessions, a bounded number.
fn sockets(pid: u32) -> usize {
    let all = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten();
    all.filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}
