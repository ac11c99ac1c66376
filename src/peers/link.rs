//! A connection to a peer, once both have said who they are.

use tokio::io::{AsyncRead, AsyncWrite};

/// Plain or encrypted.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// See the module.
pub(super) struct Link {
    pub(super) stream: Box<dyn Stream>,
    /// What came behind the handshake already.
    pub(super) inbox: Vec<u8>,
    /// Of version 2, as the side that is older has it.
    pub(super) minor: u32,
    /// Whether the peer made it.
    pub(super) incoming: bool,
}
