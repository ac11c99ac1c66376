//! How the two sides of a session are closed: in order, or by a reset.
//!
//! A stream that ended in order has been passed on as one already. Whatever else ends a session must not look like
//! that, as a cut answer would look whole: so the other side gets a reset, and under TLS no close_notify. The one
//! exception is a session that is silent when an order or its idle time ends it: nothing is cut there.

use std::future::poll_fn;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::session::side::Side;

/// What the peer of a side is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// It has seen the end of the stream, or sees it when the socket is closed.
    Told,
    /// An end in order, now.
    InOrder,
    /// A reset, at once; bytes that the peer's kernel has no room for are lost.
    Reset,
    /// A reset, after what has been given has left for the peer.
    ResetAfterRest,
}

/// Closes the stream towards the peer of `side`; the socket itself closes when it is dropped.
pub(super) async fn part<S: Side>(side: &mut S, parting: Parting) {
    match parting {
        Parting::Told => {}
        // Plain sockets say it by closing. What a full socket does not take now is not waited for.
        Parting::InOrder if S::TLS => {
            let _ = poll_fn(|cx| std::task::Poll::Ready(side.poll_end(cx))).await;
        }
        Parting::InOrder => {}
        Parting::Reset => reset(side.tcp()),
        Parting::ResetAfterRest => {
            let _ = timeout(PATIENCE, departed(side.tcp())).await;
            reset(side.tcp());
        }
    }
}

/// Closing sends a reset from now on.
fn reset(tcp: &TcpStream) {
    // Refused only by a socket that is closed already.
    let _ = tcp.set_zero_linger();
}

/// Until the kernel has sent all that was given to it. Closing with a reset throws away the rest.
async fn departed(tcp: &TcpStream) {
    // From now on the socket counts as writable only when nothing waits to be sent.
    if SockRef::from(tcp).set_tcp_notsent_lowat(1).is_err() {
        return;
    }
    loop {
        let mut socket = [PollFd::new(tcp, PollFlags::OUT)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(&mut socket, Some(&at_once)) {
            Ok(0) => {}
            _ => return,
        }
        // What tokio remembers was true before the mark was moved: it waits for the kernel's next word.
        let forget = || Err::<(), _>(std::io::ErrorKind::WouldBlock.into());
        let _ = tcp.try_io(Interest::WRITABLE, forget);
        if tcp.writable().await.is_err() {
            return;
        }
    }
}

/// A peer that takes nothing for so long hears of the fault before the rest.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
