//! Does somebody take the connection?
//!
//! The cheapest question, asked of a thousand servers every second or so: no buffer on the heap, no option set, and the
//! few system calls that a connect and a polite close need.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::link::Road;
use super::walk::{Asked, Walk};

/// Wait for the server's FIN after ours.
const PART: Duration = Duration::from_millis(250);

/// The connect is the answer; the stream is handed back to be parted from.
pub(super) async fn exchange(road: &Road<'_>, walk: &Walk) -> Asked<TcpStream> {
    road.connect(walk.deadline()).await
}

/// FIN, then what is pending is read up to the server's FIN: a close with unread bytes would be a reset.
pub(super) async fn part(mut stream: TcpStream, deadline: Instant) {
    if rustix::net::shutdown(&stream, rustix::net::Shutdown::Write).is_err() {
        return;
    }
    let until = deadline.min(Instant::now() + PART);
    let mut pending = [0; 128];
    let _ = timeout_at(until, async {
        while let Ok(1..) = stream.read(&mut pending).await {}
    })
    .await;
}
