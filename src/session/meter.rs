//! What went through a session, for its account.

use std::time::Duration;

/// Bytes as far as the counters know of them, and the first answer.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) from_client: u64,
    pub(super) from_server: u64,
    /// From the first bytes to the server until the first bytes back; for a server that speaks first, from the connect.
    pub(super) first_byte: Option<Duration>,
}

impl Meter {
    /// What the counters know of already, both ways.
    pub(super) fn told(&self) -> u64 {
        self.from_client + self.from_server
    }
}
