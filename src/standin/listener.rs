//! The listening socket of a stand-in, and the connections that came through it.
//!
//! Every stand-in is one or two listeners with a function behind each. The listener does what all of them need: port 0,
//! counting, TLS, and the faults that concern listening. A second, silent socket holds its port, so that a stand-in
//! that "died" finds its own address free when it comes back.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::certificate::Wardrobe;
use super::fault::{Fault, Faulty, Switch};

/// Anything that carries bytes both ways.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// One accepted connection, TLS already off.
pub struct Visit {
    /// Its bytes.
    pub stream: Box<dyn Bytes>,
    /// Who connected: the balancer, as a rule.
    pub peer: SocketAddr,
    /// 1 for the first connection of this listener.
    pub number: u64,
}

/// What happens to a visit.
pub type Serve = Arc<dyn Fn(Visit) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Where and how a stand-in listens.
#[derive(Clone)]
pub struct Frame {
    /// Default 127.0.0.1 and port 0.
    pub bind: SocketAddr,
    /// Certificates to put on; `None` for plain TCP.
    pub tls: Option<Arc<Wardrobe>>,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
        }
    }
}

/// Listens from [`StandInListener::open`] on; dropped, it closes its socket and resets its connections.
pub struct StandInListener {
    address: SocketAddr,
    switch: Switch,
    counts: Arc<Counts>,
    accepting: AbortHandle,
    /// Holds the port while nobody listens.
    _place: Socket,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    open: AtomicU64,
}

impl StandInListener {
    /// Binds and serves from now on. Needs a tokio runtime.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn open(frame: &Frame, switch: Switch, serve: Serve) -> io::Result<Self> {
        let place = bound(frame.bind)?;
        let address = place
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        let listener = listen(address)?;
        let counts = Arc::new(Counts::default());
        let accepting = Accepting {
            address,
            switch: switch.clone(),
            counts: Arc::clone(&counts),
            tls: frame.tls.clone(),
            serve,
        };
        let accepting = tokio::spawn(accepting.run(listener)).abort_handle();
        Ok(Self {
            address,
            switch,
            counts,
            accepting,
            _place: place,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its faults.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn open_now(&self) -> u64 {
        self.counts.open.load(Ordering::Relaxed)
    }
}

impl Drop for StandInListener {
    fn drop(&mut self) {
        self.switch.set(Fault::Dead);
        self.accepting.abort();
    }
}

/// Two sockets share the port: the one that holds it, and the one that listens.
fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The task that accepts, and what each connection takes from it.
struct Accepting {
    address: SocketAddr,
    switch: Switch,
    counts: Arc<Counts>,
    tls: Option<Arc<Wardrobe>>,
    serve: Serve,
}

impl Accepting {
    async fn run(self, listener: TcpListener) {
        let mut listener = Some(listener);
        let mut visits = JoinSet::new();
        let mut fault = self.switch.watch();
        loop {
            match *fault.borrow_and_update() {
                Fault::Refuse => listener = None,
                Fault::Dead => {
                    listener = None;
                    visits.abort_all();
                }
                _ if listener.is_none() => listener = listen(self.address).ok(),
                _ => {}
            }
            tokio::select! {
                changed = fault.changed() => if changed.is_err() { return },
                Some(_) = visits.join_next() => {}
                stream = accept(listener.as_ref()) => {
                    visits.spawn(self.receive(stream));
                }
            }
        }
    }

    /// One visit from its first moment; the future owns all it needs.
    fn receive(&self, stream: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        let number = self.counts.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let inside = Inside::new(&self.counts);
        let (switch, tls, serve) = (
            self.switch.clone(),
            self.tls.clone(),
            Arc::clone(&self.serve),
        );
        async move {
            let _inside = inside;
            let Ok(peer) = stream.peer_addr() else { return };
            // A write that is late because of Nagle would look like a fault that nobody ordered.
            let _ = stream.set_nodelay(true);
            let fault = switch.get();
            let stream = Faulty::new(stream, switch);
            if fault == Fault::HalfClose {
                return listen_only(stream).await;
            }
            let stream: Box<dyn Bytes> = match tls {
                None => Box::new(stream),
                Some(wardrobe) => match wardrobe.acceptor(fault).accept(stream).await {
                    Ok(stream) => Box::new(stream),
                    Err(_) => return,
                },
            };
            serve(Visit {
                stream,
                peer,
                number,
            })
            .await;
        }
    }
}

/// The next connection; never, without a listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of descriptors, most likely: the next session to end brings one.
            Err(_) => sleep(AFTER_FAILED_ACCEPT).await,
        }
    }
}

/// [`Fault::HalfClose`]: our direction is over, theirs goes on into nothing.
async fn listen_only(mut stream: Faulty) {
    let _ = stream.shutdown().await;
    let mut void = [0; 4096];
    while matches!(stream.read(&mut void).await, Ok(n) if n > 0) {}
}

/// Counts a visit as open until it ends, however it ends.
struct Inside(Arc<Counts>);

impl Inside {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counts))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// As many as the kernel lets (`net.core.somaxconn`): a test that is held up has as many sessions in hand.
const BACKLOG: i32 = i32::MAX;

const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(10);
