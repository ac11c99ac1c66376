//! What the questions to both kinds of databases have in common.

use super::trace::Answer;
use crate::health::Reason;

/// Something else answers than a database.
pub(super) fn of_stranger(bytes: &[u8]) -> Answer {
    let reason = match bytes {
        [0x15 | 0x16, 3, ..] => Reason::SpeaksTls,
        _ if bytes.starts_with(b"HTTP/") => Reason::SpeaksHttp,
        _ => Reason::UnexpectedAnswer,
    };
    let start = bytes[..bytes.len().min(48)].escape_ascii();
    Answer::down(reason, &format!("the answer begins with {start}"))
}

/// Who asks where nobody is named: a name that tells the server's people who it was.
pub(super) const NOBODY: &str = "howdah";
