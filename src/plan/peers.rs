//! Whom sticky entries are shared with.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{AcceptTls, Address, ConnectTls, PoolName};

/// Table `[cluster.peers]`, with the name of `[cluster]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PeersPlan {
    /// Of this howdah, among its peers.
    pub name: Arc<str>,
    /// Where peers connect to.
    pub bind: SocketAddr,
    /// In the order of the file; names are unique, and none is ours.
    pub peers: Vec<PeerPlan>,
    /// Both sides show a certificate and verify the other's.
    pub tls: Option<PeersTls>,
    /// Pools whose tables have another name than theirs.
    pub tables: Vec<(PoolName, Arc<str>)>,
}

/// One entry of `peers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPlan {
    /// As it calls itself.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: Address,
}

/// Keys `cert`, `key` and `client_ca`, for both directions.
#[derive(Clone, Debug, PartialEq)]
pub struct PeersTls {
    /// For those who connect.
    pub accept: AcceptTls,
    /// For those we connect to.
    pub connect: ConnectTls,
}

impl PeersPlan {
    /// Port where none is written.
    pub const PORT: u16 = 1024;

    /// What the table of a pool is called among peers.
    pub fn table<'a>(&'a self, pool: &'a PoolName) -> &'a str {
        let other = self.tables.iter().find(|(name, _)| name == pool);
        other.map_or(pool.as_str(), |(_, table)| table)
    }
}
