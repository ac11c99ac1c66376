//! The stand-ins as their clients see them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

fn hive(auth: Auth) -> Hive {
    let mut options = HiveOptions::new("hs2-1");
    options.auth = auth;
    Hive::start(&Frame::default(), options).unwrap()
}

/// Says `bytes`, and hears all until the other side ends.
async fn ask(listener: &StandInListener, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(listener.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    let hear = stream.read_to_end(&mut heard);
    timeout(Duration::from_secs(10), hear)
        .await
        .unwrap()
        .unwrap();
    heard
}

fn refused(status: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![status, 0, 0, 0, u8::try_from(text.len()).unwrap()];
    bytes.extend(text.as_bytes());
    bytes
}

#[tokio::test]
async fn a_query_tells_which_instance_answered() {
    let hive = hive(Auth::Anybody);
    let mut client = HiveClient::connect(hive.listener().address(), "u")
        .await
        .unwrap();
    assert_eq!(client.query("SELECT whatever").await.unwrap(), ["hs2-1"]);
    assert_eq!(client.query("SELECT 1").await.unwrap(), ["1"]);
    assert!(client.query("USE default").await.unwrap().is_empty());
    let rows = client.query("SELECT repeat(25000)").await.unwrap();
    assert_eq!(rows.len(), 25_000);
    assert!(rows[24_999].starts_with("hs2-1 row 24999 ."));
    assert!(client.query("SELEKT").await.is_err());
    assert_eq!((hive.sessions_open(), hive.statements()), (1, 5));
    client.close().await.unwrap();
    assert_eq!(hive.sessions_open(), 0);
}

#[tokio::test]
async fn nosasl_and_accounts() {
    let bare = hive(Auth::NoSasl);
    let stream = TcpStream::connect(bare.listener().address()).await.unwrap();
    let mut client = HiveClient::over(Box::new(stream), None).await.unwrap();
    assert_eq!(client.query("SELECT 1").await.unwrap(), ["1"]);
    let (user, password) = ("u".to_owned(), "right".to_owned());
    let guarded = hive(Auth::Account { user, password });
    for (password, lets_in) in [("right", true), ("wrong", false)] {
        let stream = TcpStream::connect(guarded.listener().address())
            .await
            .unwrap();
        let client = HiveClient::over(Box::new(stream), Some(("u", password))).await;
        assert_eq!(client.is_ok(), lets_in, "{password}");
    }
}

#[tokio::test]
async fn strangers_hear_what_hive_tells_them() {
    let hive = hive(Auth::Anybody);
    let says = |status, text: &str| refused(status, text);
    let golden: [(&[u8], Vec<u8>); 6] = [
        (b"GET / HTTP/1.1\r\n\r\n", says(4, "Invalid status 71")),
        (b"\x16\x03\x01\x02\x00", says(4, "Invalid status 22")),
        (b"\x80\x01\x00\x01\x00\x00", says(4, "Invalid status -128")),
        (
            b"\x05\0\0\0\0",
            says(4, "Expecting START status, received COMPLETE"),
        ),
        (
            b"\x01\0\0\0\x06GSSAPI",
            says(3, "Unsupported mechanism type GSSAPI"),
        ),
        (
            b"\x01\0\0\0\x05PLAIN\x02\0\0\0\x03\0u\0",
            says(3, "No password name provided"),
        ),
    ];
    for (said, heard) in golden {
        assert_eq!(ask(hive.listener(), said).await, heard, "{said:?}");
    }
}

#[tokio::test]
async fn a_passive_server_refuses_sessions() {
    let hive = hive(Auth::Anybody);
    hive.set_refusal(Some(
        "Cannot open sessions on an inactive HS2 instance".into(),
    ));
    let refused = HiveClient::connect(hive.listener().address(), "u").await;
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("inactive HS2"), "{text}");
    hive.set_refusal(None);
    assert!(
        HiveClient::connect(hive.listener().address(), "u")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_dead_server_resets_its_sessions_and_comes_back_at_its_address() {
    let hive = hive(Auth::Anybody);
    let address = hive.listener().address();
    let mut client = HiveClient::connect(address, "u").await.unwrap();
    hive.listener().switch().set(Fault::Dead);
    assert!(client.query("SELECT 1").await.is_err());
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!((hive.sessions_open(), hive.listener().open_now()), (0, 0));
    hive.listener().switch().set(Fault::None);
    while HiveClient::connect(address, "u").await.is_err() {}
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let hive = hive(Auth::Anybody);
    let address = hive.listener().address();
    let switch = hive.listener().switch().clone();
    let login = crate::wire::sasl::plain_login("u", "p");

    switch.set(Fault::Reset);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&login).await.unwrap();
    let reset = stream.read_u8().await.unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);

    switch.set(Fault::HalfClose);
    assert_eq!(ask(hive.listener(), &login).await, b"");

    switch.set(Fault::Hang);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&login).await.unwrap();
    let silence = timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(silence.is_err());
    switch.set(Fault::Dribble);
    let mut complete = [1; 5];
    stream.read_exact(&mut complete).await.unwrap();
    assert_eq!(complete, *b"\x05\0\0\0\0");

    switch.set(Fault::Delay(Duration::from_millis(50)));
    let begun = std::time::Instant::now();
    HiveClient::connect(address, "u").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(100), "two answers");
}

#[tokio::test]
async fn impala_and_hue_answer_their_probes() {
    let mut options = HiveOptions::new("impalad-1");
    options.flavour = Flavour::Impala;
    let impala = Impala::start(&Frame::default(), Frame::default().bind, options).unwrap();
    impala.set_quiescing(true);
    let get =
        |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let health = text(ask(impala.web(), get("/healthz").as_bytes()).await);
    assert!(health.starts_with("HTTP/1.1 200 OK") && health.ends_with("\r\n\r\nOK"));
    let root = text(ask(impala.web(), get("/?json").as_bytes()).await);
    assert!(root.contains("\"is_quiescing\":true") && root.contains("\"is_coordinator\":true"));
    assert!(
        HiveClient::connect(impala.listener().address(), "u")
            .await
            .is_err()
    );

    let hue = Hue::start(&Frame::default(), "hue-1").unwrap();
    let alive = text(ask(hue.listener(), get("/desktop/debug/is_alive").as_bytes()).await);
    assert!(alive.starts_with("HTTP/1.1 200 OK") && alive.ends_with("\r\n\r\n"));
    hue.set_alive_status(500);
    let alive = text(ask(hue.listener(), get("/desktop/debug/is_alive").as_bytes()).await);
    assert!(alive.starts_with("HTTP/1.1 500"));
    assert!(text(ask(hue.listener(), get("/").as_bytes()).await).contains("<h1>hue-1</h1>"));
}

#[tokio::test]
async fn both_sides_of_an_exchange_see_the_same_bytes() {
    for first in [raw::First::Client, raw::First::Server] {
        let plan = raw::Exchange {
            seed: 3,
            bytes: 3_000_000,
            first,
            pace: raw::Pace::default(),
        };
        let (listener, mut told) = raw::exchange(&Frame::default(), plan.clone()).unwrap();
        let stream = TcpStream::connect(listener.address()).await.unwrap();
        let mine = raw::Exchange { seed: 4, ..plan };
        let heard = mine.run(stream, first == raw::First::Client).await.unwrap();
        assert_eq!(heard, sum_of_pattern(3, 3_000_000));
        let told = told.recv().await.unwrap().unwrap();
        assert_eq!(told, sum_of_pattern(4, 3_000_000));
    }
}
