//! What real sessions see: a failed dial is a verdict, and a reason to probe now.
//!
//! Sessions only raise a flag on the [`Server`] and nudge its checker; however many fail at once, the
//! checker finds one flag. It counts as one verdict *down* of the same machine that probes feed, and the probe that
//! follows at once (at the fast pace at most) says whether to believe it: so a storm of failures costs one
//! verdict and one probe for each fast interval.

use std::time::Duration;

use super::{Finding, Reason, Verdict};
use crate::pool::Server;

/// The testimony since it was last taken, as the finding of a probe that nobody had to put.
pub(super) fn testimony(server: &Server) -> Option<Finding> {
    server.take_dial_failure().then(|| Finding {
        verdict: Verdict::Down,
        reason: Reason::DialFailed,
        step: "session",
        detail: "a session could not connect".to_owned(),
        steps: Vec::new(),
        took: Duration::ZERO,
        loud: false,
    })
}

/// A question is about to be put, which will answer for whatever failed before it.
pub(super) fn dismiss(server: &Server) {
    server.take_dial_failure();
}
