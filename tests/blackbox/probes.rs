//! Probes that are data, against servers that answer as they are told: exchanges of bytes, pages and their JSON.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Howdah, PATIENCE};

/// Answers every connection with what it was told last, after the first bytes have come.
#[derive(Clone)]
struct Teller {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<u8>>>,
}

#[derive(Clone)]
enum Answer {
    /// All at once, and then the end.
    Whole(Vec<u8>),
    /// All at once, and then nothing.
    Open(Vec<u8>),
    /// A byte at a time.
    Dribbled(Vec<u8>),
    /// Again and again.
    Endless(Vec<u8>),
}

impl Teller {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let teller = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(answer)),
            asked: Arc::default(),
        };
        let own = teller.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().tell(stream));
            }
        });
        teller
    }

    async fn tell(self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut asked = [0; 1024];
        let count = stream.read(&mut asked).await?;
        let heard = &asked[..count];
        self.asked.lock().unwrap().extend_from_slice(heard);
        let answer = self.answer.lock().unwrap().clone();
        match answer {
            Answer::Whole(bytes) => stream.write_all(&bytes).await,
            Answer::Open(bytes) => {
                stream.write_all(&bytes).await?;
                stream.read(&mut asked).await.map(|_| ())
            }
            Answer::Dribbled(bytes) => {
                stream.set_nodelay(true)?;
                for byte in bytes {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    stream.write_all(&[byte]).await?;
                }
                Ok(())
            }
            Answer::Endless(bytes) => loop {
                stream.write_all(&bytes).await?;
            },
        }
    }

    fn says(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

async fn howdah(teller: &Teller, probe: &str) -> Howdah {
    Howdah::start(&format!(
        r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"
[pool.back]
service = "tcp"
servers = [{{ name = "s", address = "{}" }}]
[pool.back.probe]
interval = "50ms"
fast_interval = "20ms"
timeout = "1s"
rise = 1
fall = 1
{probe}
"#,
        teller.address
    ))
    .await
}

/// Waits until the last probe of the server says so.
async fn found(howdah: &Howdah, health: &str, reason: &str, detail: &str) {
    let mut last = Value::Null;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        last = howdah.server("back", "s").await;
        let told = last["last_probe"]["detail"].as_str().unwrap_or_default();
        if last["health"] == health && last["reason"] == reason && told.contains(detail) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {health}, {reason}, {detail:?}: {last}");
}

const EXCHANGE: &str = r#"
type = "exchange"
steps = [
  { send = "status\r\n" },
  { expect = "^OK (leader|ready)", alive = "^OK standby" },
]
"#;

#[tokio::test]
async fn an_exchange_is_up_alive_or_down_as_its_expressions_say() {
    let teller = Teller::start(Answer::Open(b"OK leader\r\n".to_vec())).await;
    let howdah = howdah(&teller, EXCHANGE).await;
    found(&howdah, "up", "ok", "").await;
    assert!(teller.asked.lock().unwrap().starts_with(b"status\r\n"));
    for (answer, health, reason, detail) in [
        (
            Answer::Open(b"OK standby\r\n".to_vec()),
            "alive",
            "not-serving",
            "OK standby",
        ),
        (Answer::Dribbled(b"OK ready\r\n".to_vec()), "up", "ok", ""),
        // Known at its first byte: the timeout is not waited for.
        (
            Answer::Open(b"ERR \x1b[31mwhat?\r\nmore".to_vec()),
            "down",
            "unexpected-answer",
            "ERR \\u{1b}[31mwhat?",
        ),
        (Answer::Whole(b"OK leader".to_vec()), "up", "ok", ""),
        (
            Answer::Whole(b"OK lead".to_vec()),
            "down",
            "unexpected-answer",
            "OK lead",
        ),
        (
            Answer::Open(b"OK lead".to_vec()),
            "down",
            "timeout",
            "OK lead",
        ),
        (Answer::Whole(Vec::new()), "down", "closed", ""),
        (
            Answer::Whole("ÄÖ\n".bytes().map(|byte| byte | 0x80).collect()),
            "down",
            "unexpected-answer",
            "\\x",
        ),
        (
            Answer::Whole(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            "down",
            "unexpected-answer",
            "HTTP/1.1 400",
        ),
        (
            Answer::Whole(b"\x15\x03\x03\0\x02\x02\x46".to_vec()),
            "down",
            "speaks-tls",
            "",
        ),
    ] {
        teller.says(answer);
        found(&howdah, health, reason, detail).await;
    }
}

#[tokio::test]
async fn an_answer_without_end_is_named_and_costs_no_memory() {
    let teller = Teller::start(Answer::Endless(vec![b'x'; 8192])).await;
    let steps = "type = \"exchange\"\nsteps = [{ send = \"x\", expect = \"leader\" }]";
    let howdah = howdah(&teller, steps).await;
    found(&howdah, "down", "endless", "65536 bytes").await;
    assert!(howdah.memory() < 64 << 20, "{}", howdah.memory());
}

#[tokio::test]
async fn bytes_go_out_behind_their_length_and_come_back_so() {
    let teller = Teller::start(Answer::Open(b"\0\0\0\x02\x07\x01more".to_vec())).await;
    let steps = r#"
type = "exchange"
steps = [{ hex = "00 01 ff", answer = "u32", expect = '^\x07\x01$', alive = '^\x07' }]
"#;
    let howdah = howdah(&teller, steps).await;
    found(&howdah, "up", "ok", "").await;
    let asked = teller.asked.lock().unwrap().clone();
    assert!(asked.starts_with(b"\0\0\0\x03\0\x01\xff"), "{asked:?}");
    teller.says(Answer::Dribbled(b"\0\0\0\x02\x07\x02".to_vec()));
    found(&howdah, "alive", "not-serving", "").await;
    teller.says(Answer::Open(b"\x7f\0\0\0".to_vec()));
    found(&howdah, "down", "endless", "").await;
}

/// As a web server does: with its length, in chunks, or with the end.
fn page(head: &str, body: &str) -> Answer {
    Answer::Whole(format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes())
}

#[tokio::test]
async fn a_value_of_json_decides() {
    let teller = Teller::start(page("200 OK", r#"{"cluster": {"haState": "ACTIVE"}}"#)).await;
    let probe = r#"
type = "http"
path = "/state"
json = { pointer = "/cluster/haState", up = ["ACTIVE", true, 7], alive = ["STANDBY"] }
"#;
    let howdah = howdah(&teller, probe).await;
    found(&howdah, "up", "ok", "\"ACTIVE\"").await;
    assert!(
        teller
            .asked
            .lock()
            .unwrap()
            .starts_with(b"GET /state HTTP/1.1\r\n")
    );
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let state = |value: &str| format!("{{\"cluster\": {{\"haState\": {value}}}}}");
    for (answer, health, reason, detail) in [
        (
            page("200 OK", &state("\"STANDBY\"")),
            "alive",
            "http-body",
            "STANDBY",
        ),
        (page("200 OK", &state("true")), "up", "ok", ""),
        (
            page("200 OK", &state("\"ZOMBIE\"")),
            "down",
            "http-body",
            "ZOMBIE",
        ),
        (page("200 OK", &state("\"true\"")), "up", "ok", ""),
        (page("200 OK", &state("7.0")), "down", "http-body", "7.0"),
        (page("200 OK", &state("7")), "up", "ok", ""),
        (
            page("200 OK", "{}"),
            "down",
            "http-body",
            "nothing at /cluster/haState",
        ),
        (page("200 OK", &state(&deep)), "down", "http-body", "a list"),
        (page("200 OK", &"[".repeat(1000)), "down", "not-json", ""),
        (page("200 OK", "<html>"), "down", "not-json", ""),
        (
            page("200 OK", &format!("[{}]", " ".repeat(2 << 20))),
            "down",
            "not-json",
            "1 MiB",
        ),
        (
            page(
                "200 OK\r\nTransfer-Encoding: chunked",
                "e\r\n{\"cluster\": {\"\r\n15\r\nhaState\": \"STANDBY\"}}\r\n0\r\n\r\n",
            ),
            "alive",
            "http-body",
            "STANDBY",
        ),
        (
            page("401 No\r\nWWW-Authenticate: Negotiate", ""),
            "alive",
            "http-status",
            "wants Negotiate",
        ),
        (
            page("307 Go\r\nLocation: http://rm2/", ""),
            "alive",
            "http-redirect",
            "http://rm2/",
        ),
        (
            page(
                "200 OK\r\nRefresh: 3; url=http://rm2/",
                "This is standby RM",
            ),
            "alive",
            "http-redirect",
            "http://rm2/",
        ),
        (page("503 No", ""), "down", "http-status", "503"),
    ] {
        teller.says(answer);
        found(&howdah, health, reason, detail).await;
    }
}

#[tokio::test]
async fn statuses_and_bodies_are_alive_where_the_file_says_so() {
    let teller = Teller::start(page("200 OK", "I am Active!")).await;
    let probe = r#"
type = "http"
path = "/isActive"
alive_status = [405]
body = { up = "^I am Active", alive = "(?<detail>[a-z]+) mode" }
"#;
    let howdah = howdah(&teller, probe).await;
    found(&howdah, "up", "ok", "").await;
    teller.says(page("405 Method Not Allowed", "I am not Active!"));
    found(&howdah, "alive", "http-status", "405").await;
    teller.says(page("200 OK", "in safe mode now"));
    found(&howdah, "alive", "http-body", "safe").await;
    teller.says(page("200 OK", "who knows?\nmore"));
    found(&howdah, "down", "http-body", "who knows?").await;
}
