//! Every service, asked by the real program in each of its states: one test a service, whose name is its word.
//!
//! The question is the one that the service brings, so that nothing but its word and the address is said.

use ::howdah::standin::{Auth, Flavour, Hive, HiveOptions, Hue, Impala};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::eventually;
use crate::support::{Fault, Frame, Howdah, program, run};

/// Exit codes of `howdah probe`.
const UP: i32 = 0;
const ALIVE: i32 = 3;
const DOWN: i32 = 4;

/// Asks as `howdah probe SERVICE ADDRESS` does, and compares the verdict and a word of the reason.
async fn expect(question: &[&str], (verdict, word): (i32, &str)) {
    let mut command = program();
    command.arg("probe").args(question);
    let output = run(command).await;
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let found = (output.status.code(), said.contains(word));
    assert_eq!(
        found,
        (Some(verdict), true),
        "{question:?}, {word:?}: {said}"
    );
}

#[tokio::test]
async fn hiveserver2() {
    let server = Hive::start(&Frame::default(), HiveOptions::new("hs2-1")).unwrap();
    let address = server.listener().address().to_string();
    expect(&["hiveserver2", &address], (UP, "sasl")).await;
    let passive = "Cannot open sessions on an inactive HS2 instance";
    server.set_refusal(Some(passive.into()));
    let deep = ["hiveserver2", &address, "--depth", "session"];
    expect(&deep, (ALIVE, "passive")).await;
    server.listener().switch().set(Fault::Refuse);
    eventually!(
        TcpStream::connect(server.listener().address())
            .await
            .is_err()
    );
    expect(&["hiveserver2", &address], (DOWN, "refused")).await;
}

#[tokio::test]
async fn impala() {
    let mut options = HiveOptions::new("impalad-1");
    (options.flavour, options.auth) = (Flavour::Impala, Auth::NoSasl);
    let frame = Frame::default();
    let server = Impala::start(&frame, frame.bind, options).unwrap();
    let web = server.web().address().to_string();
    expect(&["impala", &web], (UP, "up")).await;
    server.set_quiescing(true);
    expect(&["impala", &web], (ALIVE, "shutting-down")).await;
    server.set_quiescing(false);
    server.set_coordinator(false);
    expect(&["impala", &web], (ALIVE, "not-coordinator")).await;
    server.web().switch().set(Fault::Refuse);
    eventually!(TcpStream::connect(server.web().address()).await.is_err());
    expect(&["impala", &web], (DOWN, "refused")).await;
}

#[tokio::test]
async fn hue() {
    let server = Hue::start(&Frame::default(), "hue-1").unwrap();
    let address = server.listener().address().to_string();
    expect(&["hue", &address], (UP, "up")).await;
    for (status, verdict) in [(500, ALIVE), (400, ALIVE), (401, ALIVE), (503, DOWN)] {
        server.set_alive_status(status);
        expect(&["hue", &address], (verdict, &status.to_string())).await;
    }
    server.listener().switch().set(Fault::Hang);
    let hasty = ["hue", &address, "--timeout", "300ms"];
    expect(&hasty, (DOWN, "timeout")).await;
}

/// Sessions live in one server, so its client stays; 401 is a login in the way.
#[tokio::test]
async fn livy() {
    let version = "{\"version\":\"0.8.0-incubating\"}";
    let up = answering("GET /version ", "200 OK", version).await;
    expect(&["livy", &up], (UP, "up")).await;
    let login = answering("GET /version ", "401 Unauthorized", "").await;
    expect(&["livy", &login], (ALIVE, "401")).await;
    let other = answering("GET /nothing ", "200 OK", version).await;
    expect(&["livy", &other], (DOWN, "404")).await;
}

/// The address of a server that answers requests which begin like that, and 404 to any other.
async fn answering(begins: &'static str, status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if !matches!(stream.read_line(&mut head).await, Ok(1..)) {
                    break;
                }
            }
            let (status, body) = match head.starts_with(begins) {
                true => (status, body),
                false => ("404 Not Found", ""),
            };
            let length = body.len();
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    address
}

/// It has no way to say that it is alive.
#[tokio::test]
async fn tcp() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    expect(&["tcp", &address], (UP, "up")).await;
    drop(server);
    expect(&["tcp", &address], (DOWN, "refused")).await;
}

/// It is asked nothing, and counts as up.
#[tokio::test]
async fn udp() {
    let config = "[[listener]]\nname = \"front\"\nbind = \"127.0.0.1:0\"\nprotocol = \"udp\"\npool = \"back\"\n\
                  [pool.back]\nservice = \"udp\"\nservers = [\"127.0.0.1:9\"]\n";
    let howdah = Howdah::start(config).await;
    let server = howdah.server("back", "127.0.0.1:9").await;
    assert_eq!(server["health"], "up", "{server}");
    assert!(server["last_probe"].is_null(), "{server}");
    let usage = 2;
    expect(&["udp", "127.0.0.1:9"], (usage, "udp")).await;
}
