//! What went through a session, for its account.

use std::time::Duration;

/// Bytes that were relayed so far, and the first answer.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) from_client: u64,
    pub(super) from_server: u64,
    /// From the first bytes to the server until the first bytes back; for a server that speaks first, from the connect.
    pub(super) first_byte: Option<Duration>,
}
