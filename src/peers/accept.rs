//! Connections that peers make: who it is, and whether that is somebody.
//!
//! Until it has said so, a connection costs a task with a deadline, and there are few of them at a time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::error::PeersError;
use super::link::{Link, Stream};
use super::mesh::{Mesh, Setup};
use super::reason::Closed;
use crate::base::caught::caught;
use crate::base::keepalive;
use crate::wire::peers::hello::{HELLO_MAX, Hello, Status};

/// A howdah that takes over from another opens the same address while the other still has it.
pub(super) fn open(address: SocketAddr) -> Result<std::net::TcpListener, PeersError> {
    let explain = |source| PeersError::Bind { address, source };
    let open = || -> io::Result<std::net::TcpListener> {
        let kind = Type::STREAM.nonblocking();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_tcp_nodelay(true)?;
        keepalive::set(&socket, keepalive::DEFAULT)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(explain)
}

/// Accepts until the task is ended.
pub(super) async fn accept(socket: std::net::TcpListener, mesh: Arc<Mesh>) {
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "peers cannot connect: the runtime cannot watch their address");
            return;
        }
    };
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    loop {
        // The semaphore is never closed.
        let Ok(room) = Arc::clone(&strangers).acquire_owned().await else {
            return;
        };
        match socket.accept().await {
            Ok((stream, from)) => {
                let mesh = Arc::clone(&mesh);
                tokio::spawn(async move {
                    if let Err(panic) = caught(welcome(stream, from, &mesh)).await {
                        mesh.metrics.panicked("peers");
                        tracing::error!(panic, "a connection of a peer panicked: report this");
                    }
                    drop(room);
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn welcome(stream: TcpStream, from: SocketAddr, mesh: &Mesh) {
    let Some(setup) = mesh.setup.load_full() else {
        return;
    };
    let met = timeout(PATIENCE, meet(stream, mesh, &setup)).await;
    let (why, detail) = match met {
        Ok(Ok(())) => return,
        Ok(Err(refused)) => refused,
        Err(_) => (Closed::Timeout, String::new()),
    };
    mesh.metrics.peer_refused(why.as_str());
    if mesh.may_say(why.as_str(), &from.ip().to_string()) {
        let reason = why.as_str();
        tracing::warn!(%from, reason, detail, "a connection of a peer was refused");
    }
}

type Refused = (Closed, String);

async fn meet(stream: TcpStream, mesh: &Mesh, setup: &Setup) -> Result<(), Refused> {
    let stream: Box<dyn Stream> = match &setup.tls {
        None => Box::new(stream),
        Some(tls) => {
            let accepted = TlsAcceptor::from(Arc::clone(&tls.accept)).accept(stream);
            let refused = |error: io::Error| (Closed::Tls, error.to_string());
            Box::new(accepted.await.map_err(refused)?)
        }
    };
    let (hello, mut stream, inbox) = hear(stream).await?;
    match judge(&hello, mesh, setup) {
        Ok(peer) => {
            stream
                .write_all(&Status::Success.encode())
                .await
                .map_err(lost)?;
            stream.flush().await.map_err(lost)?;
            let link = Link {
                stream,
                inbox,
                minor: hello.minor,
                incoming: true,
            };
            // Where one waits already, the peer makes connections faster than they can be replaced.
            let _ = peer.try_send(link);
            Ok(())
        }
        Err((status, detail)) => {
            let _ = stream.write_all(&status.encode()).await;
            let _ = stream.shutdown().await;
            Err((told(status), detail))
        }
    }
}

async fn hear(mut stream: Box<dyn Stream>) -> Result<(Hello, Box<dyn Stream>, Vec<u8>), Refused> {
    let mut inbox = Vec::with_capacity(HELLO_MAX);
    loop {
        match Hello::decode(&inbox) {
            Ok(Some((hello, length))) => {
                inbox.drain(..length);
                return Ok((hello, stream, inbox));
            }
            Ok(None) => {}
            Err(status) => {
                let _ = stream.write_all(&status.encode()).await;
                let _ = stream.shutdown().await;
                return Err((told(status), String::new()));
            }
        }
        if stream.read_buf(&mut inbox).await.map_err(lost)? == 0 {
            return Err((Closed::Lost, String::new()));
        }
    }
}

fn judge(
    hello: &Hello,
    mesh: &Mesh,
    setup: &Setup,
) -> Result<mpsc::Sender<Link>, (Status, String)> {
    if hello.to != *setup.plan.name {
        let detail = format!("it calls this howdah {:?}", short(&hello.to));
        return Err((Status::NotMe, detail));
    }
    let stranger = || (Status::NotYou, format!("it is {:?}", short(&hello.from)));
    mesh.expects(&hello.from).ok_or_else(stranger)
}

/// What this side refuses with, as this side sees it.
fn told(status: Status) -> Closed {
    match status {
        Status::NotMe => Closed::WrongName,
        Status::NotYou => Closed::UnknownHere,
        other => Closed::by(other),
    }
}

/// A name that somebody unknown chose.
fn short(name: &str) -> String {
    name.chars().take(NAME_SHOWN).collect()
}

fn lost(error: io::Error) -> Refused {
    (Closed::Lost, error.to_string())
}

/// For TLS and the three lines.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that have not said who they are.
const STRANGERS: usize = 32;
const BACKLOG: i32 = 64;
/// After an accept that failed: mostly for want of descriptors.
const PAUSE: Duration = Duration::from_millis(200);
const NAME_SHOWN: usize = 64;
