//! The accept loop of one socket: takes connections in batches, hands each to the worker that has the fewest.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Listener;
use super::spread::Local;
use crate::telemetry::label::words;

/// Accepted in one go before the sessions already here get their turn.
const BATCH: usize = 32;
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

/// Accepts until `retired` turns true; then for a moment more, until nothing waits, and closes the socket.
///
/// # Errors
/// Only when the runtime cannot watch the socket at all; whatever happens to a connection is counted and passed over.
pub(super) async fn accept(
    socket: std::net::TcpListener,
    listener: Arc<Listener>,
    local: Local,
    mut retired: watch::Receiver<bool>,
) -> io::Result<()> {
    let socket = TcpListener::from_std(socket)?;
    let mut pause = FIRST_PAUSE;
    let mut until: Option<Instant> = None;
    loop {
        let taken = tokio::select! {
            taken = poll_fn(|cx| poll_batch(&socket, &listener, &local, cx)) => taken,
            _ = retired.wait_for(|retired| *retired), if until.is_none() => {
                until = Some(Instant::now() + GRACE);
                continue;
            }
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => break,
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
                exhausted(&listener, &error, pause);
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    // Closing resets what waits: so nothing must.
    poll_fn(|cx| poll_rest(&socket, &listener, &local, cx)).await
}

/// Takes everything that waits, and waits for nothing.
fn poll_rest(
    socket: &TcpListener,
    listener: &Arc<Listener>,
    local: &Local,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        match poll_batch(socket, listener, local, cx) {
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                exhausted(listener, &error, FIRST_PAUSE);
                return Poll::Ready(Ok(()));
            }
            Poll::Pending => return Poll::Ready(Ok(())),
        }
    }
}

/// Takes what waits, at most a batch. True when more may wait. Fails only where nothing can
/// be accepted for the time being.
fn poll_batch(
    socket: &TcpListener,
    listener: &Arc<Listener>,
    local: &Local,
    cx: &mut Context<'_>,
) -> Poll<io::Result<bool>> {
    for taken in 0..BATCH {
        match socket.poll_accept(cx) {
            Poll::Ready(Ok((stream, peer))) => local.welcome(stream, peer, listener),
            Poll::Ready(Err(error)) if is_exhaustion(&error) => return Poll::Ready(Err(error)),
            Poll::Ready(Err(_)) => listener.metrics.accept_failed(AcceptError::Aborted),
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
