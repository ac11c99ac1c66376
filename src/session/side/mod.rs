//! One side of a session, as the stages see it: bytes in, bytes out, the end, and the socket below.
//!
//! A relay reads from one side with [`Side::poll_take`], writes to the other with [`Side::poll_give`], flushes it when
//! nothing more comes for now, and ends it with [`Side::poll_end`]. A side is a plain socket (here) or a connection
//! whose TLS ends at howdah ([`TlsSide`]).

mod tls;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;

pub(super) use self::tls::TlsSide;

/// The client's connection or the server's: a plain socket, or one whose TLS ends here.
pub(super) trait Side: Unpin + Send + 'static {
    /// Whether the side encrypts: then bytes given to it may wait in its buffer for a flush, and its socket cannot be
    /// spliced.
    const TLS: bool;

    /// Whether the peer may end its stream without `close_notify`. True for clients, many of which leave it out; false
    /// for servers, since somebody on the way may have cut short what they sent.
    const MAY_LEAVE_SILENTLY: bool;

    /// The socket; shared, so that the session can watch it for faults while it uses the side.
    fn tcp(&self) -> &Arc<TcpStream>;

    /// Reads what the peer sent into `room`; 0 is the end of its stream.
    fn poll_take(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Sends the peer as many of `bytes` as the side takes now, and returns how many that were.
    fn poll_give(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Sends what the side still holds; ready when the socket has taken all of it.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the peer that nothing more comes, after all that was given.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Holds back TLS control records until there is data or an end to send with them.
    fn defer_control_records(&mut self) {}
}

/// Makes its own system calls to read and write. The C library adds the bookkeeping of thread cancellation to each, and
/// a message would pay for that twice.
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

/// Shuts our direction of the socket, which sends the peer a FIN. Never waits.
fn end(tcp: &TcpStream) -> io::Result<()> {
    Ok(shutdown(tcp, Shutdown::Write)?)
}

/// Waits until tokio says that the socket is ready, then makes one system call. A call that moves less than `all` has
/// emptied, or filled, the socket; tokio is told so at once, as its own streams do, and the next poll waits instead of
/// making a call that would block.
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
