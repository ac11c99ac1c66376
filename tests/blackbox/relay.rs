//! Bytes through plain sessions: both directions, every way to end, and the clocks.

use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::eventually;
use crate::support::{
    Fault, Frame, Howdah, at_once, exchange, plain, raw, read_all, read_line, soon,
};

#[tokio::test]
async fn bytes_go_both_ways_and_are_counted() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "hello").await;
    exchange(&mut client, " and again").await;
    drop(client);
    let line = at_once(howdah.ended()).await;
    assert_eq!(line["bytes_from_client"], 15);
    assert_eq!(line["bytes_from_server"], 15);
    assert_eq!(line["reason"], "client-closed");
    assert_eq!(line["stage"], "relay");
}

#[tokio::test]
async fn a_client_may_end_first_and_still_hear_the_answer() {
    let server = raw::sink(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("sink", &[server.address()], "")).await;
    let mut client = howdah.connect("sink").await;
    client.write_all(b"abc").await.unwrap();
    client.shutdown().await.unwrap();
    let answer = at_once(read_line(&mut client)).await.unwrap();
    assert!(answer.starts_with("3 ba7816bf"), "{answer}");
    assert_eq!(at_once(howdah.ended()).await["reason"], "client-closed");
}

#[tokio::test]
async fn a_server_may_end_first_and_still_hear_the_client() {
    let (server, mut heard) = raw::recorder(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("half", &[server.address()], "dial = \"at-once\"")).await;
    server.switch().set(Fault::None);
    let mut client = howdah.connect("half").await;
    client.write_all(b"first").await.unwrap();
    eventually!(server.open_now() == 1);
    client.write_all(b" last").await.unwrap();
    client.shutdown().await.unwrap();
    let heard = at_once(heard.recv()).await.unwrap().unwrap();
    assert_eq!(heard, b"first last");
    assert_eq!(at_once(read_all(&mut client)).await.unwrap(), b"");
    assert_eq!(at_once(howdah.ended()).await["reason"], "client-closed");

    server.switch().set(Fault::HalfClose);
    let mut client = howdah.connect("half").await;
    assert_eq!(at_once(read_all(&mut client)).await.unwrap(), b"");
    client.write_all(b"into the void").await.unwrap();
    client.shutdown().await.unwrap();
    let line = at_once(howdah.ended()).await;
    assert_eq!(line["reason"], "server-closed");
    assert_eq!(line["bytes_from_client"], 13);
}

#[tokio::test]
async fn a_reset_of_the_client_reaches_the_server() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "x").await;
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    assert_eq!(at_once(howdah.ended()).await["reason"], "client-reset");
    at_once(async { eventually!(server.open_now() == 0) }).await;
}

#[tokio::test]
async fn a_reset_of_the_server_reaches_the_client() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "x").await;
    server.switch().set(Fault::Dead);
    let error = at_once(client.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(at_once(howdah.ended()).await["reason"], "server-reset");
}

#[tokio::test]
async fn a_silent_session_ends_after_its_idle_time() {
    let server = raw::echo(&Frame::default()).unwrap();
    let more = "timeouts = { idle = \"300ms\" }";
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], more)).await;
    let mut client = howdah.connect("echo").await;
    for _ in 0..10 {
        exchange(&mut client, "still here").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _ = at_once(read_all(&mut client)).await;
    let line = at_once(howdah.ended()).await;
    assert_eq!(line["reason"], "idle-timeout");
    let took = line["duration_seconds"].as_f64().unwrap();
    assert!(took >= 0.75, "bytes must keep a session alive: {line}");
    at_once(async { eventually!(server.open_now() == 0) }).await;
}

#[tokio::test]
async fn half_a_session_ends_after_its_half_close_time() {
    let server = raw::echo(&Frame::default()).unwrap();
    server.switch().set(Fault::HalfClose);
    let more = "timeouts = { half_close = \"200ms\" }";
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], more)).await;
    let mut client = howdah.connect("echo").await;
    assert_eq!(at_once(read_all(&mut client)).await.unwrap(), b"");
    assert_eq!(
        at_once(howdah.ended()).await["reason"],
        "half-close-timeout"
    );
    at_once(async { eventually!(server.open_now() == 0) }).await;
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard() {
    let server = raw::banner(&Frame::default(), "220 ready\n").unwrap();
    let more = "dial = \"at-once\"";
    let howdah = Howdah::start(&plain("mail", &[server.address()], more)).await;
    let mut client = howdah.connect("mail").await;
    assert_eq!(at_once(read_line(&mut client)).await.unwrap(), "220 ready");
    exchange(&mut client, "EHLO").await;
}

#[tokio::test]
async fn a_silent_client_costs_the_server_nothing() {
    let server = raw::echo(&Frame::default()).unwrap();
    let more = "dial = \"late\"\ntimeouts = { first_byte = \"400ms\" }";
    let mut howdah = Howdah::start(&plain("late", &[server.address()], more)).await;
    let mut silent = howdah.connect("late").await;
    let mut talking = howdah.connect("late").await;
    exchange(&mut talking, "x").await;
    assert_eq!(server.accepted(), 1, "only the one that spoke");
    let _ = at_once(read_all(&mut silent)).await;
    assert_eq!(at_once(howdah.ended()).await["reason"], "client-silent");
    assert_eq!(server.accepted(), 1);
    exchange(&mut talking, "y").await;
}

#[tokio::test]
async fn a_client_that_leaves_before_its_first_byte_is_no_session_of_a_server() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("late", &[server.address()], "dial = \"late\"")).await;
    drop(howdah.connect("late").await);
    let line = at_once(howdah.ended()).await;
    assert_eq!(line["reason"], "client-closed");
    assert!(line["server"].is_null(), "{line}");
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_refused_connect_goes_to_the_next_server_at_once() {
    let (down, up) = (
        raw::named(&Frame::default(), "down").unwrap(),
        raw::named(&Frame::default(), "up").unwrap(),
    );
    down.switch().set(Fault::Refuse);
    let servers = [down.address(), up.address()];
    let mut howdah = Howdah::start(&plain("pair", &servers, "")).await;
    let mut attempts = 0;
    for _ in 0..4 {
        let mut client = howdah.connect("pair").await;
        client.write_all(b"?").await.unwrap();
        assert_eq!(at_once(read_line(&mut client)).await.unwrap(), "up");
        drop(client);
        attempts += at_once(howdah.ended()).await["attempts"].as_u64().unwrap();
    }
    assert!(attempts > 4, "the refusing one was tried, too: {attempts}");
}

#[tokio::test]
async fn nobody_to_go_to_is_said_so() {
    let server = raw::echo(&Frame::default()).unwrap();
    server.switch().set(Fault::Refuse);
    // All attempts together have three times that.
    let more = "timeouts = { connect = \"300ms\" }";
    let mut howdah = Howdah::start(&plain("lone", &[server.address()], more)).await;
    let mut client = howdah.connect("lone").await;
    let _ = client.write_all(b"?").await;
    let _ = at_once(read_all(&mut client)).await;
    let line = at_once(howdah.ended()).await;
    assert_eq!(
        (&line["stage"], &line["reason"]),
        (&"dial".into(), &"connect-refused".into())
    );
}

/// A reader that stops costs the kernel's buffers and no more: howdah holds nothing for it.
#[tokio::test]
async fn a_slow_reader_costs_no_memory() {
    let plan = raw::Exchange {
        seed: 1,
        bytes: 256 << 20,
        first: raw::First::Server,
        pace: raw::Pace::default(),
    };
    let (server, _told) = raw::exchange(&Frame::default(), plan).unwrap();
    let howdah = Howdah::start(&plain("source", &[server.address()], "")).await;
    let mut clients: Vec<TcpStream> = Vec::new();
    let mut taste = [0; 4096];
    let mut first = howdah.connect("source").await;
    first.write_all(b"x").await.unwrap();
    soon(first.read_exact(&mut taste)).await.unwrap();
    let before = howdah.memory();
    for _ in 0..32 {
        let mut client = howdah.connect("source").await;
        client.write_all(b"x").await.unwrap();
        soon(client.read_exact(&mut taste)).await.unwrap();
        clients.push(client);
    }
    // Read a little now and then; the servers push as hard as they can all the while.
    for _ in 0..20 {
        for client in &mut clients {
            soon(client.read_exact(&mut taste)).await.unwrap();
        }
    }
    let grown = howdah.memory().saturating_sub(before);
    assert!(
        grown < 16 << 20,
        "grew by {grown} bytes for 32 slow readers"
    );
}
