//! The accept loop of one socket: takes connections in batches, hands each to the worker that has the fewest.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::spread::Local;
use super::{Listener, Owner};
use crate::base::caught::caught;
use crate::base::fate::Fate;
use crate::base::word::words;

/// Accepted in one go before the sessions already here get their turn.
const BATCH: usize = 4;
/// The kernel lets at most so many wait, as we open our sockets; who goes on coming while we close comes too late.
const MOST_WAITING: usize = 4096;
/// First pause after the descriptor table was full; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A socket that is retired goes on accepting for so long, for clients that still have its address in hand.
const GRACE: Duration = Duration::from_millis(500);

words! {
    /// Why `accept` gave no connection.
    pub(crate) enum AcceptError {
        /// The process or the system has no descriptors or buffers left.
        Exhausted = "exhausted",
        /// That one connection broke before it was taken.
        Aborted = "aborted",
    }
}

/// Accepts until the socket is retired; then for a moment more, until nothing waits, and closes it. One that was given to another
/// process closes here at once.
///
/// # Errors
/// Only when the runtime cannot watch the socket at all; whatever happens to a connection is counted and passed over.
pub(super) async fn accept(
    socket: std::net::TcpListener,
    owner: Arc<Owner>,
    local: Local,
    mut retired: watch::Receiver<Fate>,
) -> io::Result<()> {
    let socket = TcpListener::from_std(socket)?;
    let welcome = |accepted: io::Result<(TcpStream, SocketAddr)>| {
        let listener = owner.load();
        match accepted {
            Ok((stream, peer)) => local.welcome(stream, peer, &listener),
            Err(_) => listener.metrics.accept_failed(AcceptError::Aborted),
        }
    };
    // A panic costs the connection that it was about, and none beside.
    while caught(until_retired(&socket, &owner, &welcome, &mut retired))
        .await
        .is_err()
    {
        let listener = owner.load_full();
        tracing::error!(listener = %listener.name, "accepting panicked, and goes on: report this");
        listener.metrics.accept_panicked();
        sleep(FIRST_PAUSE).await;
    }
    if *retired.borrow() == Fate::Given {
        return Ok(());
    }
    // Closing resets what waits: so nothing must.
    if let Err(error) = rest(&socket, &welcome).await {
        exhausted(&owner.load(), &error, FIRST_PAUSE);
    }
    Ok(())
}

async fn until_retired(
    socket: &TcpListener,
    owner: &Owner,
    welcome: &impl Fn(io::Result<(TcpStream, SocketAddr)>),
    retired: &mut watch::Receiver<Fate>,
) {
    let mut pause = FIRST_PAUSE;
    let mut until: Option<Instant> = None;
    loop {
        let taken = tokio::select! {
            taken = poll_fn(|cx| poll_batch(socket, welcome, cx)) => taken,
            fate = retired.wait_for(|fate| *fate != Fate::Open), if until.is_none() => {
                if fate.is_ok_and(|fate| *fate == Fate::Given) {
                    return;
                }
                until = Some(Instant::now() + GRACE);
                continue;
            }
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => return,
        };
        match taken {
            Ok(more) => {
                pause = FIRST_PAUSE;
                if more {
                    // The sessions of this worker have their turn in between.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => {
                exhausted(&owner.load(), &error, pause);
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Takes everything that waits, and waits for nothing. Unconstrained, as a task that has had its share is told that
/// nothing waits where something does.
async fn rest(
    socket: &TcpListener,
    welcome: &impl Fn(io::Result<(TcpStream, SocketAddr)>),
) -> io::Result<()> {
    let all = poll_fn(|cx| {
        for _ in 0..MOST_WAITING / BATCH {
            match poll_batch(socket, welcome, cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) | Poll::Pending => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    });
    tokio::task::unconstrained(all).await
}

/// Takes what waits, at most a batch. True when more may wait. Fails only where nothing can
/// be accepted for the time being.
fn poll_batch(
    socket: &TcpListener,
    welcome: &impl Fn(io::Result<(TcpStream, SocketAddr)>),
    cx: &mut Context<'_>,
) -> Poll<io::Result<bool>> {
    for taken in 0..BATCH {
        match socket.poll_accept(cx) {
            Poll::Ready(Err(error)) if is_exhaustion(&error) => return Poll::Ready(Err(error)),
            Poll::Ready(accepted) => welcome(accepted),
            Poll::Pending if taken == 0 => return Poll::Pending,
            Poll::Pending => return Poll::Ready(Ok(false)),
        }
    }
    Poll::Ready(Ok(true))
}

fn is_exhaustion(error: &io::Error) -> bool {
    let all = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    all.iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn exhausted(listener: &Listener, error: &io::Error, pause: Duration) {
    listener.metrics.accept_failed(AcceptError::Exhausted);
    if pause == FIRST_PAUSE {
        tracing::warn!(
            listener = %listener.name,
            %error,
            "new sessions wait: raise the limit of open files (LimitNOFILE), or lower global.max_connections"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// tokio says "nothing" to a task that has had its share of a turn; closing would reset who waits.
    #[tokio::test]
    async fn who_waits_is_taken_before_the_socket_closes_however_busy_the_task_is() {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = socket.local_addr().expect("bound");
        let _clients = [
            std::net::TcpStream::connect(address).expect("connects"),
            std::net::TcpStream::connect(address).expect("connects"),
        ];
        socket.accept().await.expect("the first");
        let taken = Cell::new(0);
        let count =
            |accepted: io::Result<_>| taken.set(taken.get() + usize::from(accepted.is_ok()));
        poll_fn(|cx| {
            while std::pin::pin!(tokio::task::consume_budget())
                .poll(cx)
                .is_ready()
            {}
            Poll::Ready(())
        })
        .await;
        rest(&socket, &count).await.expect("descriptors");
        assert_eq!(taken.get(), 1);
    }
}
