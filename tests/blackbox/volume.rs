//! Many bytes each way, through plain sessions and through TLS on both sides, against checksums.
//!
//! `HOWDAH_TEST_BYTES` is what each direction of each session carries: 32 MiB by default, 1 GiB in the full run.

use std::sync::Arc;

use ::howdah::standin::{Wardrobe, sum_of_pattern};
use tokio::time::{Duration, timeout};

use crate::support::{Certificates, Frame, Howdah, Site, plain, raw};

fn volume() -> u64 {
    match std::env::var("HOWDAH_TEST_BYTES") {
        Ok(bytes) => bytes.parse().expect("HOWDAH_TEST_BYTES is a number"),
        Err(_) => 32 << 20,
    }
}

/// What either side sends; the pieces are random, and the client reads slower than the server writes.
fn sides(first: raw::First) -> (raw::Exchange, raw::Exchange) {
    let server = raw::Exchange {
        seed: 11,
        bytes: volume(),
        first,
        pace: raw::Pace {
            chunk: 50_000,
            rest_every: 0,
        },
    };
    let client = raw::Exchange {
        seed: 22,
        pace: raw::Pace {
            chunk: 100_000,
            rest_every: 8 << 20,
        },
        ..server.clone()
    };
    (server, client)
}

/// Generous: a debug build on a loaded machine moves 20 MB/s.
fn patience() -> Duration {
    Duration::from_secs(60 + volume() / (4 << 20))
}

#[tokio::test]
async fn plain_sessions_lose_no_byte() {
    for first in [raw::First::Client, raw::First::Server] {
        let (server_side, client_side) = sides(first);
        let (server, mut told) = raw::exchange(&Frame::default(), server_side).unwrap();
        let mut howdah = Howdah::start(&plain("bulk", &[server.address()], "")).await;
        let before = howdah.memory();
        let stream = howdah.connect("bulk").await;
        let run = client_side.run(stream, first == raw::First::Client);
        let heard = timeout(patience(), run).await.expect("in time").unwrap();
        assert_eq!(heard, sum_of_pattern(11, volume()));
        assert_eq!(
            told.recv().await.unwrap().unwrap(),
            sum_of_pattern(22, volume())
        );
        flat(before, howdah.memory());
        let line = howdah.ended().await;
        assert_eq!(line["bytes_from_client"], volume());
        assert_eq!(line["bytes_from_server"], volume());
        let reason = match first {
            raw::First::Client => "client-closed",
            raw::First::Server => "server-closed",
        };
        assert_eq!(line["reason"], reason);
    }
}

#[tokio::test]
async fn tls_sessions_lose_no_byte() {
    for first in [raw::First::Client, raw::First::Server] {
        let (server_side, client_side) = sides(first);
        let site = Site::new();
        let certificates = Certificates::new(&site);
        certificates.write(&site, "front", &["front.test"]);
        let wardrobe = Wardrobe::new(&certificates.authority, &["back.test"]).unwrap();
        let frame = Frame {
            tls: Some(Arc::new(wardrobe)),
            ..Frame::default()
        };
        let (server, mut told) = raw::exchange(&frame, server_side).unwrap();
        let mut howdah = site
            .start(&both_ends_tls(&server.address().to_string()))
            .await;
        let before = howdah.memory();
        let stream = howdah.connect("bulk").await;
        let stream = certificates
            .client()
            .over(stream, "front.test")
            .await
            .unwrap();
        let run = client_side.run(stream, first == raw::First::Client);
        let heard = timeout(patience(), run).await.expect("in time").unwrap();
        assert_eq!(heard, sum_of_pattern(11, volume()));
        assert_eq!(
            told.recv().await.unwrap().unwrap(),
            sum_of_pattern(22, volume())
        );
        flat(before, howdah.memory());
        let line = howdah.ended().await;
        assert_eq!(line["bytes_from_client"], volume(), "{line}");
        assert_eq!(line["tls"], "1.3");
    }
}

fn both_ends_tls(server: &str) -> String {
    format!(
        r#"
[[listener]]
name = "bulk"
bind = "127.0.0.1:0"
pool = "bulk"
[listener.tls]
certificates = [{{ cert = "front.crt", key = "front.key" }}]

[pool.bulk]
service = "tcp"
servers = ["{server}"]
probe = "none"
[pool.bulk.tls]
ca = "ca.crt"
server_name = "back.test"
"#
    )
}

fn flat(before: u64, after: u64) {
    let grown = after.saturating_sub(before);
    assert!(grown < 16 << 20, "memory grew by {grown} bytes");
}
