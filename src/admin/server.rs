//! The listening socket of the admin address, its connections, and the thread that serves them.
//!
//! The thread is one of its own, with a runtime of its own and a low priority: however many ask, and however large the
//! answers are, probes on the control thread and sessions on the workers go on as before.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as Listening};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::Front;
use super::crowd::{Crowd, Place};
use super::routes::Desk;
use super::watched::Watched;
use crate::telemetry::label::words;

/// Bound, and ready to serve.
pub struct AdminServer {
    listener: Listening,
    address: SocketAddr,
}

/// A server that answers; its drop ends it.
pub struct AdminThread {
    _end: oneshot::Sender<()>,
}

/// The address cannot be had: for the operator.
#[derive(Debug, thiserror::Error)]
#[error("the admin server cannot listen on {address}: {}", advice(.address, .source))]
pub struct BindError {
    /// Key `bind` of `[admin]`.
    pub address: SocketAddr,
    source: io::Error,
}

words! {
    /// How a connection ended.
    enum End {
        /// In order.
        Done = "done",
        /// The client was too slow to ask, or to read.
        Timeout = "timeout",
        /// What it sent is not HTTP.
        Malformed = "malformed",
        /// Made room for another.
        Limit = "limit",
        /// Broken off.
        Reset = "reset",
    }
}

impl AdminServer {
    /// Takes the address; nobody is answered before [`Self::start`].
    ///
    /// # Errors
    /// When the address is in use, is not of this machine, or needs a privilege.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let listener = Listening::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it really listens: with port 0, the one that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers on a thread of its own, until what this returns is dropped.
    ///
    /// # Errors
    /// When the system has no thread or no descriptor left.
    pub fn start(self, front: Front) -> io::Result<AdminThread> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(RENDERERS)
            .build()?;
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("admin".into()).spawn(move || {
            // Of this thread alone, and of those that render for it. A system that refuses serves at the usual one.
            let _ = rustix::process::nice(LOWER);
            runtime.block_on(async {
                tokio::select! {
                    served = self.serve(front) => {
                        let Err(error) = served;
                        tracing::error!(%error, "the admin server cannot serve");
                    }
                    _ = ended => {}
                }
            });
            // A rendering that still runs is of no use to anybody.
            runtime.shutdown_background();
        })?;
        Ok(AdminThread { _end: end })
    }

    /// Answers until dropped.
    pub(super) async fn serve(self, front: Front) -> io::Result<Infallible> {
        let listener = TcpListener::from_std(self.listener)?;
        let desk = Desk::new(front);
        let crowd = Crowd::new(CONNECTIONS);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    let place = crowd.enter().await;
                    tokio::spawn(converse(stream, place, Arc::clone(&desk)));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "the admin server cannot accept connections");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Answers one connection that came in another way than [`AdminServer`]'s; fuzzing asks so, without a socket.
pub async fn serve_stream<S>(stream: S, front: Front)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let place = Crowd::new(1).enter().await;
    converse(stream, place, Desk::new(front)).await;
}

/// One connection, from its first byte to its end.
async fn converse<S>(stream: S, place: Place, desk: Arc<Desk>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let worker = place.work();
    let stream = Watched::new(stream, PATIENCE).telling(worker.clone());
    let service = service_fn(|request| {
        let (worker, desk) = (worker.clone(), Arc::clone(&desk));
        async move {
            let _busy = worker.busy();
            Ok::<_, Infallible>(desk.answer(request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let end = tokio::select! {
        ended = connection => ended.map_or_else(|error| End::of(&error), |()| End::Done),
        () = place.asked_to_leave() => End::Limit,
    };
    desk.front.metrics.admin_ended(end.as_str());
}

impl End {
    fn of(error: &hyper::Error) -> Self {
        let source = std::error::Error::source(error);
        let io = source.and_then(|source| source.downcast_ref::<io::Error>());
        let late = io.is_some_and(|error| error.kind() == ErrorKind::TimedOut);
        if late || error.is_timeout() {
            Self::Timeout
        } else if error.is_parse() {
            Self::Malformed
        } else {
            Self::Reset
        }
    }
}

/// The peer left between its SYN and our accept; nothing is wrong here.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

/// What to do about it, as the end of a sentence.
fn advice(address: &SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} is in use; end what holds it (`ss -ltnp 'sport = :{port}'` names it), or set another `bind` in [admin]"
        ),
        ErrorKind::PermissionDenied => format!(
            "port {port} needs a privilege; set a port from 1024 on as `bind` in [admin], or grant CAP_NET_BIND_SERVICE"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "this machine has no address {}; set one that it has (`ip address` lists them) as `bind` in [admin]",
            address.ip()
        ),
        _ => format!("{error}; set another `bind` in [admin]"),
    }
}

/// At once. A scraper, a few browsers and a health check need ten.
const CONNECTIONS: usize = 64;
/// Threads that print status and metrics.
const RENDERERS: usize = 2;
/// Added to the niceness of the process; see nice(2): on Linux it is a thread's own.
const LOWER: i32 = 10;
/// For a request's head to arrive, for an idle connection to ask again, for a client to take some bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// hyper's least is 8 KiB.
const HEADERS_MAX: usize = 16 * 1024;
/// After an accept that failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);
