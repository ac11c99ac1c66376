//! Stages 4 to 6 in a loop: choose, dial, announce; on failure the next server, under one deadline.
//!
//! Nothing the client said has gone to a server before this has succeeded, so trying another is safe. After it,
//! nothing is ever sent twice.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::announce::announce;
use super::choose::{choose, reason_of, wait_in_line};
use super::dial::dial;
use super::end::{End, Reason, Stage};
use super::outcome::Hold;
use super::registry::Place;
use super::route::{Caller, Routed};
use super::stream::{Linked, ServerSide};
use crate::pool::{DialFailure, Lease, NoServer, ServerId};

/// All attempts of one session together get this many times what one connect gets.
const ATTEMPTS_WORTH: u32 = 3;
/// Times that a session waits for a descriptor of howdah's own. It holds one itself, which others may be waiting for.
const SHORTAGES: u32 = 3;
/// No attempt begins with less than this share of its time.
const LEAST_SHARE: u32 = 10;
/// Pause before servers that have all failed are tried again; doubled from round to round.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Tries server after server until one takes the connection, TLS and all.
pub(super) async fn link(routed: Routed<'_>, place: &Place) -> Result<Linked, End> {
    let Routed {
        client,
        head,
        caller,
    } = routed;
    let linking = attempts(client.tcp(), &caller, place);
    let server = unless_reset(client.tcp(), place, linking).await?;
    Ok(Linked {
        client,
        server,
        head,
    })
}

/// What was asked by a client that has broken the connection meanwhile is asked of nobody.
async fn unless_reset<T>(
    client: &TcpStream,
    place: &Place,
    linking: impl Future<Output = Result<T, End>>,
) -> Result<T, End> {
    tokio::select! {
        biased;
        // The kernel's event for a reset, as tokio remembers it: no system call.
        _ = client.ready(Interest::ERROR) => Err(place.stage().end(Reason::ClientReset)),
        linked = linking => linked,
    }
}

async fn attempts(
    client: &TcpStream,
    caller: &Caller<'_>,
    place: &Place,
) -> Result<ServerSide, End> {
    let connect = caller.destination.pool.load().plan().timeouts.connect;
    let mut deadline = Instant::now() + connect * ATTEMPTS_WORTH;
    let mut tried: Vec<ServerId> = Vec::new();
    let mut pause = FIRST_PAUSE;
    let mut shortages = 0;
    let mut failure: Option<End> = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let late = failure.filter(|_| left < connect / LEAST_SHARE);
        if let Some(last) = late {
            return Err(last);
        }
        let choice = match choose(caller, &tried, place) {
            Err(NoServer::AllFull) => {
                let began = Instant::now();
                let choice = wait_in_line(client, caller, &tried, place).await?;
                // The time for attempts is for attempts.
                deadline += began.elapsed();
                choice
            }
            choice => choice,
        };
        let lease = match choice {
            Ok(lease) => lease,
            Err(NoServer::AllTried) if pause < left => {
                sleep(pause).await;
                pause *= 2;
                tried.clear();
                continue;
            }
            Err(nobody @ (NoServer::AllFull | NoServer::QueueFull | NoServer::QueueTimeout)) => {
                return Err(Stage::Choose.end(reason_of(nobody)));
            }
            Err(nobody) => return Err(failure.unwrap_or(Stage::Choose.end(reason_of(nobody)))),
        };
        let dialled = Instant::now();
        if begin_attempt(place, dialled) > 1 {
            caller.destination.metrics.retried();
        }
        let given = left.min(lease.plan().timeouts.connect);
        match attempt(&lease, caller, place, dialled + given).await {
            Ok((server, took)) => {
                place.note(|outcome| {
                    outcome.connect = Some(took);
                    outcome.hold = Hold::Leased(lease);
                });
                return Ok(server);
            }
            Err(DialFailure::OwnLimit) => {
                lease.server().dial_failed(DialFailure::OwnLimit);
                failure = Some(DialFailure::OwnLimit.into());
                drop(lease);
                shortages += 1;
                if shortages > SHORTAGES {
                    return Err(DialFailure::OwnLimit.into());
                }
                // The next server cannot be dialled either; a descriptor may come free.
                sleep(pause).await;
            }
            Err(why) => {
                let server = Arc::clone(lease.server());
                server.dial_failed(fair(why, given, connect));
                tried.push(server.id());
                failure = Some(why.into());
                // The lease goes back now: the next attempt may want its place.
            }
        }
    }
}

/// Returns the attempts so far, this one included.
fn begin_attempt(place: &Place, dialled: Instant) -> u32 {
    place.note(|outcome| {
        outcome.attempts += 1;
        outcome.dialled = dialled;
        outcome.attempts
    })
}

/// A server that was given less than half of the time it is due has not failed.
fn fair(why: DialFailure, given: Duration, due: Duration) -> DialFailure {
    match why {
        DialFailure::ConnectTimeout | DialFailure::TlsTimeout if given < due / 2 => {
            DialFailure::CutShort
        }
        why => why,
    }
}

/// Stages 5 and 6 with one server.
async fn attempt(
    lease: &Lease,
    caller: &Caller<'_>,
    place: &Place,
    until: Instant,
) -> Result<(ServerSide, Duration), DialFailure> {
    let (stream, took) = dial(lease, caller, place, until).await?;
    place.reach(Stage::Announce);
    let announced = announce(stream, lease, caller, until).await?;
    lease.server().dial_succeeded();
    Ok((announced, took))
}
