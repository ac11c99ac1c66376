//! A probe's connection: plain or TLS, what has come in, and the polite end.
//!
//! It always ends with FIN: what is pending is read, our side is shut, and the server gets a moment to shut its own. A
//! reset after a connect is an error with a stack in the log of every Thrift server (services notes §2).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault;
use super::pass::Pass;
use super::trace::{Answer, Asked, Trace};
use crate::base::connect::connect;
use crate::health::{Endpoint, Reason};
use crate::plan::{ProbePlan, ProxyVersion};
use crate::tls::connect::Connector;
use crate::wire::proxy_protocol::{LOCAL_V1, LOCAL_V2};

/// Wait for the server's FIN after ours. Long enough for a busy one, and nothing waits for it.
const PART: Duration = Duration::from_millis(250);

/// Most that is kept of what a server sends; a probe's answers are far smaller.
const INBOX_MAX: usize = 17 * 1024 * 1024;

/// Where one probe connects to, and how.
pub(super) struct Target<'a> {
    pub(super) endpoint: Endpoint<'a>,
    /// Replaces the port that takes sessions.
    pub(super) port: Option<u16>,
    pub(super) plan: &'a ProbePlan,
    pub(super) tls: Option<&'a Connector>,
    pub(super) pass: Pass,
}

/// Most reads: an answer of the longest kind comes in a tenth of that, and one that dribbles must not cost a core.
const READS_MAX: u32 = 8192;

const SMALL_READS: u32 = 4;

const KEEP_ALIVE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    inbox: Vec<u8>,
    reads: u32,
    ended: bool,
    /// Until then silence is waited for; then our side is shut, as a hint.
    patience: Option<Instant>,
    /// Our side has ended.
    shut: bool,
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Target<'_> {
    /// Connects, announces itself where the server wants that, and speaks TLS where the plan says so.
    pub(super) async fn open(&self, trace: &mut Trace) -> Asked<Link> {
        let plain = self.open_plain(trace).await?;
        match self.tls {
            Some(connector) => self.over_tls(connector, plain, trace).await,
            None => Ok(plain),
        }
    }

    /// The same without TLS, which some protocols begin later, by [`Self::upgrade`].
    pub(super) async fn open_plain(&self, trace: &mut Trace) -> Asked<Link> {
        let tcp = self.connect(trace.deadline()).await?;
        let _ = tcp.set_nodelay(true);
        Ok(Link::new(Stream::Plain(tcp)))
    }

    /// TLS over a plain connection, where the plan wants it.
    pub(super) async fn upgrade<'l>(
        &self,
        link: &'l mut Option<Link>,
        trace: &mut Trace,
    ) -> Asked<&'l mut Link> {
        let unusable = || Answer::down(Reason::Unusable, "the probe has no TLS settings");
        let (connector, plain) = self.tls.zip(link.take()).ok_or_else(unusable)?;
        Ok(link.insert(self.over_tls(connector, plain, trace).await?))
    }

    /// What came in before TLS must have been taken: nobody vouches for it.
    async fn over_tls(&self, connector: &Connector, plain: Link, trace: &mut Trace) -> Asked<Link> {
        trace.step("tls");
        match plain.stream {
            Stream::Plain(tcp) if plain.inbox.is_empty() => {
                self.secure(connector, tcp, false).await
            }
            _ => {
                let text = "more than was asked for came before TLS";
                Err(Answer::down(Reason::UnexpectedAnswer, text))
            }
        }
    }

    /// The bare connection, to the first address that takes it.
    pub(super) async fn connect(&self, deadline: Instant) -> Asked<TcpStream> {
        let mut last = Answer::down(Reason::ResolveFailed, "the name has no address");
        let mut left = u32::try_from(self.endpoint.addresses.len()).unwrap_or(u32::MAX);
        for address in self.endpoint.addresses {
            let address = self.at_port(*address);
            let share = (deadline - Instant::now()) / left.max(1);
            left = left.saturating_sub(1);
            let connect = connect(address, self.plan.ask.speaks_first());
            let connected = match left {
                0 => connect.await,
                _ => timeout_at(Instant::now() + share, connect)
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
            };
            match connected {
                Ok(stream) => return self.announced(stream).await,
                Err(error) => last = fault::of_connect(&error, address),
            }
        }
        Err(last)
    }

    /// TLS over `tcp`. `fresh`: see the certificate itself, not a session resumed from an earlier one.
    pub(super) async fn secure(
        &self,
        connector: &Connector,
        tcp: TcpStream,
        fresh: bool,
    ) -> Asked<Link> {
        let name = connector
            .server_name(self.endpoint.host)
            .map_err(|error| Answer::down(Reason::Unusable, &error.to_string()))?;
        let mut config = connector.config();
        if fresh {
            Arc::make_mut(&mut config).resumption = rustls::client::Resumption::disabled();
        }
        let handshake = Box::pin(TlsConnector::from(config).connect(name, tcp));
        match handshake.await {
            Ok(stream) => Ok(Link::new(Stream::Tls(Box::new(stream)))),
            Err(error) => Err(fault::of_handshake(&error)),
        }
    }

    async fn announced(&self, mut tcp: TcpStream) -> Asked<TcpStream> {
        let header = match self.endpoint.send_proxy {
            Some(_) if self.port.is_some() => return Ok(tcp),
            None => return Ok(tcp),
            Some(ProxyVersion::V1) => LOCAL_V1,
            Some(ProxyVersion::V2) => LOCAL_V2,
        };
        let sent = tcp.write_all(header).await;
        sent.map_err(|error| fault::of_io(&error)).map(|()| tcp)
    }

    /// `host:port`, for the Host header.
    pub(super) fn authority(&self) -> String {
        let port = self
            .port
            .or(self.endpoint.addresses.first().map(SocketAddr::port));
        let host = self.endpoint.host;
        let brackets = host.contains(':') && !host.starts_with('[');
        match (port, brackets) {
            (None, _) => host.to_owned(),
            (Some(port), true) => format!("[{host}]:{port}"),
            (Some(port), false) => format!("{host}:{port}"),
        }
    }

    /// Where the question goes, in the order to try.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let all = self.endpoint.addresses.iter();
        all.map(|address| self.at_port(*address))
    }

    fn at_port(&self, address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip(), self.port.unwrap_or(address.port()))
    }
}

impl Link {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            inbox: Vec::new(),
            reads: 0,
            ended: false,
            patience: None,
            shut: false,
        }
    }

    /// When nothing has come in by then, shut our side and go on listening: a server that waits for the end of a line, as
    /// HTTP servers do, then shows what it is, and to a Thrift server it is an ordinary end.
    pub(super) fn hint_at(&mut self, when: Instant) {
        if matches!(self.stream, Stream::Plain(_)) {
            self.patience = Some(when);
        }
    }

    /// Everything that came in and was not taken.
    pub(super) fn inbox(&self) -> &[u8] {
        &self.inbox
    }

    pub(super) fn take(&mut self, count: usize) {
        self.inbox.drain(..count.min(self.inbox.len()));
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Asked<()> {
        if self.shut {
            return Err(Answer::down(Reason::Timeout, "answered too late to go on"));
        }
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).await,
            Stream::Tls(stream) => match stream.write_all(bytes).await {
                Ok(()) => stream.flush().await,
                failed => failed,
            },
        };
        match sent {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explained(&error).await),
        }
    }

    /// The bare stream, for a client that reads and writes by itself; `None` once our side is shut.
    pub(super) fn stream(&mut self) -> Option<&mut Stream> {
        (!self.shut).then_some(&mut self.stream)
    }

    /// Waits for more; `Ok(false)` when the server has ended its side.
    pub(super) async fn more(&mut self) -> Asked<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.inbox.len() > INBOX_MAX || self.reads >= READS_MAX {
            let text = "the answer does not end, or comes in too many pieces";
            return Err(Answer::down(Reason::Endless, text));
        }
        self.reads += 1;
        match self.patience.take_if(|_| self.inbox.is_empty()) {
            Some(patience) => match timeout_at(patience, self.receive()).await {
                Ok(received) => received,
                Err(_) => {
                    self.shut().await;
                    self.receive().await
                }
            },
            None => self.receive().await,
        }
    }

    /// For a connection that is to stay: neither side should keep a dead one.
    pub(super) fn keep_alive(&self) {
        let tcp = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        };
        let every = socket2::TcpKeepalive::new().with_time(KEEP_ALIVE);
        let _ = socket2::SockRef::from(tcp).set_tcp_keepalive(&every.with_interval(KEEP_ALIVE));
    }

    /// Ends the connection so that no server has reason to complain.
    pub(super) async fn part(mut self, deadline: Instant) {
        let until = deadline.min(Instant::now() + PART);
        let _ = timeout_at(until, async {
            if !self.shut {
                self.shut().await;
            }
            while let Ok(true) = self.more().await {
                self.inbox.clear();
            }
        })
        .await;
    }

    async fn receive(&mut self) -> Asked<bool> {
        // Most answers fit into the first; a long one must not come in thousands of pieces.
        let room = if self.reads <= SMALL_READS {
            512
        } else {
            16 * 1024
        };
        self.inbox.reserve(room);
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read_buf(&mut self.inbox).await,
            Stream::Tls(stream) => stream.read_buf(&mut self.inbox).await,
        };
        match read {
            Ok(0) => {
                self.ended = true;
                Ok(false)
            }
            Ok(_) => Ok(true),
            Err(error) => {
                self.ended = true;
                Err(fault::of_io(&error))
            }
        }
    }

    /// A failed write often has its cause waiting to be read, such as a TLS alert.
    async fn explained(&mut self, error: &io::Error) -> Answer {
        match self.receive().await {
            Err(answer) if answer.reason != Reason::Reset => answer,
            _ => fault::of_io(error),
        }
    }

    /// FIN, with TLS after its own goodbye.
    pub(super) async fn shut(&mut self) {
        self.shut = true;
        let _ = match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
        };
    }
}
