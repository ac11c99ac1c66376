//! Situations that other balancers' tests name and ours did not: docs/outside.md maps all of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::support::{Frame, Howdah, TERM, exchange, plain, raw, read_all, soon};

/// More than the kernel's buffers on both sides hold.
const LARGE: usize = 48 << 20;
/// So much has been written when the other side begins to read.
const BEGUN: usize = 1 << 20;
/// For what has to happen at once, or after a timer that the test has made short.
const AT_ONCE: Duration = Duration::from_secs(5);

/// One connection of the server behind; the test is its program.
struct Behind(TcpListener);

impl Behind {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    async fn session(&self) -> TcpStream {
        soon(self.0.accept()).await.unwrap().0
    }
}

/// Writes the large thing and the end; tells when it has begun.
fn pour(mut into: TcpStream) -> oneshot::Receiver<()> {
    let (begun, told) = oneshot::channel();
    tokio::spawn(async move {
        let bytes = vec![b'a'; BEGUN];
        into.write_all(&bytes).await.unwrap();
        begun.send(()).unwrap();
        for _ in 1..LARGE / BEGUN {
            into.write_all(&bytes).await.unwrap();
        }
        into.shutdown().await.unwrap();
        // Its own end is the other side's to tell.
        let _ = into.read(&mut [0]).await;
    });
    told
}

/// Writes for as long as anybody takes it.
async fn fill(into: &mut TcpStream) {
    let bytes = vec![b'a'; BEGUN];
    while let Ok(written) = timeout(Duration::from_millis(300), into.write_all(&bytes)).await {
        written.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_has_ended_and_reads_late_hears_the_whole_answer() {
    let server = Behind::new().await;
    let mut howdah = Howdah::start(&plain("late", &[server.address()], "")).await;
    let mut client = howdah.connect("late").await;
    client.write_all(b"?").await.unwrap();
    client.shutdown().await.unwrap();
    let mut behind = server.session().await;
    assert_eq!(read_all(&mut behind).await.unwrap(), b"?");
    soon(pour(behind)).await.unwrap();
    assert_eq!(read_all(&mut client).await.unwrap().len(), LARGE);
    let line = howdah.ended().await;
    assert_eq!(line["reason"], "client-closed");
    assert_eq!(line["bytes_from_server"], LARGE);
}

#[tokio::test]
async fn a_server_that_has_ended_and_reads_late_hears_all_of_the_client() {
    let server = Behind::new().await;
    let config = plain("late", &[server.address()], "dial = \"at-once\"");
    let mut howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("late").await;
    let mut behind = server.session().await;
    behind.shutdown().await.unwrap();
    assert_eq!(soon(client.read(&mut [0])).await.unwrap(), 0);
    soon(pour(client)).await.unwrap();
    assert_eq!(read_all(&mut behind).await.unwrap().len(), LARGE);
    drop(behind);
    let line = howdah.ended().await;
    assert_eq!(line["reason"], "server-closed");
    assert_eq!(line["bytes_from_client"], LARGE);
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_its_drain_time_for_bytes_that_nobody_takes() {
    let server = Behind::new().await;
    let config = plain("stuck", &[server.address()], "");
    let global = "[global]\ndrain_timeout = \"300ms\"\n";
    let mut howdah = Howdah::start(&format!("{global}{config}")).await;
    let mut client = howdah.connect("stuck").await;
    client.write_all(b"?").await.unwrap();
    let _behind = server.session().await;
    fill(&mut client).await;
    howdah.signal(TERM);
    let exit = timeout(AT_ONCE, howdah.exit()).await;
    assert!(exit.is_ok(), "still there {AT_ONCE:?} after the signal");
    // Bytes were under way: an end in order would call them delivered.
    let cut = timeout(AT_ONCE, client.read(&mut [0])).await.unwrap();
    let error = cut.expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn bytes_that_nobody_takes_do_not_outlive_the_idle_time() {
    let server = Behind::new().await;
    // Longer than the kernel lets a byte in now and then, which the filling takes for progress and howdah does not.
    let more = "timeouts = { idle = \"1500ms\" }";
    let mut howdah = Howdah::start(&plain("stuck", &[server.address()], more)).await;
    let mut client = howdah.connect("stuck").await;
    client.write_all(b"?").await.unwrap();
    let _behind = server.session().await;
    fill(&mut client).await;
    let line = timeout(AT_ONCE, howdah.ended()).await.unwrap();
    assert_eq!(line["reason"], "idle-timeout", "{line}");
}

#[tokio::test]
async fn a_session_lives_on_when_its_server_is_called_down() {
    let server = raw::echo(&Frame::default()).unwrap();
    let asked = raw::echo(&Frame::default()).unwrap();
    let port = asked.address().port();
    let config = plain("kept", &[server.address()], "").replace(
        "probe = \"none\"",
        &format!("probe = {{ type = \"tcp\", port = {port}, interval = \"100ms\", fall = 1 }}"),
    );
    let howdah = Howdah::start(&config).await;
    let name = server.address().to_string();
    howdah.healthy("kept", &name, "up").await;
    let mut client = howdah.connect("kept").await;
    exchange(&mut client, "before").await;
    drop(asked);
    howdah.healthy("kept", &name, "down").await;
    exchange(&mut client, "after").await;
}

#[tokio::test]
async fn fifty_clients_may_be_there_before_one_speaks() {
    let server = raw::echo(&Frame::default()).unwrap();
    for dial in ["at-once", "late"] {
        let more = format!("dial = \"{dial}\"");
        let mut howdah = Howdah::start(&plain("many", &[server.address()], &more)).await;
        let mut clients = Vec::new();
        for _ in 0..50 {
            clients.push(howdah.connect("many").await);
        }
        for client in &mut clients {
            exchange(client, "one after another").await;
        }
        drop(clients);
        for _ in 0..50 {
            assert_eq!(howdah.ended().await["reason"], "client-closed");
        }
    }
}

/// An address whose connects are never answered: its queue is full, and the kernel drops what comes.
struct Mute {
    socket: Socket,
    _queued: Vec<Socket>,
}

impl Mute {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap();
        let queued = (0..4).map(|_| {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            let _ = client.connect(&address);
            client
        });
        Self {
            _queued: queued.collect(),
            socket,
        }
    }

    fn address(&self) -> SocketAddr {
        let address = self.socket.local_addr().unwrap();
        address.as_socket().unwrap()
    }
}

#[tokio::test]
async fn a_server_that_never_answers_the_connect_costs_its_connect_time_and_no_session() {
    let (mute, server) = (Mute::new(), raw::echo(&Frame::default()).unwrap());
    let more = "timeouts = { connect = \"300ms\" }";
    let both = [mute.address(), server.address()];
    let mut howdah = Howdah::start(&plain("mute", &both, more)).await;
    let mut tried = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        let mut client = howdah.connect("mute").await;
        exchange(&mut client, "served all the same").await;
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        drop(client);
        tried.push(howdah.ended().await["attempts"].as_u64().unwrap());
    }
    assert!(tried.contains(&2), "the mute one was tried: {tried:?}");

    let mut alone = Howdah::start(&plain("mute", &[mute.address()], more)).await;
    let mut client = alone.connect("mute").await;
    client.write_all(b"?").await.unwrap();
    let line = timeout(AT_ONCE, alone.ended()).await.unwrap();
    assert_eq!(
        (&line["stage"], &line["reason"]),
        (&"dial".into(), &"connect-timeout".into())
    );
}
