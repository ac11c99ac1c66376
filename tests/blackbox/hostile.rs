//! Clients that mean no good, by the thousand; what those who do notice of them.
//!
//! Silent ones, slow handshakes, floods of connections that are dropped or reset, headers in single bytes and headers
//! without an end: all at once. Good clients are served all the while, and their 99th percentile stays within twice
//! of what it was in quiet; the floor under that figure is what a shared machine does to anybody.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::eventually;
use crate::support::tls::over;
use crate::support::{Certificates, Frame, Howdah, Site, exchange, raw};

#[tokio::test]
async fn good_clients_are_served_among_thousands_of_hostile_ones() {
    LocalSet::new().run_until(besieged()).await;
}

async fn besieged() {
    let sockets_wanted = (SILENT + SLOW + 2_000) as u64;
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum.or(Some(sockets_wanted)),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "front", &["front.test"]);
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Rc::new(site.start(&config(server.address())).await);
    let fronts = Fronts {
        plain: howdah.address("plain").await,
        tls: howdah.address("tls").await,
        announced: howdah.address("announced").await,
    };
    let connector = certificates.client().connector();
    good(fronts, connector.clone(), Duration::from_millis(300)).await;
    eventually!(open(&howdah).await == 0);
    let (sockets, memory) = (sockets(howdah.pid()), howdah.memory());

    let quiet = good(fronts, connector.clone(), WATCHED).await;
    let mut crowd = Crowd::default();
    crowd.gather(fronts).await;
    eventually!(open(&howdah).await >= SILENT as u64);
    let gathered = open(&howdah).await;
    let flood = tokio::task::spawn_local(flood(fronts));
    let besieged = good(fronts, connector.clone(), WATCHED).await;
    flood.abort();
    let grown = howdah.memory().saturating_sub(memory);
    println!(
        "p99 of {} good exchanges in quiet {:.1?}, of {} among {gathered} hostile sessions {:.1?}; {} KiB for each",
        quiet.count,
        quiet.p99,
        besieged.count,
        besieged.p99,
        grown / 1024 / gathered
    );
    let bound = (quiet.p99 * 2).max(FLOOR);
    assert!(besieged.p99 <= bound, "{:?}, above {bound:?}", besieged.p99);
    assert!(
        grown / gathered < 64 << 10,
        "{grown} bytes for {gathered} sessions"
    );

    // None of them is borne for ever: not those that say nothing, nor those that never come to an end.
    eventually!(open(&howdah).await == 0);
    drop(crowd);
    eventually!(self::sockets(howdah.pid()) <= sockets);
    let after = good(fronts, connector, Duration::from_millis(300)).await;
    assert!(after.count > 0);
    assert!(!howdah.log().so_far().join("\n").contains("panicked"));
}

fn config(server: SocketAddr) -> String {
    format!(
        r#"
[[listener]]
name = "plain"
bind = "127.0.0.1:0"
pool = "back"

[[listener]]
name = "tls"
bind = "127.0.0.1:0"
pool = "back"
greet_timeout = "45s"
tls = {{ certificates = [{{ cert = "front.crt", key = "front.key" }}] }}

[[listener]]
name = "announced"
bind = "127.0.0.1:0"
pool = "back"
greet_timeout = "45s"
accept_proxy = ["127.0.0.0/8"]

[pool.back]
service = "tcp"
dial = "late"
servers = ["{server}"]
probe = "none"
timeouts = {{ first_byte = "45s" }}

[admin]
bind = "127.0.0.1:0"

[log]
access = "access.log"
"#
    )
}

#[derive(Clone, Copy)]
struct Fronts {
    plain: SocketAddr,
    tls: SocketAddr,
    announced: SocketAddr,
}

/// What good clients noticed.
struct Noticed {
    count: usize,
    p99: Duration,
}

/// A few clients that connect, ask and leave, again and again, in every way; each of them must be served.
async fn good(fronts: Fronts, tls: TlsConnector, length: Duration) -> Noticed {
    let mut running = JoinSet::new();
    for number in 0..6 {
        let tls = tls.clone();
        running.spawn_local(async move {
            let (begun, mut took) = (Instant::now(), Vec::new());
            while begun.elapsed() < length {
                let once = Instant::now();
                let visit = visit(fronts, number % 3, &tls);
                timeout(PATIENCE, visit)
                    .await
                    .expect("served in time")
                    .expect("served");
                took.push(once.elapsed());
                sleep(Duration::from_millis(10)).await;
            }
            took
        });
    }
    let mut took: Vec<Duration> = running.join_all().await.into_iter().flatten().collect();
    took.sort();
    Noticed {
        count: took.len(),
        p99: took[took.len() * 99 / 100],
    }
}

async fn visit(fronts: Fronts, way: usize, tls: &TlsConnector) -> io::Result<()> {
    match way {
        0 => exchange(&mut TcpStream::connect(fronts.plain).await?, "hello").await,
        1 => {
            let stream = TcpStream::connect(fronts.tls).await?;
            exchange(&mut over(tls, stream, "front.test").await?, "hello").await;
        }
        _ => {
            let mut stream = TcpStream::connect(fronts.announced).await?;
            stream
                .write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
                .await?;
            exchange(&mut stream, "hello").await;
        }
    }
    Ok(())
}

/// Those that stay.
#[derive(Default)]
struct Crowd {
    silent: Vec<TcpStream>,
    busy: JoinSet<()>,
}

impl Crowd {
    async fn gather(&mut self, fronts: Fronts) {
        for number in 0..SILENT {
            let front = [fronts.plain, fronts.tls, fronts.announced][number % 3];
            self.silent
                .push(from_somewhere(front, number).await.expect("taken in"));
        }
        let hello = client_hello();
        for number in 0..SLOW {
            let stream = from_somewhere(fronts.tls, number).await.expect("taken in");
            self.busy.spawn_local(dribble(stream, hello.clone()));
        }
        for number in 0..SPLIT {
            let stream = from_somewhere(fronts.announced, number)
                .await
                .expect("taken in");
            self.busy
                .spawn_local(dribble(stream, endless_header(number)));
        }
    }
}

/// Each from an address of its own, as nobody has ports for all of them.
async fn from_somewhere(front: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(number % 200).unwrap_or(0) + 2;
    socket.bind(SocketAddr::from(([127, 0, 9, last], 0)))?;
    timeout(PATIENCE, socket.connect(front)).await?
}

/// One byte at a time, as slowly as keeps them interested.
async fn dribble(mut stream: TcpStream, bytes: Vec<u8>) {
    for byte in bytes {
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    let _ = stream.read_u8().await;
}

/// Headers that begin well and go on too long, or promise more than anybody will read.
fn endless_header(number: usize) -> Vec<u8> {
    let mut header = match number % 2 {
        0 => b"PROXY TCP4 ".to_vec(),
        _ => b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec(),
    };
    header.resize(70_000, b'1');
    header
}

/// As rustls says it.
fn client_hello() -> Vec<u8> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "front.test".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

/// Those that come only to trouble: no handshake, no header, too much at once, or gone before they are there.
async fn flood(fronts: Fronts) {
    for number in 0.. {
        let front = [fronts.plain, fronts.tls, fronts.announced][number % 3];
        if let Ok(mut stream) = from_somewhere(front, number).await {
            match number % 4 {
                0 => {}
                1 => SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap(),
                // More than any header may have, in one piece.
                2 => drop(stream.try_write(&endless_header(number / 4))),
                _ => drop(
                    timeout(BRIEF, stream.write_all(b"\x16\x03\x01\xff\xff\x01nonsense")).await,
                ),
            }
        }
        sleep(BRIEF).await;
    }
}

/// Sessions that howdah counts.
async fn open(howdah: &Howdah) -> u64 {
    let status = howdah.status().await;
    let listeners = status["listeners"].as_array().unwrap();
    listeners
        .iter()
        .filter_map(|one| one["sessions_active"].as_u64())
        .sum()
}

fn sockets(pid: u32) -> usize {
    let all = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    all.flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

const SILENT: usize = 5_000;
const SLOW: usize = 1_000;
const SPLIT: usize = 200;

/// How long good clients are watched.
const WATCHED: Duration = Duration::from_secs(5);

/// What a busy machine with two processors does to one exchange in a hundred, whoever else is connected.
const FLOOR: Duration = Duration::from_millis(150);

/// Between two connections of the flood.
const BRIEF: Duration = Duration::from_millis(2);

const PATIENCE: Duration = Duration::from_secs(10);
