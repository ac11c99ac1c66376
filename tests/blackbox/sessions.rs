//! Who is there, who ended last, and the end of one: by the API and by the command.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::eventually;
use crate::support::{Frame, Howdah, Site, at_once, exchange, plain, raw, soon};

async fn list(howdah: &Howdah, query: &str) -> Value {
    let (code, body) = howdah
        .http("GET", &format!("/api/v1/sessions{query}"), "")
        .await;
    assert_eq!(code, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The one session of that client.
async fn of(howdah: &Howdah, client: &TcpStream) -> Value {
    let own = client.local_addr().unwrap().to_string();
    let all = list(howdah, "").await;
    let mut all = all["sessions"].as_array().unwrap().iter();
    all.find(|one| one["client"] == *own).unwrap().clone()
}

#[tokio::test]
async fn a_session_shows_where_it_is_and_what_went_through_it() {
    let server = raw::echo(&Frame::default()).unwrap();
    let other = raw::echo(&Frame::default()).unwrap();
    let config = plain("one", &[server.address()], "") + &plain("two", &[other.address()], "");
    let howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("one").await;
    let _other = howdah.connect("two").await;
    exchange(&mut client, "twelve bytes").await;
    eventually!(list(&howdah, "").await["total"] == 2);
    let shown = of(&howdah, &client).await;
    assert_eq!(shown["listener"], "one");
    assert_eq!(shown["pool"], "one");
    assert_eq!(shown["server"], server.address().to_string());
    assert_eq!(shown["protocol"], "tcp");
    assert_eq!(shown["stage"], "relay");
    assert_eq!(shown["pick"], "only-one");
    assert_eq!(shown["bytes_from_client"], 12);
    assert_eq!(shown["bytes_from_server"], 12);
    let (age, idle) = (&shown["age_seconds"], &shown["idle_seconds"]);
    assert!(age.as_f64() >= idle.as_f64(), "{shown}");
    let address = server.address();
    for (query, total) in [
        ("?listener=one".to_owned(), 1),
        ("?pool=two".to_owned(), 1),
        ("?pool=three".to_owned(), 0),
        (format!("?server={address}"), 1),
        (format!("?pool=two&server={address}"), 0),
        ("?client=127.0.0.0/8".to_owned(), 2),
        ("?client=10.0.0.0/8".to_owned(), 0),
        ("?client=::ffff:127.0.0.1".to_owned(), 2),
        ("?client=::ffff:127.0.0.0/104".to_owned(), 2),
        ("?idle=1h".to_owned(), 0),
        ("?idle=0ms&limit=1".to_owned(), 2),
    ] {
        let shown = list(&howdah, &query).await;
        assert_eq!(shown["total"], total, "{query}: {shown}");
    }
    assert_eq!(
        list(&howdah, "?limit=1").await["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let table = howdah.ctl_ok(&["sessions", "--pool", "one"]).await;
    assert!(table.contains(shown["id"].as_str().unwrap()), "{table}");
    assert!(table.ends_with("\n1 session\n"), "{table}");
}

#[tokio::test]
async fn what_ended_is_told_with_its_reason_the_newest_first() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("one", &[server.address()], "")).await;
    for text in ["a", "bc"] {
        let mut client = howdah.connect("one").await;
        exchange(&mut client, text).await;
        drop(client);
        howdah.ended().await;
    }
    let (code, body) = howdah
        .http("GET", "/api/v1/sessions/ended?pool=one", "")
        .await;
    assert_eq!(code, 200, "{body}");
    let told: Value = serde_json::from_str(&body).unwrap();
    let logged = howdah.access_lines();
    for (shown, line) in [
        (&told["sessions"][0], &logged[1]),
        (&told["sessions"][1], &logged[0]),
    ] {
        let (shown, line) = (shown.as_object().unwrap(), line.as_object().unwrap());
        for (key, value) in line.iter().filter(|(key, _)| *key != "time") {
            assert_eq!(&shown[key], value, "{key}");
        }
        assert!(shown.contains_key("ended_at"));
    }
    let table = howdah.ctl_ok(&["sessions", "--ended"]).await;
    assert_eq!(table.matches("client-closed").count(), 2, "{table}");
}

#[tokio::test]
async fn ending_one_ends_just_that_one_in_order_when_it_is_silent() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("one", &[server.address()], "")).await;
    let (mut ended, mut kept) = (howdah.connect("one").await, howdah.connect("one").await);
    exchange(&mut ended, "a").await;
    exchange(&mut kept, "b").await;
    let id = of(&howdah, &ended).await["id"].as_str().unwrap().to_owned();
    eventually!(of(&howdah, &ended).await["idle_seconds"].as_f64() > Some(1.1));
    let (code, body) = howdah
        .http("DELETE", &format!("/api/v1/sessions/{id}"), "")
        .await;
    assert_eq!(code, 200, "{body}");
    assert!(body.contains(&id), "{body}");
    assert_eq!(at_once(ended.read(&mut [0; 8])).await.unwrap(), 0);
    let line = howdah.ended().await;
    assert_eq!(
        (&line["reason"], &line["stage"]),
        (&"ended-by-order".into(), &"relay".into())
    );
    exchange(&mut kept, "still there").await;
    assert_eq!(list(&howdah, "").await["total"], 1);
    for gone in [id.as_str(), "nonsense"] {
        let (code, body) = howdah
            .http("DELETE", &format!("/api/v1/sessions/{gone}"), "")
            .await;
        assert_eq!(code, 404, "{body}");
    }
    let (_, events) = howdah
        .http("GET", "/api/v1/events?kind=session-ended", "")
        .await;
    assert!(
        events.contains(&id) && events.contains("ended-by-order"),
        "{events}"
    );
    let audit = |line: &Value| (line["order"] == "end-session").then(|| line["session"].clone());
    assert_eq!(soon(howdah.log().find(0, audit)).await.1, *id);
}

#[tokio::test]
async fn the_command_ends_those_that_it_lists_and_no_others() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("one", &[server.address()], "") + &plain("two", &[server.address()], "");
    let howdah = Howdah::start(&config).await;
    let (mut first, mut second) = (howdah.connect("one").await, howdah.connect("one").await);
    let mut kept = howdah.connect("two").await;
    for client in [&mut first, &mut second, &mut kept] {
        exchange(client, "a").await;
    }
    for (arguments, code) in [
        (&["sessions", "--end"][..], 2),
        (&["sessions", "--end", "--yes"], 2),
        (&["sessions", "--listener", "one", "--end"], 2),
        (&["sessions", "--client", "10", "--end", "--yes"], 2),
    ] {
        let output = howdah.ctl(arguments).await;
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
    }
    let said = howdah
        .ctl_ok(&["sessions", "--listener", "one", "--end", "--yes"])
        .await;
    assert_eq!(said, "ended 2 sessions\n");
    for client in [&mut first, &mut second] {
        // A session that spoke a moment ago may have been cut amid an answer.
        let _ = at_once(client.read(&mut [0; 8])).await;
    }
    exchange(&mut kept, "still there").await;
}

#[tokio::test]
async fn sessions_over_udp_are_listed_and_ended_too() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let config = format!(
        r#"
[[listener]]
name = "dns"
bind = "127.0.0.1:0"
protocol = "udp"
pool = "dns"

[pool.dns]
service = "udp"
servers = ["{address}"]
probe = "none"
timeouts = {{ udp_idle = "10m" }}
"#
    );
    let mut howdah = Howdah::start(&config).await;
    let front = howdah.address("dns").await;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.send_to(b"question", front).await.unwrap();
    let mut heard = [0; 64];
    let (_, road) = at_once(server.recv_from(&mut heard)).await.unwrap();
    server.send_to(b"an answer", road).await.unwrap();
    at_once(client.recv_from(&mut heard)).await.unwrap();
    let shown = list(&howdah, "?listener=dns").await;
    let one = &shown["sessions"][0];
    assert_eq!(one["client"], client.local_addr().unwrap().to_string());
    assert_eq!(
        (&one["protocol"], &one["stage"]),
        (&"udp".into(), &"relay".into())
    );
    assert_eq!(one["bytes_from_client"], 8);
    assert_eq!(one["bytes_from_server"], 9);
    let id = one["id"].as_str().unwrap();
    howdah.ctl_ok(&["sessions", id, "--end", "--yes"]).await;
    assert_eq!(howdah.ended().await["reason"], "ended-by-order");
}

/// As many as one howdah carries: `GET /api/v1/sessions` answers fast, and nobody waits for it.
#[tokio::test]
async fn thousands_are_listed_at_once_and_hold_nobody_up() {
    let count = crowd_of(9_000);
    let site = Site::new().with_open_files(2 * count as u32 + 500);
    // Their connections wait to be accepted, for ever: so they cost this process nothing.
    let silent: Vec<Socket> = (0..4).map(|_| never_accepts()).collect();
    let servers: Vec<SocketAddr> = (silent.iter())
        .map(|one| one.local_addr().unwrap().as_socket().unwrap())
        .collect();
    let echo = raw::echo(&Frame::default()).unwrap();
    let config = plain("crowd", &servers, "") + &plain("echo", &[echo.address()], "");
    let howdah = site
        .start(&format!("[global]\nworkers = 2\n{config}"))
        .await;
    let crowd = crowd(howdah.address("crowd").await, count).await;
    eventually!(list(&howdah, "?pool=crowd&limit=1").await["total"] == count);

    let mut took = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let (code, body) = howdah.http("GET", "/api/v1/sessions", "").await;
        took.push(begun.elapsed());
        assert_eq!((code, body.matches("\"id\":").count()), (200, count));
    }
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(howdah.connect("echo").await);
    }
    let (mut quiet, mut listing) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        quiet.push(p99(&mut clients).await);
        let lister = Lister::start(howdah.admin().await);
        listing.push(p99(&mut clients).await);
        assert!(lister.stop() > 0, "nothing was listed meanwhile");
    }
    // What a busy machine adds is not howdah's: a listing that is slow, or holds a worker up, is so each time.
    let best = |all: &[Duration]| *all.iter().min().unwrap();
    let (fastest, calmest) = (best(&took), best(&listing));
    let (took, quiet, listing) = (median(took), median(quiet), median(listing));
    eprintln!(
        "{count} sessions listed in {took:?}; p99 of a small request {quiet:?}, while listing {listing:?}"
    );
    assert!(fastest < Duration::from_millis(200), "{fastest:?}");
    assert!(
        calmest < 2 * quiet + ROOM,
        "{calmest:?} while listing, {quiet:?} before"
    );

    let mut crowd = crowd.into_iter();
    let mut first = crowd.next().unwrap();
    let id = of(&howdah, &first).await["id"].as_str().unwrap().to_owned();
    let (code, body) = howdah
        .http("DELETE", &format!("/api/v1/sessions/{id}"), "")
        .await;
    assert_eq!(code, 200, "{body}");
    // In order, or by a reset where it spoke less than a second ago.
    let end = at_once(first.read(&mut [0; 8])).await;
    assert!(!matches!(end, Ok(1..)), "{end:?}");
    eventually!(list(&howdah, "?pool=crowd&limit=1").await["total"] == count - 1);
}

/// For a machine that does other things too; a worker that is held up for a whole listing costs more.
const ROOM: Duration = Duration::from_millis(1);

/// Asks for all sessions again and again, on a thread of its own: what it costs to read them is not howdah's.
struct Lister {
    done: Arc<AtomicBool>,
    thread: JoinHandle<u32>,
}

impl Lister {
    fn start(admin: SocketAddr) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            // Of this thread alone: what it takes to read is not to be felt.
            rustix::process::nice(19).unwrap();
            let mut answers = 0;
            while !seen.load(Ordering::Relaxed) {
                read_all(admin);
                answers += 1;
            }
            answers
        });
        Self { done, thread }
    }

    /// How often it was answered.
    fn stop(self) -> u32 {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Reads the list to its end, and looks at its beginning alone.
fn read_all(admin: SocketAddr) {
    let mut stream = std::net::TcpStream::connect(admin).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    write!(
        stream,
        "GET /api/v1/sessions HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut room = vec![0; 64 * 1024];
    let begun = stream.read(&mut room).unwrap();
    assert!(
        room[..begun].starts_with(b"HTTP/1.1 200"),
        "{:?}",
        String::from_utf8_lossy(&room[..begun])
    );
    while stream.read(&mut room).unwrap() > 0 {
        std::thread::yield_now();
    }
}

/// Of some hundred requests on each of these, one after the other.
async fn p99(clients: &mut [TcpStream]) -> Duration {
    let mut all = Vec::new();
    for _ in 0..150 {
        for client in &mut *clients {
            let begun = Instant::now();
            exchange(client, "0123456789abcdef").await;
            all.push(begun.elapsed());
        }
    }
    all.sort();
    all[all.len() * 99 / 100]
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

/// As many as the descriptors allow, which the process may have to be given first.
fn crowd_of(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum.or(Some(2 * wanted as u64 + 4_000)),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let may = limit.maximum.map_or(wanted, |most| most as usize / 2 - 600);
    if may < wanted {
        eprintln!("only {may} sessions: the hard limit of open files is low");
    }
    wanted.min(may)
}

fn never_accepts() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(4_096).unwrap();
    socket
}

async fn crowd(front: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let mut some = JoinSet::new();
        for _ in 0..(count - all.len()).min(100) {
            some.spawn(TcpStream::connect(front));
        }
        let some = soon(some.join_all()).await;
        all.extend(some.into_iter().map(Result::unwrap));
    }
    all
}
