//! One end of a session, as the stages see it: bytes in, bytes out, the end, and the socket below.

mod tls;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;

pub(super) use self::tls::TlsSide;

/// One side of a session: plain, or TLS that ends here.
pub(super) trait Side: Unpin + Send + 'static {
    /// Whether what is given may wait in a buffer for a flush, and bytes are not the socket's own.
    const TLS: bool;

    /// Whether a stream that ends without TLS's own word of farewell has ended all the same. True for clients, of
    /// which many leave that out; false for servers: what they sent may have been cut short on its way.
    const MAY_LEAVE_SILENTLY: bool;

    /// The socket itself; shared, so that its faults can be watched while the stream is in use.
    fn tcp(&self) -> &Arc<TcpStream>;

    /// Reads into `room`; 0 is the end.
    fn poll_take(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Gives the other side what it takes of `bytes`.
    fn poll_give(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Ready when the socket has all that was given.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the other side that nothing more comes.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// From here on something will be given, or the end told: what the side has to say of itself may wait for that.
    fn defer_control_records(&mut self) {}
}

/// Plain reads and writes go past the C library, whose calls may be cancelled, which a message pays twice.
impl Side for Arc<TcpStream> {
    const TLS: bool = false;
    const MAY_LEAVE_SILENTLY: bool = true;

    fn tcp(&self) -> &Arc<TcpStream> {
        self
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let all = room.len();
        let take = || Ok(recv(&**self, &mut *room, RecvFlags::empty())?.1);
        poll_some(all, Interest::READABLE, self, cx, take)
    }

    fn poll_give(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let give = || Ok(send(&**self, bytes, SendFlags::NOSIGNAL)?);
        poll_some(bytes.len(), Interest::WRITABLE, self, cx, give)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(end(self))
    }
}

/// Tells the peer that nothing more comes. Never waits.
fn end(tcp: &TcpStream) -> io::Result<()> {
    Ok(shutdown(tcp, Shutdown::Write)?)
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
