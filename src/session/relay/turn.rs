//! One question of the client, and the time until the first byte of the answer.

use std::time::Duration;

use tokio::time::Instant;

/// The turn under way, or the last one.
pub(super) struct Turn {
    since: Option<Instant>,
    asked: bool,
}

impl Turn {
    /// The first turn counts the connect in. Where nothing was asked yet, the server may speak first, and the
    /// client's first question starts the turn anew.
    pub(super) fn begun(dialled: Instant, asked: bool) -> Self {
        Self {
            since: Some(dialled),
            asked,
        }
    }

    /// Bytes went to the server.
    pub(super) fn asked(&mut self, now: Instant) {
        if self.since.is_none() || !self.asked {
            *self = Self {
                since: Some(now),
                asked: true,
            };
        }
    }

    /// Bytes came from the server: how long the first of them took, once a turn.
    pub(super) fn answered(&mut self, now: Instant) -> Option<Duration> {
        self.since.take().map(|since| now - since)
    }

    /// The client has asked, and has not heard a byte of the answer.
    pub(super) fn is_open(&self) -> bool {
        self.asked && self.since.is_some()
    }
}
