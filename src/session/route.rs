//! Stage 3: which pool takes this client, and its first bytes where they must come before a server is dialled.
//!
//! The wait for the first bytes has a time of its own: a person may take a while between connecting and asking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::config::SessionConfig;
use super::destination::Destination;
use super::end::{End, Reason, Stage};
use super::greet::{Greeted, read_some};
use super::registry::Place;
use super::stream::ClientSide;
use crate::plan::Dial;

/// A client and the pool for it.
pub(super) struct Routed<'a> {
    pub(super) client: ClientSide,
    /// Read from the client already, owed to the server.
    pub(super) head: Vec<u8>,
    pub(super) caller: Caller<'a>,
}

/// Whom a server is dialled for.
pub(super) struct Caller<'a> {
    pub(super) destination: &'a Destination,
    pub(super) address: SocketAddr,
    /// Where the client connected to, as far as a PROXY header needs it.
    pub(super) local: Option<SocketAddr>,
    /// Bytes go to the server as soon as it is connected.
    pub(super) speaks_at_once: bool,
}

/// Finds the pool by the name that the client asked for.
pub(super) async fn route<'a>(
    greeted: Greeted,
    config: &'a SessionConfig,
    place: &Place,
) -> Result<Routed<'a>, End> {
    let Greeted {
        mut client,
        mut head,
        mut local,
    } = greeted;
    let destination = place.note(|outcome| {
        let destination = config.switch.route(outcome.sni.as_deref())?;
        outcome.pool = Some(Arc::clone(&destination.metrics));
        Ok::<_, End>(destination)
    })?;
    let rules = Arc::clone(destination.pool.load().plan());
    if rules.dial == Dial::Late && head.is_empty() {
        head = first_bytes(&mut client, rules.timeouts.first_byte).await?;
    }
    if rules.send_proxy.is_some() && local.is_none() {
        local = client.tcp().local_addr().ok();
    }
    let caller = Caller {
        destination,
        address: place.note(|outcome| outcome.client),
        local,
        speaks_at_once: !head.is_empty() || destination.connector.is_some(),
    };
    Ok(Routed {
        client,
        head,
        caller,
    })
}

/// Waits for the client to speak before a server is bothered: a silent connection holds one of Impala's two
/// set-up threads, and one of HiveServer2's workers.
async fn first_bytes(client: &mut ClientSide, patience: Duration) -> Result<Vec<u8>, End> {
    let mut head = Vec::new();
    let read = async {
        match client {
            ClientSide::Plain(stream) => read_some(stream, &mut head).await,
            ClientSide::Tls(side) => read_some(side, &mut head).await,
        }
    };
    match timeout(patience, read).await {
        Err(_) => Err(Stage::Greet.end(Reason::ClientSilent)),
        Ok(Err(end)) => Err(end),
        Ok(Ok(0)) => Err(Stage::Greet.end(Reason::ClientClosed)),
        Ok(Ok(_)) => Ok(head),
    }
}
