//! Connections that we make: connect, TLS, hello, and the other side's answer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::link::{Link, Stream};
use super::mesh::Setup;
use super::reason::Closed;
use crate::base::keepalive;
use crate::plan::{Host, PeerPlan};
use crate::wire::peers::hello::{Hello, STATUS_MAX, Status};

/// Why there is no connection, and more of it.
pub(super) type Failed = (Closed, String);

/// Connects to a peer, and says who we are in version 2.`minor`.
pub(super) async fn dial(peer: &PeerPlan, setup: &Setup, minor: u32) -> Result<Link, Failed> {
    let connected = timeout(CONNECT, connect(peer)).await;
    let unreachable = |detail: String| (Closed::Unreachable, detail);
    let tcp = connected
        .map_err(|_| unreachable("no answer in time".to_owned()))?
        .map_err(|error| unreachable(error.to_string()))?;
    let greeted = timeout(GREET, greet(tcp, peer, setup, minor)).await;
    greeted.map_err(|_| (Closed::Timeout, String::new()))?
}

async fn connect(peer: &PeerPlan) -> io::Result<TcpStream> {
    let port = peer.address.port;
    let tcp = match &peer.address.host {
        Host::Ip(ip) => TcpStream::connect((*ip, port)).await,
        Host::Name(name) => TcpStream::connect((name.as_str(), port)).await,
    }?;
    tcp.set_nodelay(true)?;
    keepalive::set(&tcp, keepalive::DEFAULT)?;
    Ok(tcp)
}

async fn greet(tcp: TcpStream, peer: &PeerPlan, setup: &Setup, minor: u32) -> Result<Link, Failed> {
    let mut stream: Box<dyn Stream> = match &setup.tls {
        None => Box::new(tcp),
        Some(tls) => {
            let host = match &peer.address.host {
                Host::Ip(ip) => ip.to_string(),
                Host::Name(name) => name.clone(),
            };
            let refused = |detail: String| (Closed::Tls, detail);
            let name = tls.connect.server_name(&host);
            let name = name.map_err(|error| refused(error.to_string()))?;
            let connector = TlsConnector::from(tls.connect.config());
            let stream = connector.connect(name, tcp).await;
            Box::new(stream.map_err(|error| refused(error.to_string()))?)
        }
    };
    let hello = Hello {
        minor,
        to: peer.name.as_ref().to_owned(),
        from: setup.plan.name.as_ref().to_owned(),
        pid: std::process::id(),
    };
    stream.write_all(&hello.encode()).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let mut inbox = Vec::with_capacity(STATUS_MAX);
    let status = loop {
        match Status::decode(&inbox) {
            Ok(Some((status, length))) => {
                inbox.drain(..length);
                break status;
            }
            Ok(None) => {}
            Err(_) => return Err((Closed::NoPeer, String::new())),
        }
        if stream.read_buf(&mut inbox).await.map_err(lost)? == 0 {
            return Err((Closed::Lost, String::new()));
        }
    };
    if status == Status::Success {
        return Ok(Link {
            stream,
            inbox,
            minor,
            incoming: false,
        });
    }
    Err((Closed::by(status), format!("status {}", status.code())))
}

/// With TLS 1.3 a certificate that the other side refuses is told with the first read.
fn lost(error: io::Error) -> Failed {
    let tls = error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>());
    let why = if tls { Closed::Tls } else { Closed::Lost };
    (why, error.to_string())
}

const CONNECT: Duration = Duration::from_secs(3);
/// For TLS, hello and status.
const GREET: Duration = Duration::from_secs(5);
