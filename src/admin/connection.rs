//! One connection to the admin server: TLS where the address has it, then requests, within bounds of time and size.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::HandlerContext;
use super::answer::Streams;
use super::connections::{ConnectionLimiter, Place};
use super::handler::Handler;
use super::peer::Peer;
use super::routes;
use super::write_timeout::WriteTimeout;
use crate::base::word::words;
use crate::plan::{AcceptTls, ClientAuth, Identity, Sni, TlsVersion};
use crate::tls::{TlsError, accept};

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

/// Puts TLS on, within the time that a request's head has.
pub(super) async fn greet(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: Peer,
    place: Place,
    handler: Arc<Handler>,
) {
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(PATIENCE, acceptor.accept(stream)) => match greeted {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(_)) => Err(End::Malformed),
            Err(_) => Err(End::Timeout),
        },
        () = place.asked_to_leave() => Err(End::Limit),
    };
    match greeted {
        Ok(stream) => converse(stream, peer, place, handler).await,
        Err(end) => handler.context.metrics.admin_ended(end.as_str()),
    }
}

/// The configuration of the certificate that was used last.
#[derive(Default)]
pub(super) struct Secured(Mutex<Option<(Arc<Identity>, TlsAcceptor)>>);

impl Secured {
    pub(super) fn acceptor(&self, identity: &Arc<Identity>) -> Result<TlsAcceptor, TlsError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, acceptor)) = last.as_ref().filter(|(known, _)| known == identity) {
            return Ok(acceptor.clone());
        }
        let config = accept::server_config(&AcceptTls {
            identities: vec![Arc::clone(identity)],
            min_version: TlsVersion::V1_2,
            client_ca: None,
            client_auth: ClientAuth::None,
            client_crl: Vec::new(),
            client_allow: Vec::new(),
            sni: Sni::Any,
        })?;
        let acceptor = TlsAcceptor::from(config);
        *last = Some((Arc::clone(identity), acceptor.clone()));
        Ok(acceptor)
    }
}

/// Answers one connection that came in another way than through [`super::AdminServer`], as one of the socket's; fuzzing
/// asks so.
pub async fn serve_stream<S>(stream: S, context: HandlerContext)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let place = ConnectionLimiter::new(1).enter().await;
    converse(
        stream,
        Peer::Unix { uid: None },
        place,
        Handler::new(context),
    )
    .await;
}

/// One connection, from its first byte to its end.
pub(super) async fn converse<S>(stream: S, peer: Peer, place: Place, handler: Arc<Handler>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let worker = place.work();
    let stream = WriteTimeout::new(stream, PATIENCE).telling(worker.clone());
    let service = service_fn(|request| {
        let (worker, handler) = (worker.clone(), Arc::clone(&handler));
        async move {
            let busy = worker.busy();
            let answer = routes::answer(&handler, request, &peer).await;
            if answer.status() == StatusCode::UNAUTHORIZED {
                // Who guesses, or fills the log, waits, and keeps nobody out meanwhile.
                busy.rest();
                tokio::time::sleep(DENIED).await;
            }
            if answer.extensions().get::<Streams>().is_some() {
                busy.streams();
            } else {
                drop(busy);
            }
            Ok::<_, Infallible>(answer)
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
    handler.context.metrics.admin_ended(end.as_str());
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

/// Before an answer 401.
const DENIED: Duration = Duration::from_millis(200);
/// For a request's head to arrive, for an idle connection to ask again, for a client to take some bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// hyper's least is 8 KiB.
const HEADERS_MAX: usize = 16 * 1024;
