//! Why a plan for peers cannot be put to work.

use std::io;
use std::net::SocketAddr;

use crate::tls::TlsError;

/// Everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// The address.
    #[error("[cluster.peers] cannot listen on {address}: {source}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificates.
    #[error("[cluster.peers]: {0}")]
    Tls(#[from] TlsError),
}
