//! What the modules share: the program under test, waiting, bytes, certificates.

pub(crate) mod howdah;
pub(crate) mod lines;
pub(crate) mod manager;
pub(crate) mod tls;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

pub(crate) use self::howdah::{Howdah, Site, named, program, run, sum_of_samples};
pub(crate) use self::manager::Manager;
pub(crate) use self::tls::Certificates;
pub(crate) use ::howdah::standin::{Fault, Frame, StandInListener, raw};
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// A bound for "this never happens": far beyond what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// For what a peer must see once a packet has arrived: a second is the promise, the rest is for a busy machine. A
/// test that uses it leaves the program's own timers at minutes.
pub(crate) const SOON: Duration = Duration::from_secs(4);

pub(crate) const TERM: Signal = Signal::TERM;
pub(crate) const STOP: Signal = Signal::STOP;
pub(crate) const CONT: Signal = Signal::CONT;
pub(crate) const HUP: Signal = Signal::HUP;

/// Waits until an expression is true, which may await.
#[macro_export]
macro_rules! eventually {
    ($condition:expr) => {{
        let begun = std::time::Instant::now();
        loop {
            if $condition {
                break;
            }
            assert!(
                begun.elapsed() < $crate::support::PATIENCE,
                "never came true: {}",
                stringify!($condition)
            );
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }};
}

/// Whatever takes longer than [`PATIENCE`] has failed.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, what).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen within {PATIENCE:?}"),
    }
}

/// Whatever takes longer than [`SOON`] has come too late.
pub(crate) async fn at_once<T>(what: impl Future<Output = T>) -> T {
    match timeout(SOON, what).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen within {SOON:?}"),
    }
}

/// Reads up to a line end.
pub(crate) async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let line = async {
        let mut line = Vec::new();
        loop {
            match stream.read_u8().await? {
                b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
                byte => line.push(byte),
            }
        }
    };
    soon(line).await
}

/// Says something and hears the same back.
pub(crate) async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &str) {
    soon(async {
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut heard = vec![0; text.len()];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), text);
    })
    .await;
}

/// Reads to the end.
pub(crate) async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    soon(stream.read_to_end(&mut heard)).await?;
    Ok(heard)
}

/// A listener and a pool of that name with these servers, every one of them counted as up.
pub(crate) fn plain(name: &str, servers: &[SocketAddr], more: &str) -> String {
    let servers: Vec<String> = servers
        .iter()
        .map(|address| format!("\"{address}\""))
        .collect();
    format!(
        r#"
[[listener]]
name = "{name}"
bind = "127.0.0.1:0"
pool = "{name}"

[pool.{name}]
service = "tcp"
servers = [{}]
probe = "none"
{more}
"#,
        servers.join(", ")
    )
}

/// A port of 127.0.0.1 that nobody has: below the range that the kernel gives to clients, so that it stays free until it is
/// bound, and never the same twice.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = own_port();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// An address that nobody has and nobody takes, also when it is bound, given up and bound again: of a loopback host on which
/// no other test is. Of 127.0.0.1 the kernel gives away every port that is free for a moment.
pub(crate) fn free_address() -> SocketAddr {
    let port = own_port();
    let [_, network, high, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, 90 + network % 100, high, low], port))
}

/// No two tests of a process have the same, and seldom those of two processes.
fn own_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let first = u16::from(high ^ low) * 64;
    15_000 + first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % 17_000
}
