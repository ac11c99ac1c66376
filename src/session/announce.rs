//! Stage 6: tell the server who comes, and encrypt if the pool says so.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::destination::Destination;
use super::route::Caller;
use super::side::TlsSide;
use super::stream::ServerSide;
use crate::plan::{Host, ProxyVersion};
use crate::pool::{DialFailure, Lease};
use crate::tls::connect::Connector;
use crate::wire::proxy_protocol::{self, Ends};

/// The PROXY header goes first and in clear, TLS after it.
pub(super) async fn announce(
    mut stream: TcpStream,
    lease: &Lease,
    caller: &Caller<'_>,
    until: Instant,
) -> Result<ServerSide, DialFailure> {
    if let Some(version) = lease.plan().send_proxy {
        let ends = Ends {
            source: caller.address,
            destination: caller.local.unwrap_or(caller.address),
        };
        let header = match version {
            ProxyVersion::V1 => proxy_protocol::encode_v1(ends),
            ProxyVersion::V2 => proxy_protocol::encode_v2(ends),
        };
        // A few dozen bytes into an empty socket buffer: never waits on a sound server.
        let written = timeout_at(until, stream.write_all(&header)).await;
        let Ok(Ok(())) = written else {
            return Err(DialFailure::HeaderFailed);
        };
    }
    match &caller.destination.connector {
        None => Ok(ServerSide::Plain(stream.into())),
        Some(connector) => encrypt(stream, connector, lease, caller.destination, until).await,
    }
}

async fn encrypt(
    stream: TcpStream,
    connector: &Connector,
    lease: &Lease,
    destination: &Destination,
    until: Instant,
) -> Result<ServerSide, DialFailure> {
    let failed = DialFailure::TlsFailed;
    let host = match &lease.server().address().host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    let name = connector.server_name(&host).map_err(|_| failed)?;
    let began = Instant::now();
    let handshake = TlsSide::connect(stream, connector.config(), name);
    match timeout_at(until, handshake).await {
        Ok(Ok(stream)) => {
            destination.metrics.tls_handshake(began.elapsed());
            Ok(ServerSide::Tls(stream))
        }
        Ok(Err(error)) => {
            let server = &lease.server().name();
            tracing::debug!(%server, %error, "TLS to the server failed");
            Err(failed)
        }
        Err(_) => Err(DialFailure::TlsTimeout),
    }
}
