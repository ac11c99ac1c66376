//! The connections of a session: as it arrives, and as the stages hand it on.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConnection, ServerConnection};
use tokio::net::TcpStream;

use super::side::{Side, TlsSide};

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

/// Both sides, and what the client has said so far.
pub(super) struct Linked {
    pub(super) client: ClientSide,
    pub(super) server: ServerSide,
    pub(super) head: Vec<u8>,
}

pub(super) enum ClientSide {
    Plain(Arc<TcpStream>),
    Tls(TlsSide<ServerConnection>),
}

impl ClientSide {
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(side) => side.tcp(),
        }
    }
}

pub(super) enum ServerSide {
    Plain(Arc<TcpStream>),
    Tls(TlsSide<ClientConnection>),
}
