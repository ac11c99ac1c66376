//! Stage 4: connect to the server that the pool offers; on failure to the next, under one deadline.
//!
//! Nothing the client said has gone to a server before this stage has succeeded, so trying another is safe.
//! After it, nothing is ever sent twice.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::announce::announce;
use super::choose::Destination;
use super::greet::Greeted;
use super::outcome::{End, Reason, Stage};
use super::registry::Place;
use super::{Linked, Outcome, ServerSide};
use crate::base::connect::connect;
use crate::pool::{DialFailure, Lease, NoServer, ServerId};

/// All attempts of one session together get this many times what one connect gets.
const ATTEMPTS_WORTH: u32 = 3;
/// Pause before servers that have all failed are tried again; doubled from round to round.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Leases server after server until one takes the connection, TLS and all.
pub(super) async fn dial(
    greeted: Greeted<'_>,
    outcome: &mut Outcome,
    place: &Place,
) -> Result<Linked, End> {
    let Greeted {
        client,
        head,
        destination,
        local,
    } = greeted;
    let caller = Caller {
        destination,
        client: outcome.client,
        local,
        speaks_at_once: !head.is_empty() || destination.connector.is_some(),
    };
    let began = Instant::now();
    let pool = &destination.pool;
    let deadline = began + pool.load().plan().timeouts.connect * ATTEMPTS_WORTH;
    let mut tried: Vec<ServerId> = Vec::new();
    let mut pause = FIRST_PAUSE;
    let mut failure = None;
    loop {
        place.reach(Stage::Choose);
        let lease = match pool.choose(outcome.client.ip(), &tried, Instant::now()) {
            Ok(lease) => lease,
            Err(NoServer::AllTried) => {
                let last = failure.unwrap_or(Stage::Choose.end(Reason::NoServer));
                let again = Instant::now() + pause;
                if again >= deadline {
                    return Err(last);
                }
                sleep_until(again).await;
                pause *= 2;
                tried.clear();
                continue;
            }
            Err(NoServer::NoneUp) => {
                return Err(failure.unwrap_or(Stage::Choose.end(Reason::NoServer)));
            }
            Err(NoServer::AllFull) => return Err(Stage::Choose.end(Reason::Limit)),
        };
        let server = lease.server();
        place.hold(server.id());
        place.reach(Stage::Dial);
        if outcome.attempts > 0 {
            destination.metrics.retried();
        }
        outcome.attempts += 1;
        outcome.dialled = Instant::now();
        let until = deadline.min(Instant::now() + lease.plan().timeouts.connect);
        match attempt(&lease, &caller, place, until).await {
            Ok((stream, connect)) => {
                outcome.connect = Some(connect);
                outcome.lease = Some(lease);
                return Ok(Linked {
                    client,
                    server: stream,
                    head,
                });
            }
            Err(why) => {
                server.dial_failed(why);
                tried.push(server.id());
                failure = Some(why.into());
                outcome.lease = Some(lease);
            }
        }
    }
}

/// Whom a server is dialled for.
pub(super) struct Caller<'a> {
    pub(super) destination: &'a Destination,
    pub(super) client: SocketAddr,
    /// Where the client connected to, as far as a PROXY header needs it.
    pub(super) local: Option<SocketAddr>,
    /// Bytes go to the server as soon as it is connected.
    speaks_at_once: bool,
}

async fn attempt(
    lease: &Lease,
    caller: &Caller<'_>,
    place: &Place,
    until: Instant,
) -> Result<(ServerSide, Duration), DialFailure> {
    let server = lease.server();
    let began = Instant::now();
    let stream = connect_any(&server.addresses(), caller.speaks_at_once, until).await?;
    let took = began.elapsed();
    server.metrics().connected(took);
    lease.observe(took, began + took);
    place.reach(Stage::Announce);
    let announced = announce(stream, lease, caller, until).await?;
    server.dial_succeeded();
    Ok((announced, took))
}

/// Tries each address of a server's name in turn; what is left of the time is shared among those still untried.
async fn connect_any(
    addresses: &[SocketAddr],
    speaks_at_once: bool,
    until: Instant,
) -> Result<TcpStream, DialFailure> {
    let mut failure = DialFailure::NoAddress;
    for (index, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match timeout_at(Instant::now() + share, connect_to(*address, speaks_at_once)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = DialFailure::of_connect(&error),
            Err(_) => failure = DialFailure::ConnectTimeout,
        }
    }
    Err(failure)
}

/// No keepalive yet: see the relay, which sets it on sessions that last.
async fn connect_to(address: SocketAddr, speaks_at_once: bool) -> io::Result<TcpStream> {
    let stream = connect(address, speaks_at_once).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
