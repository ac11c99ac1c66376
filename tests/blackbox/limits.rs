//! Who may not enter: bounds on sessions at once and per second, of the process, a listener and one client address;
//! networks from files; and what a refused client sees.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::support::{Frame, Howdah, Site, StandInListener, exchange, raw};

/// Where a packet has arrived, with room for a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// One listener with these keys before one server.
fn config(global: &str, listener: &str, server: &StandInListener) -> String {
    format!(
        r#"
[global]
{global}

[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"
{listener}

[pool.back]
service = "tcp"
servers = ["{}"]
probe = "none"
"#,
        server.address()
    )
}

async fn start(global: &str, listener: &str) -> (Howdah, StandInListener) {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&config(global, listener, &server)).await;
    (howdah, server)
}

async fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let source = IpAddr::V4(Ipv4Addr::from(source));
    socket.bind(SocketAddr::new(source, 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// Whether the client is served; one that is refused hears of it soon.
async fn is_served(client: &mut TcpStream) -> bool {
    let _ = client.write_all(b"?").await;
    let heard = timeout(SOON, client.read_u8()).await;
    heard.expect("an answer or an end").is_ok()
}

async fn reason(howdah: &mut Howdah) -> String {
    let line = timeout(SOON, howdah.ended()).await.expect("a line");
    assert_eq!(line["stage"], "admit", "{line}");
    line["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn one_client_address_has_no_more_sessions_than_its_share() {
    let (mut howdah, _server) = start("", "source_max_connections = 2").await;
    let front = howdah.address("front").await;
    let mut first = connect_from([127, 0, 0, 7], front).await;
    let mut second = connect_from([127, 0, 0, 7], front).await;
    assert!(is_served(&mut first).await && is_served(&mut second).await);
    let mut third = connect_from([127, 0, 0, 7], front).await;
    assert!(!is_served(&mut third).await);
    assert_eq!(reason(&mut howdah).await, "source-limit");
    let mut other = connect_from([127, 0, 0, 8], front).await;
    assert!(is_served(&mut other).await, "another's share is another's");
    drop(first);
    let closed = howdah.ended_where(|line| line["reason"] == "client-closed");
    timeout(SOON, closed).await.expect("a line");
    let mut again = connect_from([127, 0, 0, 7], front).await;
    assert!(is_served(&mut again).await);
}

#[tokio::test]
async fn behind_a_proxy_the_address_that_it_tells_counts() {
    let more = "accept_proxy = [\"127.0.0.0/8\"]\nsource_max_connections = 1";
    let (mut howdah, _server) = start("", more).await;
    let client = async |address: &str| {
        let mut client = howdah.connect("front").await;
        let header = format!("PROXY TCP4 {address} 10.9.9.9 4000 4001\r\n");
        client.write_all(header.as_bytes()).await.unwrap();
        client
    };
    let mut first = client("10.0.0.1").await;
    assert!(is_served(&mut first).await);
    let mut same = client("10.0.0.1").await;
    assert!(!is_served(&mut same).await);
    let mut other = client("10.0.0.2").await;
    assert!(is_served(&mut other).await);
    assert_eq!(reason(&mut howdah).await, "source-limit");
}

/// A burst of one second's worth, then as many as the time brings.
#[tokio::test]
async fn more_new_sessions_in_a_second_than_may_come_are_refused() {
    for (global, listener, reason) in [
        ("max_per_second = 5", "", "rate-limit"),
        ("", "max_per_second = 5", "rate-limit"),
        ("", "source_max_per_second = 5", "source-limit"),
    ] {
        let (mut howdah, _server) = start(global, listener).await;
        let begun = Instant::now();
        let mut served = 0;
        for _ in 0..40 {
            let mut client = howdah.connect("front").await;
            served += u32::from(is_served(&mut client).await);
        }
        let most = 5 + 5 * u32::try_from(begun.elapsed().as_secs() + 1).unwrap();
        assert!((5..=most).contains(&served), "{reason}: {served} served");
        let refused = howdah.ended_where(|line| line["reason"] == reason);
        timeout(SOON, refused).await.expect("told");
        sleep(Duration::from_millis(1_100)).await;
        let mut later = howdah.connect("front").await;
        exchange(&mut later, "in the next second").await;
    }
}

/// Those that come too early for the server wait for it, in order.
#[tokio::test]
async fn a_server_gets_no_more_new_sessions_in_a_second_than_it_bears() {
    let server = raw::echo(&Frame::default()).unwrap();
    let bounded = config("", "", &server).replace(
        &format!("\"{}\"", server.address()),
        &format!(
            "{{ address = \"{}\", max_per_second = 4 }}",
            server.address()
        ),
    );
    let howdah = Howdah::start(&bounded).await;
    let begun = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = howdah.connect("front").await;
        client.write_all(b"?").await.unwrap();
        clients.push(client);
    }
    for client in &mut clients {
        let heard = timeout(SOON, client.read_u8()).await;
        heard.expect("served in time").expect("served");
    }
    // Four at once, six more at four a second.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_490), "{took:?}");
}

#[tokio::test]
async fn what_a_refused_client_sees_is_what_was_asked_for() {
    let keys = |how: &str| {
        format!("deny = \"127.0.0.0/8\"\ngreet_timeout = \"1500ms\"\non_refuse = \"{how}\"")
    };
    for how in ["close", "reset", "hold"] {
        let (mut howdah, _server) = start("", &keys(how)).await;
        let front = howdah.address("front").await;
        let begun = Instant::now();
        // A reset may come before the connect has returned.
        let seen = async { TcpStream::connect(front).await?.read_u8().await };
        let seen = timeout(Duration::from_secs(5), seen).await;
        let kind = seen.expect("an end").unwrap_err().kind();
        let expected = match how {
            "reset" => std::io::ErrorKind::ConnectionReset,
            _ => std::io::ErrorKind::UnexpectedEof,
        };
        assert_eq!(kind, expected, "{how}");
        let held = begun.elapsed() >= Duration::from_millis(1_400);
        assert_eq!(held, how == "hold", "{how}: {:?}", begun.elapsed());
        assert_eq!(reason(&mut howdah).await, "denied");
    }
}

/// Who is held holds up nobody else, least of all a stop.
#[tokio::test]
async fn clients_that_are_held_count_as_no_session() {
    let more =
        "deny = \"127.0.0.9\"\ngreet_timeout = \"5m\"\non_refuse = \"hold\"\nmax_connections = 1";
    let more = more.replace("127.0.0.9", "127.0.0.9/32");
    let (mut howdah, _server) = start("drain_timeout = \"5m\"", &more).await;
    let front = howdah.address("front").await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(connect_from([127, 0, 0, 9], front).await);
        assert_eq!(reason(&mut howdah).await, "denied");
    }
    let mut client = howdah.connect("front").await;
    exchange(&mut client, "room for me").await;
    drop(client);
    howdah.signal(crate::support::TERM);
    let exit = timeout(Duration::from_secs(10), howdah.exit()).await;
    assert_eq!(exit.expect("nothing to wait for").code(), Some(0));
}

#[tokio::test]
async fn networks_of_a_file_decide_and_are_read_again_by_a_reload() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    let mut many = String::from("# ten thousand, and us\n");
    for number in 0..10_000u32 {
        let [_, high, low, _] = (number << 8).to_be_bytes();
        many.push_str(&format!("10.{high}.{low}.0/25  # not us\n"));
    }
    site.write("networks.txt", &format!("{many}127.0.0.1\n"));
    let config = config("", "allow_file = \"networks.txt\"", &server);
    let mut howdah = site.start(&config).await;
    let front = howdah.address("front").await;
    let mut in_list = connect_from([127, 0, 0, 1], front).await;
    assert!(is_served(&mut in_list).await);
    let mut not = connect_from([127, 0, 0, 2], front).await;
    assert!(!is_served(&mut not).await);
    assert_eq!(reason(&mut howdah).await, "denied");
    let path = howdah.dir().join("networks.txt");
    std::fs::write(&path, "127.0.0.0/30\n").unwrap();
    howdah.ctl_ok(&["reload"]).await;
    let mut now = connect_from([127, 0, 0, 2], front).await;
    assert!(is_served(&mut now).await);
    std::fs::write(&path, "127.0.0.0/30\n127.0.0/24\n").unwrap();
    let refused = howdah.ctl(&["reload"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    assert!(said.contains("networks.txt: line 2"), "{said}");
}

/// A supervisor ends a process that does not answer, and an order may be what helps.
#[tokio::test]
async fn a_full_descriptor_table_leaves_room_for_health_checks_and_orders() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new().with_open_files(80);
    let config = config("workers = 1", "", &server);
    let howdah = site.start(&config).await;
    let front = howdah.address("front").await;
    let full = async || {
        let reason = ("reason", "exhausted");
        howdah
            .metric("howdah_listener_accept_errors_total", &[reason])
            .await
            > 0.0
    };
    let mut clients = Vec::new();
    while !full().await {
        for _ in 0..4 {
            clients.push(TcpStream::connect(front).await.unwrap());
        }
        assert!(clients.len() < 400, "the table is never full");
    }
    for _ in 0..30 {
        let asked = timeout(SOON, howdah.http("GET", "/healthz", "")).await;
        assert_eq!(asked.expect("an answer").0, 200);
    }
    let order = format!("back/{}", server.address());
    howdah.ctl_ok(&["drain", &order]).await;
    drop(clients);
}
