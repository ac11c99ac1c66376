//! Stage 2: who is the client? PROXY header, ClientHello or TLS handshake, in the order of the wire and under one
//! deadline.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Poll, ready};

use rustls::ProtocolVersion;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::admit::{claim, entitled, is_proxy};
use super::config::SessionConfig;
use super::end::{End, Reason, Stage};
use super::registry::Place;
use super::scratch;
use super::side::{Side, TlsSide};
use super::stream::{Arrival, ClientSide};
use crate::plan::TlsVersion;
use crate::wire::client_hello::{self, Hello};
use crate::wire::proxy_protocol::{self, Ends, Incoming};

/// A client that has said who it is.
pub(super) struct Greeted {
    pub(super) client: ClientSide,
    /// Read from the client already, owed to the server.
    pub(super) head: Vec<u8>,
    /// Where the client connected to, as a PROXY header told it.
    pub(super) local: Option<SocketAddr>,
}

/// Reads what the client must say before anything else.
pub(super) async fn greet(
    arrival: Arrival,
    config: &SessionConfig,
    place: &Place,
) -> Result<Greeted, End> {
    let plan = &config.plan;
    let mut stream = arrival.stream;
    let mut local = None;
    let deadline = Instant::now() + plan.greet_timeout;
    if !plan.accept_proxy.is_empty() && is_proxy(plan, arrival.peer.ip()) {
        let ends = within(deadline, read_proxy_header(&mut stream)).await?;
        let client = ends.map_or(arrival.peer, |ends| ends.source);
        place.note(|outcome| outcome.client = client);
        entitled(plan, client.ip())?;
        if let Some(ends) = ends {
            local = Some(ends.destination);
            let source = claim(config, client.ip(), Instant::now())?;
            place.note(|outcome| outcome.source = source);
        }
    }
    let mut stream = Arc::new(stream);
    let mut head = Vec::new();
    let client = match &config.tls {
        Some(tls) => {
            let began = Instant::now();
            let accept = TlsSide::accept(stream, Arc::clone(tls));
            let accept = async {
                accept
                    .await
                    .map_err(|_| Stage::Greet.end(Reason::TlsFailed))
            };
            let side = within(deadline, accept).await?;
            config.metrics.tls_handshake(began.elapsed());
            place.note(|outcome| {
                outcome.sni = side.sni().map(Into::into);
                outcome.tls = side.version().and_then(|version| match version {
                    ProtocolVersion::TLSv1_2 => Some(TlsVersion::V1_2),
                    ProtocolVersion::TLSv1_3 => Some(TlsVersion::V1_3),
                    _ => None,
                });
            });
            ClientSide::Tls(side)
        }
        None if !config.switch.routes.is_empty() => {
            let sni;
            (head, sni) = within(deadline, read_hello(&mut stream)).await?;
            place.note(|outcome| outcome.sni = sni);
            ClientSide::Plain(stream)
        }
        None => ClientSide::Plain(stream),
    };
    Ok(Greeted {
        client,
        head,
        local,
    })
}

async fn within<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, End>>,
) -> Result<T, End> {
    let late = |_| Stage::Greet.end(Reason::GreetTimeout);
    tokio::time::timeout_at(deadline, work)
        .await
        .map_err(late)?
}

/// Takes the header off the stream and not one byte more: the rest belongs to TLS or to the server.
async fn read_proxy_header(stream: &mut TcpStream) -> Result<Option<Ends>, End> {
    let mut header = Vec::new();
    let mut window = [0; 256];
    loop {
        let seen = stream.peek(&mut window).await.map_err(client_gone)?;
        if seen == 0 {
            return Err(Stage::Greet.end(Reason::ClientClosed));
        }
        let before = header.len();
        header.extend_from_slice(&window[..seen]);
        let (done, ours) = match proxy_protocol::read(&header) {
            Incoming::Header { ends, length } => (Some(ends), length - before),
            // All that was seen belongs to the header, so it can be taken.
            Incoming::Incomplete => (None, seen),
            Incoming::Malformed => return Err(Stage::Greet.end(Reason::BadProxyHeader)),
        };
        stream
            .read_exact(&mut window[..ours])
            .await
            .map_err(client_gone)?;
        if let Some(ends) = done {
            return Ok(ends);
        }
    }
}

/// Reads until the ClientHello is whole, in however many segments it comes. The bytes go on to the server.
async fn read_hello(stream: &mut Arc<TcpStream>) -> Result<(Vec<u8>, Option<Box<str>>), End> {
    let mut head = Vec::new();
    loop {
        match client_hello::read(&head) {
            Hello::Incomplete => {}
            Hello::Found(hello) => return Ok((head, hello.sni.map(Into::into))),
            Hello::NotTls | Hello::Malformed => {
                return Err(Stage::Greet.end(Reason::BadClientHello));
            }
        }
        if read_some(stream, &mut head).await? == 0 {
            return Err(Stage::Greet.end(Reason::ClientClosed));
        }
    }
}

/// One read through the worker's buffer, so that a client that says nothing holds none.
pub(super) async fn read_some(side: &mut impl Side, into: &mut Vec<u8>) -> Result<usize, End> {
    poll_fn(|cx| {
        scratch::buffer(|buffer| {
            let taken = ready!(side.poll_take(cx, buffer))?;
            into.extend_from_slice(&buffer[..taken]);
            Poll::Ready(Ok(taken))
        })
    })
    .await
    .map_err(client_gone)
}

fn client_gone(error: std::io::Error) -> End {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Stage::Greet.end(Reason::ClientClosed),
        _ => Stage::Greet.end(Reason::of_client(&error)),
    }
}
