//! The listening sockets of the admin server, and the thread that serves them.
//!
//! The thread is one of its own, with a runtime of its own and a low priority: however many ask, and however large the
//! answers are, probes on the control thread and sessions on the workers go on as before.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as Listening};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener as UnixListening;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::connection::{Secured, converse, greet};
use super::connections::ConnectionLimiter;
use super::handler::Handler;
use super::peer::{self, Peer};
use super::reserve::{AGAIN, Reserve, is_exhaustion};
use super::{HandlerContext, socket};
use crate::handover::inherited::Inherited;
use crate::handover::message::Described;
use crate::plan::AdminPlan;

/// Bound, and ready to serve.
pub struct AdminServer {
    listener: Listening,
    address: SocketAddr,
    unix: Option<(UnixListening, socket::Place)>,
}

/// A server that answers; its drop ends it.
pub struct AdminThread {
    stage: watch::Sender<Stage>,
    /// Ends when nobody is accepted any more.
    accepts: Option<oneshot::Receiver<Infallible>>,
    place: Option<socket::Place>,
}

/// How far a server is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serves,
    /// Its addresses are a successor's.
    Yielded,
}

/// An address cannot be had: for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Key `bind` of `[admin]`.
    #[error("the admin server cannot listen on {address}: {}", advice(.address, .source))]
    Tcp {
        /// As it was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Key `socket` of `[admin]`.
    #[error("the admin server cannot listen on the socket {}: {}", .path.display(), unix_advice(.source))]
    Unix {
        /// As it was asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl AdminServer {
    /// Takes the addresses; nobody is answered before [`Self::start`].
    ///
    /// # Errors
    /// When an address is in use, is not of this machine, or needs a privilege.
    pub fn bind(plan: &AdminPlan) -> Result<Self, BindError> {
        Self::inherit(plan, &mut Inherited::default())
    }

    /// The same; an address of the plan that is among `inherited` is taken from there.
    ///
    /// # Errors
    /// As those of [`Self::bind`].
    pub fn inherit(plan: &AdminPlan, inherited: &mut Inherited) -> Result<Self, BindError> {
        let address = plan.bind;
        let failed = |source| BindError::Tcp { address, source };
        let listener = match inherited.take_admin(address) {
            Some(socket) => Ok(Listening::from(socket)),
            None => Listening::bind(address),
        };
        let listener = listener.map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let unix = plan.socket.as_ref().map(|plan| {
            let path = plan.path.clone();
            let opened = match inherited.take_admin_socket(&path) {
                Some(socket) => socket::inherit(plan, socket),
                None => socket::open(plan),
            };
            opened.map_err(|source| BindError::Unix { path, source })
        });
        Ok(Self {
            listener,
            address,
            unix: unix.transpose()?,
        })
    }

    /// Where it really listens: with port 0, the one that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its sockets once more, to be handed over: whoever has them keeps the addresses open.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn share(&self, plan: &AdminPlan) -> io::Result<Vec<(Described, OwnedFd)>> {
        let wanted = plan.bind;
        let port = self.listener.as_fd().try_clone_to_owned()?;
        let mut all = vec![(Described::Admin { wanted }, port)];
        if let (Some((unix, _)), Some(plan)) = (&self.unix, &plan.socket) {
            let path = plan.path.clone();
            let socket = unix.as_fd().try_clone_to_owned()?;
            all.push((Described::AdminSocket { path }, socket));
        }
        Ok(all)
    }

    /// Answers on a thread of its own, until what this returns is dropped.
    ///
    /// # Errors
    /// When the system has no thread or no descriptor left.
    pub fn start(mut self, context: HandlerContext) -> io::Result<AdminThread> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(RENDERERS)
            .build()?;
        peer::hold_tables();
        let (stage, mut changed) = watch::channel(Stage::Serves);
        let (accepting, accepts) = oneshot::channel();
        let (unix, place) = self.unix.take().unzip();
        thread::Builder::new().name("admin".into()).spawn(move || {
            // Of this thread alone, and of those that render for it. A system that refuses serves at the usual one.
            let _ = rustix::process::nice(LOWER);
            runtime.block_on(async {
                let yielded = tokio::select! {
                    biased;
                    ended = changed.changed() => ended.is_ok(),
                    served = serve(self.listener, unix, context) => {
                        let Err(error) = served;
                        tracing::error!(%error, "the admin server cannot serve");
                        false
                    }
                };
                drop(accepting);
                if yielded {
                    // Who is being answered gets the answer; the next question is the successor's.
                    let _ = timeout(FAREWELL, changed.changed()).await;
                }
            });
            // A rendering that still runs is of no use to anybody.
            runtime.shutdown_background();
        })?;
        let accepts = Some(accepts);
        Ok(AdminThread {
            stage,
            accepts,
            place,
        })
    }

    /// Answers on the runtime of a test, until dropped.
    #[cfg(test)]
    pub(super) async fn serve(self, context: HandlerContext) -> io::Result<Infallible> {
        serve(
            self.listener,
            self.unix.map(|(listener, _)| listener),
            context,
        )
        .await
    }
}

impl AdminThread {
    /// A successor has the addresses, and answers there: nobody is accepted here any more when this returns, and the file stays.
    /// Whoever got an answer from here after that would hear of the past, or give an order to nobody.
    pub async fn yield_to_successor(&mut self) {
        self.stage.send_replace(Stage::Yielded);
        if let Some(accepts) = self.accepts.take() {
            // Of a low priority, and yet the takeover waits for no thread that is stuck.
            let _ = timeout(YIELDED, accepts).await;
        }
        if let Some(place) = &mut self.place {
            place.is_ours(false);
        }
    }

    /// No predecessor has the addresses any more.
    pub fn settle(&mut self) {
        if let Some(place) = &mut self.place {
            place.is_ours(true);
        }
    }
}

/// Each address has a bound of its own: a crowd at the port leaves room at the socket.
async fn serve(
    listener: Listening,
    unix: Option<UnixListening>,
    context: HandlerContext,
) -> io::Result<Infallible> {
    let listener = TcpListener::from_std(listener)?;
    let unix = unix.map(UnixListener::from_std).transpose()?;
    let handler = Handler::new(context);
    let (port, room) = (
        ConnectionLimiter::new(CONNECTIONS),
        ConnectionLimiter::new(CONNECTIONS),
    );
    tokio::select! {
        never = by_tcp(&listener, &port, &handler) => Ok(never),
        never = by_unix(unix.as_ref(), &room, &handler) => Ok(never),
    }
}

async fn by_tcp(
    listener: &TcpListener,
    connections: &Arc<ConnectionLimiter>,
    handler: &Arc<Handler>,
) -> Infallible {
    let secured = Secured::default();
    let mut reserve = Reserve::of(listener);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = tokio::time::sleep(AGAIN), if !reserve.is_full() => {
                reserve.refill();
                continue;
            }
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_exhaustion(&error) && reserve.spend() => continue,
            Err(error) => {
                rest(&error).await;
                continue;
            }
        };
        let Ok(local) = stream.local_addr() else {
            continue;
        };
        let (place, handler) = (connections.enter().await, Arc::clone(handler));
        let peer = Peer::Tcp { remote, local };
        let _ = stream.set_nodelay(true);
        let view = handler.context.view.load_full();
        let Some(identity) = &view.admin.tls else {
            tokio::spawn(converse(stream, peer, place, handler));
            continue;
        };
        match secured.acceptor(identity) {
            Ok(acceptor) => drop(tokio::spawn(greet(acceptor, stream, peer, place, handler))),
            Err(error) => tracing::error!(%error, "the admin server cannot speak TLS"),
        }
    }
}

async fn by_unix(
    listener: Option<&UnixListener>,
    connections: &Arc<ConnectionLimiter>,
    handler: &Arc<Handler>,
) -> Infallible {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                let (place, handler) = (connections.enter().await, Arc::clone(handler));
                tokio::spawn(converse(stream, Peer::Unix { uid }, place, handler));
            }
            Err(error) => rest(&error).await,
        }
    }
}

/// After an accept that failed.
async fn rest(error: &io::Error) {
    if !is_of_one_connection(error) {
        tracing::warn!(%error, "the admin server cannot accept connections");
        tokio::time::sleep(PAUSE).await;
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

fn unix_advice(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "another howdah answers there; set another `socket` in [admin]".into(),
        ErrorKind::PermissionDenied => {
            "howdah's user may not write to its folder, or does not belong to `socket_group` (systemd: RuntimeDirectory=howdah)".into()
        }
        ErrorKind::NotFound => "its folder does not exist (systemd: RuntimeDirectory=howdah)".into(),
        _ => format!("{error}; set another `socket` in [admin]"),
    }
}

/// At once, at each address. A scraper, a few browsers and a health check need ten.
const CONNECTIONS: usize = 64;
/// Threads that print status and metrics.
const RENDERERS: usize = 2;
/// Added to the niceness of the process; see nice(2): on Linux it is a thread's own.
const LOWER: i32 = 5;
/// For a thread that gets no turn on a busy machine.
const YIELDED: Duration = Duration::from_secs(1);
/// For answers that are under way when a successor has the addresses.
const FAREWELL: Duration = Duration::from_secs(2);
/// After an accept that failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);
