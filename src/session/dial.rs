//! Stage 5: connect to the server that was chosen.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::end::Stage;
use super::registry::Place;
use super::route::Caller;
use crate::base::connect::connect;
use crate::pool::{DialFailure, Lease};

/// Connects, and says how long that took.
pub(super) async fn dial(
    lease: &Lease,
    caller: &Caller<'_>,
    place: &Place,
    until: Instant,
) -> Result<(TcpStream, Duration), DialFailure> {
    place.reach(Stage::Dial);
    let server = lease.server();
    let began = Instant::now();
    let stream = connect_any(&server.addresses(), caller.speaks_at_once, until).await?;
    let took = began.elapsed();
    server.metrics().connected(took);
    lease.pool().metrics().connected(took);
    lease.observe(took, began + took);
    Ok((stream, took))
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
