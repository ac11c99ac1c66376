//! What an error says of the server that sends it.

use super::super::trace::Answer;
use crate::health::Reason;
use crate::wire::postgres::Failure;

/// By its SQLSTATE (PostgreSQL documentation, Appendix A). It lives, and lets nobody in.
pub(super) fn refused(failure: &Failure) -> Answer {
    let text = told(failure);
    match failure.code.as_bytes() {
        // Cannot connect now: starting, shutting down, recovering. Which, its text says, in its own language.
        b"57P03" => Answer::alive(Reason::NotServing, &text),
        b"57P01" | b"57P02" => Answer::alive(Reason::ShuttingDown, &text),
        // 53300: too many clients.
        _ => Answer::alive(Reason::SessionRefused, &text),
    }
}

pub(super) fn told(failure: &Failure) -> String {
    format!("{}: {}", failure.code, failure.message)
}
