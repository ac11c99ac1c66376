//! Stages 4 to 6 in a loop: choose, dial, announce; on failure the next server, under one deadline.
//!
//! Nothing the client said has gone to a server before this has succeeded, so trying another is safe. After it,
//! nothing is ever sent twice.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::announce::announce;
use super::choose::{choose, reason_of};
use super::dial::dial;
use super::end::{End, Stage};
use super::outcome::Outcome;
use super::registry::Place;
use super::route::{Caller, Routed};
use super::stream::{Linked, ServerSide};
use crate::pool::{DialFailure, Lease, NoServer, ServerId};

/// All attempts of one session together get this many times what one connect gets.
const ATTEMPTS_WORTH: u32 = 3;
/// Pause before servers that have all failed are tried again; doubled from round to round.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Tries server after server until one takes the connection, TLS and all.
pub(super) async fn link(
    routed: Routed<'_>,
    outcome: &mut Outcome,
    place: &Place,
) -> Result<Linked, End> {
    let Routed {
        client,
        head,
        caller,
    } = routed;
    let began = Instant::now();
    let pool = &caller.destination.pool;
    let deadline = began + pool.load().plan().timeouts.connect * ATTEMPTS_WORTH;
    let mut tried: Vec<ServerId> = Vec::new();
    let mut pause = FIRST_PAUSE;
    let mut failure: Option<End> = None;
    loop {
        let lease = match choose(&caller, &tried, place) {
            Ok(lease) => lease,
            Err(NoServer::AllTried) if Instant::now() + pause < deadline => {
                sleep_until(Instant::now() + pause).await;
                pause *= 2;
                tried.clear();
                continue;
            }
            Err(nobody @ NoServer::AllFull) => return Err(Stage::Choose.end(reason_of(nobody))),
            Err(nobody) => return Err(failure.unwrap_or(Stage::Choose.end(reason_of(nobody)))),
        };
        if outcome.attempts > 0 {
            caller.destination.metrics.retried();
        }
        outcome.attempts += 1;
        outcome.dialled = Instant::now();
        let until = deadline.min(Instant::now() + lease.plan().timeouts.connect);
        match attempt(&lease, &caller, place, until).await {
            Ok((server, connect)) => {
                outcome.connect = Some(connect);
                outcome.lease = Some(lease);
                return Ok(Linked {
                    client,
                    server,
                    head,
                });
            }
            Err(why) => {
                lease.server().dial_failed(why);
                tried.push(lease.server().id());
                failure = Some(why.into());
                outcome.lease = Some(lease);
            }
        }
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
