//! Datagrams: sessions by address and port, answers from the server that was asked and from nobody else, idle ends,
//! bounds, orders, reloads.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::eventually;
use crate::support::{CONT, Howdah, STOP, TERM, at_once, free_address, named, soon};

/// Answers each datagram with its own name before the bytes; at least with the bytes, where both are too long.
struct Echo {
    address: SocketAddr,
    task: JoinHandle<()>,
}

const LARGEST: usize = 65_507;
const DATAGRAMS: &str = "howdah_listener_datagrams_total";
const DROPPED: &str = "howdah_listener_datagrams_dropped_total";

impl Echo {
    async fn start(name: u8) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), name).await
    }

    async fn at(address: SocketAddr, name: u8) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut room = vec![0; 1 + LARGEST];
            room[0] = name;
            loop {
                // The word that a client is gone may come as an error.
                let Ok((length, from)) = socket.recv_from(&mut room[1..]).await else {
                    continue;
                };
                let from_byte = usize::from(length == LARGEST);
                let _ = socket.send_to(&room[from_byte..=length], from).await;
            }
        });
        Self { address, task }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A listener on UDP with these keys, and a pool with these.
fn config(listener: &str, servers: &[String], pool: &str) -> String {
    let bind = if listener.contains("bind") {
        ""
    } else {
        "bind = \"127.0.0.1:0\""
    };
    format!(
        r#"
[[listener]]
name = "front"
protocol = "udp"
pool = "back"
{bind}
{listener}

[pool.back]
service = "tcp"
probe = "none"
servers = [{}]
{pool}
"#,
        servers.join(", ")
    )
}

fn plain(servers: &[&Echo]) -> Vec<String> {
    let quoted = |echo: &&Echo| format!("\"{}\"", echo.address);
    servers.iter().map(quoted).collect()
}

/// Long enough never to pass in a test.
const LONG: &str = "timeouts = { udp_idle = \"10m\" }";

async fn client(howdah: &Howdah) -> UdpSocket {
    let front = howdah.address("front").await;
    let any = match front {
        SocketAddr::V4(_) => "127.0.0.1:0",
        SocketAddr::V6(_) => "[::1]:0",
    };
    let socket = UdpSocket::bind(any).await.unwrap();
    socket.connect(front).await.unwrap();
    socket
}

/// Which server answered; the bytes must be the same. None within a short while.
async fn ask(client: &UdpSocket, bytes: &[u8]) -> u8 {
    at_once(async {
        client.send(bytes).await.unwrap();
        let mut room = vec![0; 1 + LARGEST];
        let length = client.recv(&mut room).await.unwrap();
        let named = usize::from(bytes.len() < LARGEST);
        assert!(room[named..length] == *bytes, "{length} bytes came back");
        if named == 0 { 0 } else { room[0] }
    })
    .await
}

/// Asks again and again, as clients of UDP do, until somebody answers.
async fn ask_until_answered(client: &UdpSocket, bytes: &[u8]) -> u8 {
    soon(async {
        let mut room = [0; 64];
        loop {
            client.send(bytes).await.unwrap();
            let answer = timeout(Duration::from_millis(100), client.recv(&mut room)).await;
            if let Ok(Ok(_)) = answer {
                return room[0];
            }
        }
    })
    .await
}

fn reason(line: &Value) -> (&str, &str) {
    let text = |field: &str| line[field].as_str().unwrap_or_default();
    (text("stage"), text("reason"))
}

#[tokio::test]
async fn sessions_go_round_by_weight_and_each_stays_where_it_began() {
    let (a, b, c) = tokio::join!(Echo::start(b'a'), Echo::start(b'b'), Echo::start(b'c'));
    let mut servers = plain(&[&a, &b]);
    servers.push(format!("{{ address = \"{}\", weight = 2 }}", c.address));
    let mut howdah = Howdah::start(&config("", &servers, LONG)).await;
    let mut taken = [0; 3];
    let mut clients = Vec::new();
    for _ in 0..16 {
        let client = client(&howdah).await;
        let first = ask(&client, b"one").await;
        taken[usize::from(first - b'a')] += 1;
        for _ in 0..3 {
            assert_eq!(ask(&client, b"more").await, first);
        }
        clients.push((client, first));
    }
    assert_eq!(taken, [4, 4, 8]);
    let count = howdah.status().await["listeners"][0].clone();
    assert_eq!(count["sessions_active"], 16, "{count}");
    assert_eq!(count["protocol"], serde_json::json!(["udp"]), "{count}");
    howdah.signal(TERM);
    let draining = |line: &Value| (line["message"] == "draining").then_some(());
    at_once(howdah.log().find(0, draining)).await;
    howdah.signal(TERM);
    let me = clients[0].0.local_addr().unwrap().to_string();
    let line = howdah.ended_where(|line| line["client"] == me).await;
    assert_eq!(line["protocol"], "udp");
    assert_eq!(reason(&line), ("relay", "shutdown"));
    assert_eq!(line["bytes_from_client"], 15);
    assert_eq!(line["bytes_from_server"], 19);
    assert_eq!(line["pick"], "round-robin");
}

#[tokio::test]
async fn a_datagram_of_any_size_arrives_whole() {
    let echo = Echo::start(b'a').await;
    let howdah = Howdah::start(&config("", &plain(&[&echo]), LONG)).await;
    let client = client(&howdah).await;
    for size in [0, 1, 1472, 1473, LARGEST - 1, LARGEST] {
        ask(&client, &vec![7; size]).await;
    }
}

#[tokio::test]
async fn over_ipv6_on_every_address_the_answer_leaves_from_the_one_that_was_asked() {
    let echo = Echo::at("[::1]:0".parse().unwrap(), b'6').await;
    let four = Echo::start(b'4').await;
    for (bind, asked, server) in [("[::]:0", "::1", &echo), ("0.0.0.0:0", "127.0.0.77", &four)] {
        let listener = format!("bind = \"{bind}\"");
        let howdah = Howdah::start(&config(&listener, &plain(&[server]), LONG)).await;
        let port = howdah.address("front").await.port();
        let asked = SocketAddr::new(asked.parse().unwrap(), port);
        // Connected: what comes from elsewhere is not heard.
        let local = if asked.is_ipv6() {
            "[::1]:0"
        } else {
            "127.0.0.1:0"
        };
        let client = UdpSocket::bind(local).await.unwrap();
        client.connect(asked).await.unwrap();
        for size in [0, 5, 1452, 65_000] {
            ask(&client, &vec![1; size]).await;
        }
    }
}

#[tokio::test]
async fn who_was_not_asked_is_not_heard() {
    let listening = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = listening.local_addr().unwrap();
    let servers = [format!("\"{address}\"")];
    let howdah = Howdah::start(&config("", &servers, LONG)).await;
    let client = client(&howdah).await;
    client.send(b"who?").await.unwrap();
    let mut room = [0; 64];
    let (_, session) = at_once(listening.recv_from(&mut room)).await.unwrap();
    // Same machine, same address, another port; then the port of the server on another address.
    let forgers = [
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 66), address.port()))
            .await
            .unwrap(),
    ];
    for forger in &forgers {
        forger.send_to(b"me!", session).await.unwrap();
    }
    listening.send_to(b"it is I", session).await.unwrap();
    let length = at_once(client.recv(&mut room)).await.unwrap();
    assert_eq!(&room[..length], b"it is I");
    let more = timeout(Duration::from_millis(200), client.recv(&mut room)).await;
    assert!(more.is_err(), "a forged answer came through");
}

#[tokio::test]
async fn a_silent_session_ends_and_the_next_datagram_begins_another() {
    let (a, b) = tokio::join!(Echo::start(b'a'), Echo::start(b'b'));
    let idle = "timeouts = { udp_idle = \"300ms\" }";
    let mut howdah = Howdah::start(&config("", &plain(&[&a, &b]), idle)).await;
    let client = client(&howdah).await;
    assert_eq!(ask(&client, b"1").await, b'a');
    let line = at_once(howdah.ended()).await;
    assert_eq!(reason(&line), ("relay", "idle-timeout"));
    let lasted = line["duration_seconds"].as_f64().unwrap();
    assert!(lasted >= 0.3, "ended after {lasted} s");
    let left = howdah.server("back", &a.address.to_string()).await;
    assert_eq!(left["sessions_active"], 0, "{left}");
    assert_eq!(ask(&client, b"2").await, b'b');
    for direction in ["from_client", "from_server"] {
        let labels = [("direction", direction)];
        eventually!(howdah.metric(DATAGRAMS, &labels).await == 2.0);
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_left_by_the_next_datagrams() {
    let (a, b) = tokio::join!(Echo::start(b'a'), Echo::start(b'b'));
    let mut howdah = Howdah::start(&config("", &plain(&[&a, &b]), LONG)).await;
    let asker = client(&howdah).await;
    assert_eq!(ask(&asker, b"1").await, b'a');
    a.task.abort();
    assert_eq!(ask_until_answered(&asker, b"2").await, b'b');
    let line = at_once(howdah.ended()).await;
    assert_eq!(reason(&line), ("relay", "server-reset"));
    // One that never answered was not reached at all.
    let other = client(&howdah).await;
    assert_eq!(ask_until_answered(&other, b"3").await, b'b');
    let line = at_once(howdah.ended()).await;
    assert_eq!(reason(&line), ("dial", "connect-refused"));
    let failures = "howdah_server_dial_failures_total";
    let labels = [("reason", "connect-refused")];
    eventually!(howdah.metric(failures, &labels).await >= 1.0);
}

#[tokio::test]
async fn one_question_is_enough_to_hear_that_nobody_listens() {
    let echo = Echo::start(b'a').await;
    let mut howdah = Howdah::start(&config("", &plain(&[&echo]), LONG)).await;
    let asker = client(&howdah).await;
    echo.task.abort();
    eventually!(UdpSocket::bind(echo.address).await.is_ok());
    asker.send(b"1").await.unwrap();
    let line = at_once(howdah.ended()).await;
    assert_eq!(reason(&line), ("dial", "connect-refused"));
}

#[tokio::test]
async fn a_question_that_hears_of_a_refusal_goes_to_another_server() {
    let (a, b) = tokio::join!(Echo::start(b'a'), Echo::start(b'b'));
    let hashed = format!("balance = \"source-hash\"\n{LONG}");
    let howdah = Howdah::start(&config("", &plain(&[&a, &b]), &hashed)).await;
    // All clients of this address have the same first choice.
    let first = ask(&client(&howdah).await, b"1").await;
    let gone = if first == b'a' { &a } else { &b };
    gone.task.abort();
    eventually!(UdpSocket::bind(gone.address).await.is_ok());
    let asker = client(&howdah).await;
    let mut room = [0; 64];
    let answered = async {
        loop {
            // The first is refused; the second hears of it, where it is not too late.
            asker.send(b"2").await.unwrap();
            let _ = asker.send(b"3").await;
            let answer = timeout(Duration::from_millis(50), asker.recv(&mut room)).await;
            if let Ok(Ok(_)) = answer {
                return room[0];
            }
        }
    };
    assert_ne!(at_once(answered).await, first);
}

#[tokio::test]
async fn a_session_ends_when_each_question_has_the_answers_it_is_due() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let servers = [format!("\"{}\"", server.local_addr().unwrap())];
    let two = LONG.replace('}', ", udp_responses = 2 }");
    let mut howdah = Howdah::start(&config("", &servers, &two)).await;
    let asker = client(&howdah).await;
    let mut room = [0; 64];
    // Both questions stand before the first answer.
    let mut session = None;
    for question in [b"A", b"B"] {
        asker.send(question).await.unwrap();
        let (_, from) = at_once(server.recv_from(&mut room)).await.unwrap();
        assert_eq!(*session.get_or_insert(from), from);
    }
    for answer in 0..4_u8 {
        assert!(
            howdah.access_lines().is_empty(),
            "ended before answer {answer}"
        );
        server.send_to(&[answer], session.unwrap()).await.unwrap();
        assert_eq!(at_once(asker.recv(&mut room)).await.unwrap(), 1);
        assert_eq!(room[0], answer);
    }
    let line = at_once(howdah.ended()).await;
    assert_eq!(reason(&line), ("relay", "server-closed"));
    assert_eq!(line["bytes_from_client"], 2);
    assert_eq!(line["bytes_from_server"], 4);
    asker.send(b"C").await.unwrap();
    let (_, from) = at_once(server.recv_from(&mut room)).await.unwrap();
    assert_ne!(Some(from), session, "the session went on");
}

#[tokio::test]
async fn answers_that_came_while_howdah_was_held_up_are_passed_on() {
    const CLIENTS: usize = 256;
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let servers = [format!("\"{}\"", server.local_addr().unwrap())];
    let idle = "timeouts = { udp_idle = \"2s\" }";
    let config = config("", &servers, idle);
    let howdah = Howdah::start(&format!("[global]\nworkers = 1\n{config}")).await;
    let (mut askers, mut sessions) = (Vec::new(), Vec::new());
    let mut room = [0; 64];
    let front = howdah.address("front").await;
    for _ in 0..CLIENTS {
        let asker = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        asker.send_to(b"?", front).await.unwrap();
        sessions.push(at_once(server.recv_from(&mut room)).await.unwrap().1);
        askers.push(asker);
    }
    howdah.signal(STOP);
    for session in sessions {
        server.send_to(b"!", session).await.unwrap();
    }
    // Longer than a session may be idle: its end is due, and so is its answer.
    tokio::time::sleep(Duration::from_millis(2200)).await;
    howdah.signal(CONT);
    for asker in askers {
        at_once(asker.recv(&mut room)).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_whose_machine_says_no_is_asked_at_once_by_its_checker() {
    let tcp = tokio::net::TcpListener::bind(free_address()).await.unwrap();
    let echo = Echo::at(tcp.local_addr().unwrap(), b'a').await;
    let probe = "probe = { type = \"tcp\", interval = \"10m\", fast_interval = \"10ms\", fall = 2, rise = 1 }";
    let config = config("", &plain(&[&echo]), LONG).replace("probe = \"none\"", probe);
    let howdah = Howdah::start(&config).await;
    let client = client(&howdah).await;
    ask(&client, b"1").await;
    let name = echo.address.to_string();
    drop(tcp);
    echo.task.abort();
    let down = async {
        while howdah.server("back", &name).await["health"] != "down" {
            client.send(b"2").await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    at_once(down).await;
    let labels = [("reason", "no-server")];
    client.send(b"3").await.unwrap();
    eventually!(howdah.metric(DROPPED, &labels).await >= 1.0);
}

#[tokio::test]
async fn a_full_listener_gives_the_place_of_who_was_silent_the_longest() {
    let echo = Echo::start(b'a').await;
    let listener = "max_connections = 4\ndeny = \"127.0.0.9/32\"";
    let config = config(listener, &plain(&[&echo]), LONG);
    let mut howdah = Howdah::start(&format!("[global]\nworkers = 1\n{config}")).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = client(&howdah).await;
        ask(&client, b"1").await;
        clients.push(client);
    }
    // The first is the second oldest now.
    ask(&clients[0], b"2").await;
    for index in [1, 2, 3, 0] {
        ask(&client(&howdah).await, b"3").await;
        let line = at_once(howdah.ended()).await;
        let expected = clients[index].local_addr().unwrap().to_string();
        assert_eq!(line["client"], expected, "{line}");
        assert_eq!(reason(&line), ("relay", "limit"));
    }
    let front = howdah.address("front").await;
    let denied = UdpSocket::bind("127.0.0.9:0").await.unwrap();
    denied.send_to(b"4", front).await.unwrap();
    eventually!(howdah.metric(DROPPED, &[("reason", "denied")]).await == 1.0);
    let status = howdah.status().await["listeners"][0].clone();
    assert_eq!(
        (&status["sessions_active"], &status["sessions_total"]),
        (&4.into(), &8.into())
    );
}

#[tokio::test]
async fn a_drained_server_keeps_its_sessions_to_their_idle_end_or_the_time_given() {
    let (a, b) = tokio::join!(Echo::start(b'a'), Echo::start(b'b'));
    let mut howdah = Howdah::start(&config("", &plain(&[&a, &b]), LONG)).await;
    let first = client(&howdah).await;
    assert_eq!(ask(&first, b"1").await, b'a');
    let name = format!("back/{}", a.address);
    howdah.ctl_ok(&["drain", &name]).await;
    for _ in 0..3 {
        assert_eq!(ask(&client(&howdah).await, b"2").await, b'b');
    }
    assert_eq!(ask(&first, b"still").await, b'a');
    howdah.ctl_ok(&["drain", &name, "--timeout", "100ms"]).await;
    let me = first.local_addr().unwrap().to_string();
    let line = at_once(howdah.ended()).await;
    assert_eq!(line["client"], me);
    assert_eq!(reason(&line), ("relay", "drained"));
    assert_eq!(ask(&first, b"3").await, b'b');
}

#[tokio::test]
async fn a_stop_takes_no_new_sessions_and_waits_for_those_that_are_there() {
    let echo = Echo::start(b'a').await;
    let idle = "timeouts = { udp_idle = \"1500ms\" }";
    let mut howdah = Howdah::start(&config("", &plain(&[&echo]), idle)).await;
    let old = client(&howdah).await;
    ask(&old, b"1").await;
    howdah.signal(TERM);
    let draining = |line: &Value| (line["message"] == "draining").then_some(());
    at_once(howdah.log().find(0, draining)).await;
    let closing = [("reason", "closing")];
    let mut came = 0;
    eventually!({
        // Whoever comes between the word and the deed still has a session, and would keep it.
        let new = client(&howdah).await;
        came += 1;
        let _ = new.send(b"2").await;
        howdah.metric(DROPPED, &closing).await >= 1.0
    });
    ask(&old, b"3").await;
    let me = old.local_addr().unwrap().to_string();
    let line = at_once(howdah.ended_where(|line| line["client"] == me.as_str())).await;
    assert_eq!(reason(&line), ("relay", "idle-timeout"));
    assert!(at_once(howdah.exit()).await.success());
    let sessions = howdah.access_lines().len();
    assert!(sessions <= came, "{sessions} of {came} and one");
}

#[tokio::test]
async fn a_reload_keeps_sessions_and_gives_new_rules_to_new_ones() {
    let (a, b) = tokio::join!(Echo::start(b'a'), Echo::start(b'b'));
    // An address that a reload would open anew: its sockets share the clients with those that close, and then do not.
    let front = free_address();
    let bind = format!("bind = \"{front}\"");
    let howdah = Howdah::start(&config(&bind, &plain(&[&a]), LONG)).await;
    let old = client(&howdah).await;
    assert_eq!(ask(&old, b"1").await, b'a');
    let drained = format!(
        "[global]\ndrain_timeout = \"1h\"\n{}",
        config(&bind, &plain(&[&b]), LONG)
    );
    assert!(howdah.reload(&drained).await.status.success());
    assert_eq!(ask(&old, b"2").await, b'a');
    assert_eq!(ask(&client(&howdah).await, b"2").await, b'b');
    // Another listener gets the address: what is there goes on, what comes follows the new owner's rules.
    let moved = drained.replace("\"front\"", "\"other\"");
    assert!(howdah.reload(&moved).await.status.success());
    assert_eq!(ask(&old, b"3").await, b'a');
    let new = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    new.connect(front).await.unwrap();
    assert_eq!(ask(&new, b"3").await, b'b');
    let other = named(&howdah.status().await["listeners"], "other");
    assert_eq!(other["sessions_total"], 1, "{other}");
}

#[tokio::test]
async fn an_address_that_stops_speaking_udp_and_speaks_it_again_serves() {
    let echo = Echo::start(b'a').await;
    let front = free_address();
    let udp = config(&format!("bind = \"{front}\""), &plain(&[&echo]), LONG);
    let mut howdah = Howdah::start(&udp).await;
    let tcp = udp.replace("protocol = \"udp\"", "protocol = \"tcp\"");
    let old = client(&howdah).await;
    ask(&old, b"1").await;
    let reloaded = howdah.reload(&tcp).await;
    assert!(
        reloaded.status.success(),
        "{}",
        String::from_utf8_lossy(&reloaded.stderr)
    );
    // Sessions go on, and nobody else gets one.
    ask(&old, b"2").await;
    let new = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    new.connect(front).await.unwrap();
    eventually!({
        let _ = new.send(b"3").await;
        howdah.metric(DROPPED, &[("reason", "closing")]).await >= 1.0
    });
    tokio::net::TcpStream::connect(front).await.unwrap();
    let both = udp.replace("protocol = \"udp\"", "protocol = [\"tcp\", \"udp\"]");
    assert!(howdah.reload(&both).await.status.success());
    let line = at_once(howdah.ended_where(|line| line["protocol"] == "udp")).await;
    assert_eq!(reason(&line), ("relay", "drained"));
    for client in [&old, &new] {
        ask_until_answered(client, b"4").await;
    }
    tokio::net::TcpStream::connect(front).await.unwrap();
}

#[tokio::test]
async fn a_port_that_another_has_is_said_at_once() {
    let (echo, other) = (Echo::start(b'a').await, Echo::start(b'b').await);
    let howdah = Howdah::start(&config("", &plain(&[&echo]), LONG)).await;
    let taken = format!("bind = \"{}\"", other.address);
    let output = howdah.reload(&config(&taken, &plain(&[&echo]), LONG)).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && told.contains("in use"),
        "{told}"
    );
}

/// Sessions in `short_sessions_leave_nothing_behind`.
fn short_sessions() -> usize {
    let count = std::env::var("HOWDAH_TEST_DATAGRAM_SESSIONS").ok();
    count.map_or(20_000, |count| count.parse().unwrap())
}

#[tokio::test]
async fn short_sessions_leave_nothing_behind() {
    let (a, b) = tokio::join!(Echo::start(b'a'), Echo::start(b'b'));
    let quiet = "[admin]\nbind = \"127.0.0.1:0\"\n[log]\naccess = \"off\"\nformat = \"json\"\n";
    let idle = "timeouts = { udp_idle = \"1s\" }";
    let config = config("max_connections = 2000", &plain(&[&a, &b]), idle);
    let howdah = Howdah::start(&format!("{quiet}{config}")).await;
    let front = howdah.address("front").await;
    soon(many(front, 5_000)).await;
    let active = "howdah_session_active";
    eventually!(howdah.metric(active, &[]).await == 0.0);
    let files = || {
        fs::read_dir(format!("/proc/{}/fd", howdah.pid()))
            .unwrap()
            .count()
    };
    let (open, memory) = (files(), howdah.memory());
    let sessions = short_sessions();
    soon(many(front, sessions)).await;
    eventually!(howdah.metric(active, &[]).await == 0.0);
    let ended = howdah.metric("howdah_session_ended_total", &[]).await;
    assert_eq!(
        howdah.metric("howdah_session_opened_total", &[]).await,
        ended
    );
    // Some ports come again while their session lasts.
    assert!(
        ended > 0.7 * f64::from(u32::try_from(sessions).unwrap()),
        "{ended}"
    );
    eventually!(files() <= open);
    let grown = howdah.memory().saturating_sub(memory);
    assert!(
        grown < 4 << 20,
        "{grown} bytes more for {sessions} sessions"
    );
}

/// So many questions, each from a port of its own, some at once; one that is lost is asked again, by another session.
async fn many(front: SocketAddr, sessions: usize) {
    const AT_ONCE: usize = 50;
    for _ in 0..sessions / AT_ONCE {
        let mut askers = Vec::with_capacity(AT_ONCE);
        for _ in 0..AT_ONCE {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            socket.connect(front).await.unwrap();
            socket.send(b"?").await.unwrap();
            askers.push(socket);
        }
        for asker in askers {
            let mut room = [0; 8];
            let answered = async {
                let again = Duration::from_secs(1);
                while timeout(again, asker.recv(&mut room)).await.is_err() {
                    asker.send(b"?").await.unwrap();
                }
            };
            soon(answered).await;
            assert_eq!(room[1], b'?');
        }
    }
}
