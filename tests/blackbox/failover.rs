//! Of a pair with one active server, sessions follow it, and never reach two: NameNodes by default settings but their pace.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::eventually;
use crate::support::{Howdah, at_once, named, read_all, soon};

/// A web server that says who it is, and whether it is the active one.
#[derive(Clone)]
struct NameNode {
    name: &'static str,
    address: SocketAddr,
    active: Arc<AtomicBool>,
    /// When it first said so, since it became so.
    said: Arc<Mutex<Option<Instant>>>,
    /// Requests beside the probe's.
    served: Arc<AtomicU64>,
}

impl NameNode {
    async fn start(name: &'static str, active: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Self {
            name,
            address: listener.local_addr().unwrap(),
            active: Arc::new(AtomicBool::new(active)),
            said: Arc::default(),
            served: Arc::default(),
        };
        let own = node.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().serve(stream));
            }
        });
        node
    }

    fn becomes(&self, active: bool) {
        *self.said.lock().unwrap() = None;
        self.active.store(active, Ordering::SeqCst);
    }

    fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }

    async fn serve(self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if stream.read_line(&mut head).await? == 0 {
                    return Ok(());
                }
            }
            if head.starts_with("GET /jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus ") {
                return stream.write_all(self.bean().as_bytes()).await;
            }
            if head.starts_with("GET /isActive ") {
                return stream.write_all(self.state().as_bytes()).await;
            }
            self.served.fetch_add(1, Ordering::SeqCst);
            stream
                .write_all(reply("200 OK", self.name).as_bytes())
                .await?;
        }
    }

    fn state(&self) -> String {
        if !self.active.load(Ordering::SeqCst) {
            let status = "405 Method Not Allowed\r\nConnection: close";
            return reply(status, "I am not Active!");
        }
        self.said.lock().unwrap().get_or_insert_with(Instant::now);
        reply("200 OK\r\nConnection: close", "I am Active!")
    }

    fn bean(&self) -> String {
        let state = match self.active.load(Ordering::SeqCst) {
            true => "active",
            false => "standby",
        };
        let bean = "\"name\" : \"Hadoop:service=NameNode,name=NameNodeStatus\"";
        let text =
            format!("{{\n  \"beans\" : [ {{\n    {bean},\n    \"State\" : \"{state}\"\n  }} ]\n}}");
        reply("200 OK", &text)
    }
}

fn reply(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// One question in doubt takes longer than any test here allows from an answer to a session.
const PACE: &str = "interval = \"3s\"\nfast_interval = \"2s\"";

async fn pair(a: &NameNode, b: &NameNode, probe: &str) -> Howdah {
    let config = format!(
        r#"
[[listener]]
name = "nn"
bind = "127.0.0.1:0"
pool = "nn"

[pool.nn]
service = "hdfs-namenode"
servers = [{{ name = "a", address = "{}" }}, {{ name = "b", address = "{}" }}]
[pool.nn.probe]
{probe}
"#,
        a.address, b.address
    );
    let howdah = Howdah::start(&config).await;
    howdah.healthy("nn", "a", "up").await;
    howdah.healthy("nn", "b", "alive").await;
    howdah
}

/// Which one answers on this connection.
async fn who(stream: &mut TcpStream) -> std::io::Result<char> {
    let request = b"GET /webhdfs/v1/?op=GETFILESTATUS HTTP/1.1\r\nHost: nn\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = vec![0; reply("200 OK", "a").len()];
    soon(stream.read_exact(&mut answer)).await?;
    Ok(char::from(answer[answer.len() - 1]))
}

/// Which one takes a new session.
async fn takes(front: SocketAddr) -> std::io::Result<char> {
    who(&mut TcpStream::connect(front).await?).await
}

/// When a new session came to that one, at last.
async fn first_on(front: SocketAddr, name: char) -> Instant {
    loop {
        if takes(front).await.is_ok_and(|who| who == name) {
            return Instant::now();
        }
    }
}

#[tokio::test]
async fn sessions_follow_the_active_one() {
    let (a, b) = (
        NameNode::start("a", true).await,
        NameNode::start("b", false).await,
    );
    let mut howdah = pair(&a, &b, PACE).await;
    let front = howdah.address("nn").await;
    for _ in 0..20 {
        assert_eq!(takes(front).await.unwrap(), 'a');
    }
    let mut held = howdah.connect("nn").await;
    assert_eq!(who(&mut held).await.unwrap(), 'a');
    a.becomes(false);
    b.becomes(true);
    // Until it is noticed, the old one has the sessions; then nobody, or the new one.
    let first = soon(first_on(front, 'b')).await;
    let said = b.said.lock().unwrap().unwrap();
    let took = first.duration_since(said);
    println!("from the new one's first true answer to its first session: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    let served = a.served();
    for _ in 0..200 {
        assert_eq!(takes(front).await.unwrap(), 'b');
    }
    assert_eq!(a.served(), served, "the old one was asked again");
    // Whoever kept a connection is not left on it.
    let _ = at_once(read_all(&mut held)).await;
    howdah
        .ended_where(|line| line["reason"] == "role-lost")
        .await;
    assert_eq!(howdah.server("nn", "a").await["reason"], "passive");
}

#[tokio::test]
async fn of_two_that_claim_to_be_active_the_second_gets_no_session() {
    let lasts = std::env::var("HOWDAH_TEST_CONFLICT_SECONDS").ok();
    let lasts = lasts.map_or(5, |seconds| seconds.parse().unwrap());
    let (a, b) = (
        NameNode::start("a", true).await,
        NameNode::start("b", false).await,
    );
    let howdah = pair(&a, &b, PACE).await;
    let front = howdah.address("nn").await;
    let conflict = async || named(&howdah.status().await["pools"], "nn")["conflict"].clone();
    b.becomes(true);
    eventually!(b.said.lock().unwrap().is_some());
    let (begun, mut sessions) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(lasts) {
        assert_eq!(takes(front).await.unwrap(), 'a');
        sessions += 1;
    }
    println!(
        "{sessions} sessions in {lasts} s of conflict, {} to the second",
        b.served()
    );
    assert_eq!(b.served(), 0);
    assert_eq!(conflict().await, true);
    let (_, found) = howdah.http("GET", "/api/v1/doctor", "").await;
    assert!(
        found.contains("\"code\":\"conflict\"") || found.contains("\"code\": \"conflict\""),
        "{found}"
    );
    assert_eq!(
        howdah
            .metric("howdah_pool_conflict", &[("pool", "nn")])
            .await,
        1.0
    );
    assert_eq!(howdah.server("nn", "b").await["on_offer"], false);
    assert_eq!(claims(&howdah, "b").await, [1.0, 0.0]);
    // The first gives up, and the second has waited for it.
    a.becomes(false);
    eventually!(takes(front).await.is_ok_and(|who| who == 'b'));
    eventually!(conflict().await == false);
    assert_eq!(claims(&howdah, "a").await, [0.0, 1.0]);
    let served = a.served();
    for _ in 0..50 {
        assert_eq!(takes(front).await.unwrap(), 'b');
    }
    assert_eq!(a.served(), served);
}

/// As its page says for Hadoop 2, whose NameNodes have no other page that tells the state.
#[tokio::test]
async fn the_state_on_the_jmx_page_serves_as_well() {
    let page = include_str!("../../docs/services/hdfs-namenode.md");
    let (_, rest) = page.split_once("[pool.namenode.probe]\n").unwrap();
    let (probe, _) = rest.split_once("```").unwrap();
    let (a, b) = (
        NameNode::start("a", true).await,
        NameNode::start("b", false).await,
    );
    let howdah = pair(&a, &b, &format!("{PACE}\n{probe}")).await;
    assert_eq!(howdah.server("nn", "b").await["reason"], "passive");
    let front = howdah.address("nn").await;
    assert_eq!(takes(front).await.unwrap(), 'a');
    a.becomes(false);
    b.becomes(true);
    soon(first_on(front, 'b')).await;
    assert!(b.said.lock().unwrap().is_none(), "/isActive was asked");
}

/// The metric of a server's role: active, standby.
async fn claims(howdah: &Howdah, server: &str) -> [f64; 2] {
    let role = async |role| {
        let labels = [("pool", "nn"), ("server", server), ("role", role)];
        howdah.metric("howdah_server_role", &labels).await
    };
    [role("active").await, role("standby").await]
}
