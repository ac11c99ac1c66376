//! PostgreSQL's protocol 3.0 up to the login, from the client's side: what is sent, and what a server says to it.
//!
//! Every message of a server is a letter, a length that counts itself, and a content (PostgreSQL documentation, Frontend/Backend
//! Protocol, "Message Formats"). The answer to the question for TLS alone is a bare byte. What follows a login is not
//! read here.

/// "May we speak TLS?"
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// "May we speak GSSAPI?"
pub const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

/// The client's goodbye.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// Longest message that is believed; errors and requests for a login are far shorter.
pub const MESSAGE_MAX: usize = 64 * 1024;

/// What may come up to the end of a login: authentication, errors, notices, key data, parameters, other versions, "ready".
const LETTERS: &[u8] = b"RENKSvZ";

/// What a server says before, or instead of, a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// How to log in; 0: done.
    Authentication(u32),
    /// It refuses.
    Error(Failure),
    /// Anything else, by its letter: notices and parameters.
    Other(u8),
}

/// The fields of an error that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// SQLSTATE: five letters.
    pub code: String,
    /// For people, in the server's language.
    pub message: String,
}

/// Bytes that no server of this protocol sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not PostgreSQL's protocol")]
pub struct Stranger;

/// The first message: who wants to log in, and where.
pub fn startup(user: &str, database: &str) -> Vec<u8> {
    let pairs = [
        ("user", user),
        ("database", database),
        ("application_name", "howdah"),
    ];
    let mut body = vec![0, 3, 0, 0];
    for text in pairs.into_iter().flat_map(|(key, value)| [key, value]) {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &body].concat()
}

/// The message at the front of `bytes`, and how many of them it takes; `None` while it is not complete.
///
/// # Errors
/// As soon as it cannot become one.
pub fn message(bytes: &[u8]) -> Result<Option<(Message, usize)>, Stranger> {
    let Some((&letter, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if !LETTERS.contains(&letter) {
        return Err(Stranger);
    }
    let Some((told, _)) = rest.split_first_chunk() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*told)).unwrap_or(usize::MAX);
    if !(4..=MESSAGE_MAX).contains(&length) {
        return Err(Stranger);
    }
    let Some(content) = rest.get(4..length) else {
        return Ok(None);
    };
    let message = match letter {
        b'R' => Message::Authentication(kind(content)?),
        b'E' => Message::Error(failure(content)?),
        other => Message::Other(other),
    };
    Ok(Some((message, length + 1)))
}

fn kind(content: &[u8]) -> Result<u32, Stranger> {
    let (kind, _) = content.split_first_chunk().ok_or(Stranger)?;
    Ok(u32::from_be_bytes(*kind))
}

/// A letter and a text that a NUL ends, again and again, to an empty one.
fn failure(content: &[u8]) -> Result<Failure, Stranger> {
    let mut failure = Failure::default();
    let mut fields = content.split(|byte| *byte == 0);
    while let Some((letter, text)) = fields.next().and_then(<[u8]>::split_first) {
        let text = String::from_utf8_lossy(text).into_owned();
        match letter {
            b'C' => failure.code = text,
            b'M' => failure.message = text,
            _ => {}
        }
    }
    match failure.code.len() {
        5 => Ok(failure),
        _ => Err(Stranger),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As PostgreSQL 15 sends it to one that comes too early.
    const STARTING: &[u8] =
        b"E\0\0\0\x56SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\
        Fpostmaster.c\0L2373\0R..\0\0";

    #[test]
    fn what_a_server_says_before_a_login() {
        let scram = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0S";
        assert_eq!(message(scram), Ok(Some((Message::Authentication(10), 24))));
        assert_eq!(message(&scram[..23]), Ok(None));
        let failure = Failure {
            code: "57P03".into(),
            message: "the database system is starting up".into(),
        };
        let said = message(STARTING).map(|found| found.map(|(message, _)| message));
        assert_eq!(said, Ok(Some(Message::Error(failure))));
        let notice = message(b"N\0\0\0\x04");
        assert_eq!(notice, Ok(Some((Message::Other(b'N'), 5))));
    }

    #[test]
    fn strangers_are_known_early() {
        for bytes in [
            &b"\x15\x03\x03"[..],
            b"HTTP/1.1 400",
            b"\x4a\0\0\0\x0a5.5.5-10.11",
            b"R\0\0\0\x03",
            b"R\0\0\0\x06\0\0",
            b"E\0\0\0\x05\0",
            b"E\x7f\xff\xff\xff",
        ] {
            assert_eq!(message(bytes), Err(Stranger), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_first_message_counts_itself() {
        let bytes = startup("howdah", "postgres");
        assert_eq!(
            bytes[..4],
            u32::try_from(bytes.len()).unwrap().to_be_bytes()
        );
        assert!(bytes.ends_with(b"\0application_name\0howdah\0\0"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some((_, taken))) = message(&bytes) {
                prop_assert!(taken <= bytes.len());
                prop_assert_eq!(message(&bytes[..taken - 1]), Ok(None));
            }
        }
    }
}
