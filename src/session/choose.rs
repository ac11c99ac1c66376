//! Stage 4: a server for one attempt, leased from the pool.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::end::{End, Reason, Stage};
use super::gone::gone;
use super::outcome::Hold;
use super::registry::Place;
use super::route::Caller;
use crate::pool::{Lease, NoServer, ServerId};

/// Leases a server that this session has not `tried` yet.
pub(super) fn choose(
    caller: &Caller<'_>,
    tried: &[ServerId],
    place: &Place,
) -> Result<Lease, NoServer> {
    place.reach(Stage::Choose);
    let client = caller.address.ip();
    let lease = (caller.destination.pool).choose(client, tried, Instant::now())?;
    tried_now(&lease, place);
    Ok(lease)
}

/// Waits until a server that is not full is found; not longer than the client does. An end of the client counts as its
/// leaving here, also of one direction alone: nothing was sent to a server yet.
pub(super) async fn wait_in_line(
    client: &TcpStream,
    caller: &Caller<'_>,
    tried: &[ServerId],
    place: &Place,
) -> Result<Result<Lease, NoServer>, End> {
    let ticket = match (caller.destination.pool).wait(caller.address.ip(), tried) {
        Ok(ticket) => ticket,
        Err(full) => return Ok(Err(full)),
    };
    let choice = tokio::select! {
        biased;
        reason = gone(client) => return Err(Stage::Choose.end(reason)),
        choice = ticket => choice,
    };
    if let Ok(lease) = &choice {
        tried_now(lease, place);
    }
    Ok(choice)
}

fn tried_now(lease: &Lease, place: &Place) {
    let hold = Hold::Tried(Arc::clone(lease.server()), lease.pick());
    let former = place.note(|outcome| std::mem::replace(&mut outcome.hold, hold));
    drop(former);
}

/// What it means for a session that has not failed anywhere yet.
pub(super) fn reason_of(nobody: NoServer) -> Reason {
    match nobody {
        NoServer::NoneUp | NoServer::AllTried => Reason::NoServer,
        NoServer::AllFull | NoServer::QueueFull => Reason::Limit,
        NoServer::QueueTimeout => Reason::QueueTimeout,
    }
}
