//! How the kernel finds out about a peer that is gone without a word.

use std::time::Duration;

use socket2::TcpKeepalive;

/// First question after 60 s of silence, then every 15 s, given up after four: below the 600 s after which
/// common firewalls forget a connection. Listening sockets carry the same for the client's side.
pub fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4)
}
