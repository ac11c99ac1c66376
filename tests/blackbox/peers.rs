//! Sticky entries among howdahs: who is told what, and when; ends of processes and connections; strangers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::eventually;
use crate::support::{
    Certificates, Frame, Howdah, Site, StandInListener, at_once, free_port, named, raw, read_line,
    soon,
};

/// Two howdahs in front of three servers, each with the other as its peer.
struct Pair {
    servers: Vec<StandInListener>,
    ports: [u16; 2],
    tls: &'static str,
}

impl Pair {
    fn new() -> Self {
        let names = ["one", "two", "three"];
        let servers = names.map(|name| raw::named(&Frame::default(), name).unwrap());
        Self {
            servers: servers.into(),
            ports: [free_port(), free_port()],
            tls: "",
        }
    }

    /// The configuration of the first or the second.
    fn config(&self, which: usize) -> String {
        let other = 1 - which;
        let peers = format!(
            "[cluster.peers]\nbind = \"127.0.0.1:{}\"\npeers = {{ lb-{other} = \"127.0.0.1:{}\" }}\n{}",
            self.ports[which], self.ports[other], self.tls
        );
        self.config_with(which, &peers)
    }

    fn config_with(&self, which: usize, peers: &str) -> String {
        let servers = self.servers.iter().zip(["one", "two", "three"]);
        let servers: Vec<String> = servers
            .map(|(server, name)| {
                format!(
                    "{{ name = \"{name}\", address = \"{}\" }}",
                    server.address()
                )
            })
            .collect();
        format!(
            r#"
[cluster]
name = "lb-{which}"

{peers}

[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "tcp"
balance = "random"
servers = [{}]
probe = "none"
sticky = {{ by = "source-ip", ttl = "10m" }}
"#,
            servers.join(", ")
        )
    }

    /// Both, with a connection between them.
    async fn start(&self) -> [Howdah; 2] {
        let both = [
            Howdah::start(&self.config(0)).await,
            Howdah::start(&self.config(1)).await,
        ];
        for one in &both {
            connected(one).await;
        }
        both
    }
}

async fn peer(howdah: &Howdah) -> Value {
    let status = howdah.status().await;
    status["peers"][0].clone()
}

/// And nothing is still to be told.
async fn connected(howdah: &Howdah) {
    eventually!(peer(howdah).await["state"] == "connected");
}

async fn entries(howdah: &Howdah) -> u64 {
    let status = howdah.status().await;
    named(&status["pools"], "back")["sticky_entries"]
        .as_u64()
        .unwrap()
}

fn client(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 9, number).into()
}

/// The server that this client meets, and the session.
async fn meet(howdah: &Howdah, number: u8) -> (TcpStream, String) {
    let front = howdah.address("front").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(client(number), 0)).unwrap();
    let mut stream = soon(socket.connect(front)).await.unwrap();
    stream.write_all(b"?").await.unwrap();
    let name = read_line(&mut stream).await.unwrap();
    (stream, name)
}

#[tokio::test]
async fn a_client_meets_its_server_at_the_other_howdah_within_a_second_and_after_the_death_of_the_first()
 {
    let pair = Pair::new();
    let [mut first, second] = pair.start().await;
    let (open, home) = meet(&first, 0).await;
    at_once(async { eventually!(entries(&second).await == 1) }).await;
    assert_eq!(meet(&second, 0).await.1, home);
    let mut homes = BTreeMap::new();
    let mut sessions = Vec::new();
    for number in 1..40 {
        let (session, home) = meet(&first, number).await;
        homes.insert(number, home);
        // Half of them keep their session.
        sessions.extend((number % 2 == 0).then_some(session));
    }
    at_once(async { eventually!(entries(&second).await == 40) }).await;
    first.signal(rustix::process::Signal::KILL);
    first.exit().await;
    drop(open);
    for (number, home) in homes {
        assert_eq!(meet(&second, number).await.1, home, "client {number}");
    }
    eventually!(peer(&second).await["state"] == "away");
    let away = peer(&second).await;
    assert!(away["why"].is_string(), "{away}");
    // One that starts anew learns all of it.
    let third = Howdah::start(&pair.config(0)).await;
    eventually!(entries(&third).await == 40);
    connected(&third).await;
    assert_eq!(meet(&third, 0).await.1, home);
    let received = third
        .metric("howdah_peers_entries_received_total", &[("peer", "lb-1")])
        .await;
    assert!(received >= 40.0, "{received}");
    let log = third.ctl_ok(&["status"]).await;
    assert!(log.contains("peer lb-1 at 127.0.0.1:"), "{log}");
    let events = third.ctl_ok(&["events", "--kind", "peer"]).await;
    assert!(events.contains("peer lb-1 is connected"), "{events}");
}

#[tokio::test]
async fn peers_come_and_go_by_reload_and_what_happened_meanwhile_is_told() {
    let pair = Pair::new();
    let [first, second] = pair.start().await;
    let output = second.reload(&pair.config_with(1, "")).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(second.status().await["peers"], Value::Null);
    eventually!(peer(&first).await["state"] == "away");
    let (_open, here) = meet(&first, 1).await;
    let (_open, there) = meet(&second, 2).await;
    assert_eq!((entries(&first).await, entries(&second).await), (1, 1));
    let output = second.reload(&pair.config(1)).await;
    assert!(output.status.success(), "{output:?}");
    eventually!(entries(&first).await == 2);
    eventually!(entries(&second).await == 2);
    assert_eq!(meet(&second, 1).await.1, here);
    assert_eq!(meet(&first, 2).await.1, there);
    // A reload that changes something else leaves the connection as it is.
    let since = peer(&second).await["since"].clone();
    let other = pair.config(1).replace("ttl = \"10m\"", "ttl = \"20m\"");
    assert!(second.reload(&other).await.status.success());
    let now = peer(&second).await;
    assert_eq!(
        (&now["since"], &now["state"]),
        (&since, &"connected".into())
    );
}

/// What is answered to these bytes, up to the end of the connection or `length` bytes.
async fn answer(port: u16, bytes: &[u8], length: usize) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    at_once(async {
        while heard.len() < length && stream.read_buf(&mut heard).await.unwrap_or(0) > 0 {}
    })
    .await;
    (stream, heard)
}

#[tokio::test]
async fn strangers_are_refused_by_name_and_nonsense_ends_in_a_named_close() {
    let pair = Pair::new();
    let howdah = Howdah::start(&pair.config(0)).await;
    let port = pair.ports[0];
    for (hello, expected) in [
        ("GET / HTTP/1.1\r\n", "501\n"),
        ("HAProxyS 3.0\nlb-0\nlb-1 1 1\n", "502\n"),
        ("HAProxyS 2.1\nlb-7\nlb-1 1 1\n", "503\n"),
        ("HAProxyS 2.1\nlb-0\nlb-7 1 1\n", "504\n"),
    ] {
        let (_, heard) = answer(port, hello.as_bytes(), 100).await;
        assert_eq!(String::from_utf8_lossy(&heard), expected, "{hello:?}");
    }
    for reason in ["no-peer", "version", "wrong-name", "unknown-here"] {
        let refused = howdah
            .metric("howdah_peers_refused_total", &[("reason", reason)])
            .await;
        assert_eq!(refused, 1.0, "{reason}");
    }
    // An unknown table, an unknown server, a key that is none: counted, and the connection goes on.
    let hello = b"HAProxyS 2.1\nlb-0\nlb-1 1 1\n".as_slice();
    let table = |id: u8, name: &str, key: u8| {
        let mut data = vec![id, u8::try_from(name.len()).unwrap()];
        data.extend(name.bytes());
        // Keys of four bytes; the server's name (bit 19) as the only data.
        data.extend([key, 4, 0xf0, 0xf1, 0xfe, 0]);
        let mut message = vec![10, 0x82, u8::try_from(data.len()).unwrap()];
        message.extend(data);
        message
    };
    let entry = |last: u8, server: &str| {
        let name = u8::try_from(server.len()).unwrap();
        let mut data = vec![0, 0, 0, 1, 127, 0, 9, last, name + 2, 1, name];
        data.extend(server.bytes());
        let mut message = vec![10, 0x80, u8::try_from(data.len()).unwrap()];
        message.extend(data);
        message
    };
    let said = [
        hello,
        &table(1, "nobodys", 4),
        &entry(1, "one"),
        &table(2, "back", 2),
        &entry(1, "one"),
        &table(3, "back", 4),
        &entry(1, "nobody"),
        &entry(2, "two"),
    ]
    .concat();
    let (mut stream, heard) = answer(port, &said, 4).await;
    assert!(heard.starts_with(b"200\n"), "{heard:?}");
    eventually!(entries(&howdah).await == 1);
    assert_eq!(meet(&howdah, 2).await.1, "two");
    for (reason, count) in [("table", 2.0), ("key", 1.0), ("server", 1.0)] {
        let labels = [("peer", "lb-1"), ("reason", reason)];
        let ignored = howdah
            .metric("howdah_peers_entries_ignored_total", &labels)
            .await;
        assert_eq!(ignored, count, "{reason}");
    }
    // A class that nobody may use.
    stream.write_all(&[255, 1]).await.unwrap();
    let mut rest = Vec::new();
    at_once(stream.read_to_end(&mut rest)).await.unwrap();
    assert!(
        rest.ends_with(&[1, 0]),
        "the error message is the last: {rest:?}"
    );
    let labels = [("peer", "lb-1"), ("reason", "malformed")];
    eventually!(howdah.metric("howdah_peers_closed_total", &labels).await == 1.0);
    assert_eq!(entries(&howdah).await, 1);
}

#[tokio::test]
async fn with_tls_both_sides_are_verified() {
    let site = Site::new();
    let authority = Certificates::new(&site);
    let own = |site: &Site, authority: &Certificates| {
        authority.write(site, "peer", &["127.0.0.1"]);
        site.write("ca.crt", authority.authority.pem());
    };
    let pair = Pair {
        tls: "cert = \"peer.crt\"\nkey = \"peer.key\"\nclient_ca = \"ca.crt\"\n",
        ..Pair::new()
    };
    own(&site, &authority);
    let second = Site::new();
    own(&second, &authority);
    let first = site.start(&pair.config(0)).await;
    let second = second.start(&pair.config(1)).await;
    connected(&first).await;
    let (_open, home) = meet(&first, 1).await;
    eventually!(entries(&second).await == 1);
    assert_eq!(meet(&second, 1).await.1, home);
    let (_, metrics) = second.http("GET", "/metrics", "").await;
    let shown = metrics
        .lines()
        .any(|line| line.starts_with("howdah_tls_certificate_") && line.contains("peer.crt"));
    assert!(shown, "its end is watched");
    drop(second);
    // Another authority: refused by both, and said.
    let stranger = Site::new();
    own(&stranger, &Certificates::new(&stranger));
    let stranger = stranger.start(&pair.config(1)).await;
    eventually!(
        peer(&stranger).await["why"]
            .as_str()
            .is_some_and(|why| why.starts_with("TLS failed"))
    );
    let refused = [("reason", "tls")];
    eventually!(first.metric("howdah_peers_refused_total", &refused).await >= 1.0);
    assert_eq!(entries(&stranger).await, 0);
}
