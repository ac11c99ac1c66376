//! How the kernel finds out about a peer that is gone without a word.
//!
//! Two mechanisms, one bound: a silent peer is asked from half of the time on, four times; bytes that a peer does not
//! acknowledge are given up when the time is over (`TCP_USER_TIMEOUT`, which also bounds the questions). Without the
//! second, the kernel sends them again for a quarter of an hour.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// Below the 600 s after which common firewalls forget a connection.
pub const DEFAULT: Duration = Duration::from_secs(120);

/// Questions to a silent peer before it counts as gone.
const QUESTIONS: u32 = 4;
/// The kernel counts in whole seconds.
const LEAST: Duration = Duration::from_secs(1);

/// A peer whose kernel answers nothing for `patience` is gone: reads and writes then fail with `TimedOut`.
///
/// # Errors
/// Those of `setsockopt`, which a sound TCP socket does not have.
pub fn set(socket: &impl AsFd, patience: Duration) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time((patience / 2).max(LEAST))
            .with_interval((patience / (2 * QUESTIONS)).max(LEAST))
            .with_retries(QUESTIONS),
    )?;
    socket.set_tcp_user_timeout(Some(patience))
}
