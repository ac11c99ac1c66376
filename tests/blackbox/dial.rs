//! Attempts to reach a server: which count, who is blamed, and when they are given up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::eventually;
use crate::support::{Frame, Howdah, Site, exchange, free_address, plain, raw, sum_of_samples};

/// What must happen at once; every timer of howdah is longer, but for those that a test names.
const SOON: Duration = Duration::from_secs(4);

async fn ended(howdah: &mut Howdah) -> serde_json::Value {
    timeout(SOON, howdah.ended()).await.expect("an access line")
}

/// A listener that accepts nothing and whose queue is full: who connects waits.
async fn mute() -> (std::net::TcpListener, SocketAddr, Vec<TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    socket.listen(1).unwrap();
    let listener: std::net::TcpListener = socket.into();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queued.push(stream);
    }
    (listener, address, queued)
}

#[tokio::test]
async fn the_request_of_a_client_that_has_reset_is_not_delivered() {
    let (_mute, silent, _queued) = mute().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let servers = format!(
        "servers = [\"{silent}\", {{ name = \"b\", address = \"{address}\", backup = true }}]"
    );
    let config = plain("back", &[silent], "timeouts = { connect = \"2s\" }")
        .replace(&format!("servers = [\"{silent}\"]"), &servers);
    let mut howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"DROP TABLE t").await.unwrap();
    eventually!(howdah.server("back", &silent.to_string()).await["sessions_active"] == 1);
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    let line = ended(&mut howdah).await;
    assert_eq!(line["reason"], "client-reset", "{line}");
    let late = timeout(Duration::from_millis(500), listener.accept()).await;
    assert!(late.is_err(), "the next server was dialled for nobody");
}

#[tokio::test]
async fn a_retry_finds_a_place_in_a_pool_of_one_session() {
    let listener = TcpListener::bind(free_address()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let servers =
        format!("servers = [{{ name = \"a\", address = \"{address}\", max_connections = 1 }}]");
    let config = plain("back", &[address], "timeouts = { connect = \"10s\" }")
        .replace(&format!("servers = [\"{address}\"]"), &servers);
    let mut howdah = Howdah::start(&config).await;
    drop(listener);
    let mut client = howdah.connect("back").await;
    client.write_all(b"?").await.unwrap();
    eventually!(howdah.metric("howdah_session_retries_total", &[]).await >= 1.0);
    // Back again: the same session gets there, as its own failed attempt takes no place.
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut server, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    server.read_u8().await.unwrap();
    server.write_all(b"!").await.unwrap();
    assert_eq!(
        timeout(SOON, client.read_u8()).await.unwrap().unwrap(),
        b'!'
    );
    drop((client, server));
    let line = ended(&mut howdah).await;
    assert_eq!(line["reason"], "client-closed", "{line}");
}

#[tokio::test]
async fn no_attempt_goes_on_past_the_sessions_deadline() {
    let mut mutes = Vec::new();
    for _ in 0..5 {
        mutes.push(mute().await);
    }
    let servers: Vec<SocketAddr> = mutes.iter().map(|(_, address, _)| *address).collect();
    let mut howdah = Howdah::start(&plain(
        "back",
        &servers,
        "timeouts = { connect = \"400ms\" }",
    ))
    .await;
    let mut client = howdah.connect("back").await;
    let began = Instant::now();
    client.write_all(b"?").await.unwrap();
    let line = ended(&mut howdah).await;
    assert_eq!(line["reason"], "connect-timeout", "{line}");
    assert_eq!(
        line["attempts"], 3,
        "three times `connect` is what a session has: {line}"
    );
    assert!(began.elapsed() >= Duration::from_millis(1_150));
    let failures = howdah
        .metric("howdah_server_dial_failures_total", &[])
        .await;
    assert_eq!(failures, 3.0, "no server is blamed that was given no time");
}

/// Descriptors run out while servers are well: that is nobody's fault but ours.
#[tokio::test]
async fn servers_are_not_blamed_when_howdah_has_no_descriptor_left() {
    let servers: Vec<_> = (0..3)
        .map(|_| raw::echo(&Frame::default()).unwrap())
        .collect();
    let addresses: Vec<SocketAddr> = servers.iter().map(|one| one.address()).collect();
    let probe = "probe = { type = \"tcp\", interval = \"10m\", fall = 1 }";
    let config = plain("back", &addresses, "").replace("probe = \"none\"", probe);
    let site = Site::new().with_open_files(64);
    let howdah = site
        .start(&format!("{config}\n[global]\nworkers = 1\n"))
        .await;
    for address in &addresses {
        howdah.healthy("back", &address.to_string(), "up").await;
    }
    let mut clients = Vec::new();
    for _ in 0..60 {
        let mut client = howdah.connect("back").await;
        let _ = client.write_all(b"?").await;
        clients.push(client);
    }
    // The first of them are served; the last ones wait, or end for want of descriptors.
    exchange_some(&mut clients).await;
    drop(clients);
    for address in &addresses {
        eventually!(howdah.server("back", &address.to_string()).await["sessions_active"] == 0);
    }
    for address in &addresses {
        let server = howdah.server("back", &address.to_string()).await;
        assert_eq!(server["health"], "up", "{server}");
    }
    // Of one moment: the last ones may still be on their way.
    let (_, metrics) = howdah.http("GET", "/metrics", "").await;
    let failed = |labels: &[(&str, &str)]| {
        sum_of_samples(&metrics, "howdah_server_dial_failures_total", labels)
    };
    let failures = failed(&[]);
    assert_eq!(failures, failed(&[("reason", "own-limit")]));
    // A busy machine may accept so many at once that none is left to dial with.
    let refused = howdah
        .metric("howdah_listener_accept_errors_total", &[])
        .await;
    assert!(failures + refused > 0.0, "did the descriptors last?");
    let mut client = howdah.connect("back").await;
    timeout(SOON, exchange(&mut client, "again")).await.unwrap();
}

async fn exchange_some(clients: &mut [TcpStream]) {
    let mut heard = 0;
    for client in clients {
        let read = timeout(Duration::from_millis(200), client.read_u8()).await;
        heard += u32::from(matches!(read, Ok(Ok(_))));
    }
    assert!(heard > 0, "nobody was served");
    assert!(heard < 60, "all were served: descriptors did not run out");
}
