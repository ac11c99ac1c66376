//! Clients and servers that do everything wrong, in any order: what must hold afterwards.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::howdah::standin::{Bytes, Wardrobe};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::eventually;
use crate::support::tls::over;
use crate::support::{Certificates, Fault, Frame, Howdah, Site, StandInListener, exchange, raw};

const CLIENTS: usize = 600;
const AT_ONCE: usize = 40;

#[tokio::test]
async fn whatever_happens_each_session_ends_once_and_leaves_nothing() {
    chaos(Skin::Plain).await;
}

#[tokio::test]
async fn the_same_through_tls_on_both_sides() {
    chaos(Skin::Tls).await;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Skin {
    Plain,
    Tls,
}

/// Every session ends in exactly one line, and leaves nothing behind: no session, no socket, no server's lease.
/// All the while servers fail, orders come and go, and the configuration is read again.
async fn chaos(skin: Skin) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "front", &["front.test"]);
    let wardrobe = Wardrobe::new(&certificates.authority, &["back.test"]).unwrap();
    let frame = Frame {
        tls: (skin == Skin::Tls).then(|| Arc::new(wardrobe)),
        ..Frame::default()
    };
    let standins: Vec<StandInListener> = (0..3).map(|_| raw::echo(&frame).unwrap()).collect();
    let mut howdah = site.start(&config(&standins, skin, 1)).await;
    let tls = (skin == Skin::Tls).then(|| certificates.client().connector());
    let front = howdah.address("front").await;
    exchange(&mut connect(front, tls.as_ref()).await.unwrap(), "warm").await;
    howdah.ended().await;
    let sockets = sockets(howdah.pid());

    let mut running = JoinSet::new();
    for number in 0..CLIENTS {
        if running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        if random.u8(..) < 40 {
            let standin = random.usize(..standins.len());
            standins[standin].switch().set(any_fault(&mut random));
        }
        if random.u8(..) < 20 {
            order(&howdah, &standins, &mut random).await;
        }
        if number % 128 == 127 {
            let weight = random.u16(1..9);
            let output = howdah.reload(&config(&standins, skin, weight)).await;
            assert!(output.status.success(), "{output:?}");
        }
        running.spawn(misbehave(front, tls.clone(), random.fork()));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }

    for standin in &standins {
        standin.switch().set(Fault::None);
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
    for standin in &standins {
        howdah
            .ctl_ok(&["ready", &format!("back/{}", standin.address())])
            .await;
    }
    exchange(
        &mut connect(front, tls.as_ref()).await.unwrap(),
        "and it still works",
    )
    .await;
    assert!(!howdah.log().so_far().join("\n").contains("panicked"));
}

fn config(standins: &[StandInListener], skin: Skin, weight: u16) -> String {
    let servers: Vec<String> = standins
        .iter()
        .map(|standin| {
            format!(
                "{{ address = \"{}\", weight = {weight} }}",
                standin.address()
            )
        })
        .collect();
    let (accept, connect) = match skin {
        Skin::Plain => ("", ""),
        Skin::Tls => (
            "[listener.tls]\ncertificates = [{ cert = \"front.crt\", key = \"front.key\" }]\n",
            "[pool.back.tls]\nca = \"ca.crt\"\nserver_name = \"back.test\"\n",
        ),
    };
    format!(
        r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"
greet_timeout = "500ms"
{accept}
[pool.back]
service = "tcp"
balance = "least-connection"
dial = "late"
servers = [{}]
probe = "none"
sticky = {{ by = "source-ip", ttl = "1s" }}
timeouts = {{ connect = "300ms", idle = "400ms", half_close = "200ms", first_byte = "300ms" }}
{connect}
"#,
        servers.join(", ")
    )
}

/// Somebody at the admin address who cannot make up his mind.
async fn order(howdah: &Howdah, standins: &[StandInListener], random: &mut fastrand::Rng) {
    let server = standins[random.usize(..standins.len())].address();
    let target = format!("/api/v1/pools/back/servers/{server}");
    let (code, said) = match random.u8(..4) {
        0 => howdah.http("POST", &format!("{target}/drain"), "").await,
        1 => {
            howdah
                .http("POST", &format!("{target}/maintenance"), "")
                .await
        }
        2 => {
            howdah
                .http("PUT", &format!("{target}/weight"), r#"{"weight": 7}"#)
                .await
        }
        _ => howdah.http("POST", &format!("{target}/ready"), "").await,
    };
    assert_eq!(code, 200, "{said}");
}

async fn connect(front: SocketAddr, tls: Option<&TlsConnector>) -> io::Result<Box<dyn Bytes>> {
    let stream = TcpStream::connect(front).await?;
    // Set before it is wrapped: a client that is dropped ends with RST half of the time.
    if fastrand::bool() {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    }
    match tls {
        None => Ok(Box::new(stream)),
        Some(connector) => Ok(Box::new(over(connector, stream, "front.test").await?)),
    }
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
async fn misbehave(front: SocketAddr, tls: Option<TlsConnector>, mut random: fastrand::Rng) {
    if tls.is_some() && random.u8(..10) == 0 {
        // No TLS at all, or half a hello.
        let mut stream = TcpStream::connect(front).await.unwrap();
        let _ = stream.write_all(b"\x16\x03\x01\x02\x00\x01").await;
        return sleep(Duration::from_millis(random.u64(..700))).await;
    }
    let Ok(mut stream) = connect(front, tls.as_ref()).await else {
        return;
    };
    let bytes = vec![b'x'; [0, 1, 100, 200_000][random.usize(..4)]];
    let say = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    let _ = timeout(Duration::from_secs(1), say).await;
    match random.u8(..5) {
        0 => {}
        1 => drop(timeout(Duration::from_secs(1), stream.shutdown()).await),
        2 => sleep(Duration::from_millis(random.u64(..100))).await,
        _ => {
            let mut heard = vec![0; bytes.len().max(1)];
            let _ = timeout(Duration::from_millis(600), stream.read_exact(&mut heard)).await;
        }
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
