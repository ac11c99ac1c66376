//! What an error says of the server that sends it.

use super::super::trace::Answer;
use crate::health::Reason;
use crate::wire::mysql::Failure;

/// By its number (MySQL Server Error Message Reference; MariaDB's are the same). It lives, and lets nobody in.
pub(super) fn refused(failure: &Failure) -> Answer {
    let text = told(failure);
    match failure.code {
        1053 | 1927 => Answer::alive(Reason::ShuttingDown, &text),
        1047 => Answer::alive(Reason::NotServing, &text),
        // 1040 and 1203: too many connections; 1129: blocked for unfinished handshakes; 1130: nobody from this address.
        _ => Answer::alive(Reason::SessionRefused, &text),
    }
}

pub(super) fn told(failure: &Failure) -> String {
    format!("{}: {}", failure.code, failure.message)
}
