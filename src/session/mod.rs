//! One connection, in the order it is lived.
//!
//! ```text
//! accept ─ admit ─ greet ─ choose ─ dial ─ announce ─ relay ─ account
//!          may it  who is   which    connect  TLS and   bytes   one line,
//!          enter?  it?      server?  or next  PROXY     both    one Outcome
//!                                             header    ways
//! ```
//!
//! [`serve`] calls the stages in that order; each consumes what the one before produced, so none can be left
//! out. A session lives on one worker from its first to its last poll. Every session, also one that a stage
//! refuses, ends in exactly one [`Outcome`], of which the log line and the counters are two views.
//!
//! What makes an idle session small: the stages before the relay run in a future of their own that is gone when
//! the relay begins, and the relay keeps no buffer while nothing flows.

mod account;
mod admit;
mod announce;
mod choose;
mod dial;
mod greet;
mod lend;
mod outcome;
pub mod registry;
mod relay;
mod side;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustls::{ClientConnection, ServerConnection};
use tokio::net::TcpStream;
use tokio::time::Instant;

use self::account::account;
pub use self::admit::Limit;
use self::admit::admit;
pub use self::choose::{Destination, Switch};
use self::dial::dial;
use self::greet::greet;
use self::outcome::End;
pub use self::outcome::{Reason, Stage};
use self::registry::Place;
use self::relay::{Meter, relay};
pub use self::relay::{keepalive, set_way};
use self::side::{Side, TlsSide};
use crate::plan::{ListenerPlan, PoolName};
use crate::pool::Lease;
use crate::telemetry::ListenerMetrics;
use crate::telemetry::access::AccessLog;

/// What the sessions of one listener follow. Made anew by a reload; a session keeps the one it began with.
pub struct Course {
    /// The listener's own rules.
    pub plan: Arc<ListenerPlan>,
    /// Ends TLS here.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Which pool takes whom.
    pub switch: Switch,
    /// The listener's bound on sessions.
    pub limit: Arc<Limit>,
    /// The process's bound on sessions.
    pub process_limit: Arc<Limit>,
    /// The listener's counters.
    pub metrics: Arc<ListenerMetrics>,
    /// Takes the line of each session.
    pub access: AccessLog,
}

/// An accepted connection.
#[derive(Debug)]
pub struct Arrival {
    /// Non-blocking, registered with this worker.
    pub stream: TcpStream,
    /// The other end of it.
    pub peer: SocketAddr,
    /// Unique in this process.
    pub id: u64,
}

/// The journey of one session. Never fails: how it ended goes into the account. `guard` is dropped at its end.
///
/// Not an `async fn`, and `arrival` in a box: what such a function takes, and what an `await` was given, keeps
/// its room in the future to the end, and this future is what every idle session weighs.
pub fn serve<G: Send>(
    arrival: Arrival,
    course: Arc<Course>,
    guard: G,
) -> impl Future<Output = ()> + Send {
    let mut outcome = Outcome::begin(arrival.id, arrival.peer);
    let place = Place::enter();
    course.metrics.opened();
    let admitted = admit(&course, arrival.peer.ip());
    let arrival = Box::new(arrival);
    async move {
        let end = match admitted.as_ref().err() {
            Some(end) => *end,
            None => {
                let relay = prepare(arrival, &course, &mut outcome, &place)
                    .await
                    .map(|linked| carry(linked, &course, &mut outcome, &place));
                match relay {
                    Err(end) => end,
                    Ok(relay) => Stage::Relay.end(relay.await),
                }
            }
        };
        drop(admitted);
        account(outcome, end, &course);
        drop((place, guard));
    }
}

/// What is known of a session when it is over.
pub(crate) struct Outcome {
    id: u64,
    started: Instant,
    client: SocketAddr,
    sni: Option<Box<str>>,
    tls: Option<&'static str>,
    attempts: u32,
    /// When the attempt that led to the server began.
    dialled: Instant,
    connect: Option<Duration>,
    /// Known as soon as the client has said what it wants; the lease comes later, or never.
    pool: Option<PoolName>,
    lease: Option<Lease>,
    meter: Meter,
}

impl Outcome {
    fn begin(id: u64, client: SocketAddr) -> Self {
        let now = Instant::now();
        Self {
            id,
            started: now,
            client,
            sni: None,
            tls: None,
            attempts: 0,
            dialled: now,
            connect: None,
            pool: None,
            lease: None,
            meter: Meter::default(),
        }
    }
}

/// Both sides, and what the client has said so far.
struct Linked {
    client: ClientSide,
    server: ServerSide,
    head: Vec<u8>,
}

enum ClientSide {
    Plain(TcpStream),
    Tls(TlsSide<ServerConnection>),
}

impl ClientSide {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(side) => side.tcp(),
        }
    }
}

enum ServerSide {
    Plain(TcpStream),
    Tls(TlsSide<ClientConnection>),
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Stages 2 to 5, in a box of their own that is gone when the relay begins.
fn prepare<'a>(
    arrival: Box<Arrival>,
    course: &'a Course,
    outcome: &'a mut Outcome,
    place: &'a Place,
) -> Boxed<'a, Result<Linked, End>> {
    Box::pin(async move {
        let mut stages = pin!(async move {
            place.reach(Stage::Greet);
            let greeted = greet(*arrival, course, outcome).await?;
            dial(greeted, outcome, place).await
        });
        poll_fn(|cx| match place.poll_cut(cx) {
            Some(reason) => Poll::Ready(Err(place.stage().end(reason))),
            None => stages.as_mut().poll(cx),
        })
        .await
    })
}

/// Stage 6: one relay for each pair of kinds, in a box of just its size, so that none pays for TLS it does not have.
fn carry<'a>(
    linked: Linked,
    course: &'a Course,
    outcome: &'a mut Outcome,
    place: &'a Place,
) -> Boxed<'a, Reason> {
    let Linked {
        client,
        server,
        head,
    } = linked;
    match (client, server) {
        (ClientSide::Plain(c), ServerSide::Plain(s)) => relay(c, s, head, course, outcome, place),
        (ClientSide::Tls(c), ServerSide::Plain(s)) => relay(c, s, head, course, outcome, place),
        (ClientSide::Plain(c), ServerSide::Tls(s)) => relay(c, s, head, course, outcome, place),
        (ClientSide::Tls(c), ServerSide::Tls(s)) => relay(c, s, head, course, outcome, place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle session keeps beside its two sockets and the box of its relay.
    #[test]
    fn the_task_of_a_session_is_small() {
        let size = size_of_future(serve::<[u64; 2]>);
        assert!(size <= 360, "{size} bytes");
    }

    fn size_of_future<A, B, C, F: Future>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }
}
