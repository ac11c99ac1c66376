//! Stage 4: a server for one attempt, leased from the pool.

use tokio::time::Instant;

use super::end::{Reason, Stage};
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
    place.hold(lease.server().id());
    Ok(lease)
}

/// What it means for a session that has not failed anywhere yet.
pub(super) fn reason_of(nobody: NoServer) -> Reason {
    match nobody {
        NoServer::NoneUp | NoServer::AllTried => Reason::NoServer,
        NoServer::AllFull => Reason::Limit,
    }
}
