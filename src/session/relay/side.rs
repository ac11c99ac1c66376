//! What the relay needs of a connection: a stream, and the socket below it.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// One side of a session: plain, or TLS that ends here.
pub(crate) trait Side: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether what is written may wait in a buffer for a flush, and bytes are not the socket's own.
    const TLS: bool;

    /// Whether a stream that ends without TLS's own word of farewell has ended all the same. True for clients, of
    /// which many leave that out; false for servers: what they sent may have been cut short on its way.
    const MAY_LEAVE_SILENTLY: bool;

    /// The socket itself.
    fn tcp(&self) -> &TcpStream;
}

impl Side for TcpStream {
    const TLS: bool = false;
    const MAY_LEAVE_SILENTLY: bool = true;

    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Side for Box<server::TlsStream<TcpStream>> {
    const TLS: bool = true;
    const MAY_LEAVE_SILENTLY: bool = true;

    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Side for Box<client::TlsStream<TcpStream>> {
    const TLS: bool = true;
    const MAY_LEAVE_SILENTLY: bool = false;

    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}
