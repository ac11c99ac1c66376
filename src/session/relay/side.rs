//! What the relay needs of a connection: a stream, and the socket below it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
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

    /// Reads into `room`; 0 is the end. Also a plain socket's way past the C library, whose calls may be cancelled,
    /// which a message pays twice.
    fn poll_take(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(self).poll_read(cx, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
    }

    /// Writes what the other side takes of `bytes`.
    fn poll_give(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write(cx, bytes)
    }
}

impl Side for TcpStream {
    const TLS: bool = false;
    const MAY_LEAVE_SILENTLY: bool = true;

    fn tcp(&self) -> &TcpStream {
        self
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let all = room.len();
        let take = || Ok(recv(&*self, &mut *room, RecvFlags::empty())?.1);
        poll_some(all, Interest::READABLE, self, cx, take)
    }

    fn poll_give(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let give = || Ok(send(&*self, bytes, SendFlags::NOSIGNAL)?);
        poll_some(bytes.len(), Interest::WRITABLE, self, cx, give)
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

/// One system call on a socket that is ready. A call that moved less than `all` has emptied, or filled, the socket:
/// tokio is told so, as it tells itself, which spares the call that would only find that out.
fn poll_some(
    all: usize,
    interest: Interest,
    socket: &TcpStream,
    cx: &mut Context<'_>,
    mut call: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        if interest.is_readable() {
            ready!(socket.poll_read_ready(cx))?;
        } else {
            ready!(socket.poll_write_ready(cx))?;
        }
        let mut some = None;
        let told = socket.try_io(interest, || match call()? {
            moved if 0 < moved && moved < all => {
                some = Some(moved);
                Err(io::ErrorKind::WouldBlock.into())
            }
            moved => Ok(moved),
        });
        match (some, told) {
            (Some(moved), _) => return Poll::Ready(Ok(moved)),
            (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            (None, told) => return Poll::Ready(told),
        }
    }
}
