//! Thrift's SASL transport: the negotiation's messages and the frames after it, for either side.
//!
//! A negotiation message is a status byte, a length and a payload; after both sides are COMPLETE every flush is a
//! length and bytes (apache/thrift `doc/specs/thrift-sasl-spec.txt`). Mechanisms are not run here: PLAIN is a payload,
//! and howdah needs no other.

/// Longest payload of a negotiation that is believed. Kerberos tokens with many groups stay below.
pub const NEGOTIATION_MAX: usize = 64 * 1024;

/// Longest frame that is believed, of requests and of the replies that a probe asks for.
pub const FRAME_MAX: usize = 16 * 1024 * 1024;

/// The status byte of a negotiation message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The client's first: the payload names a mechanism.
    Start = 1,
    /// A challenge or a response.
    Ok = 2,
    /// Refused for a cause that the payload tells; the connection closes.
    Bad = 3,
    /// The peer broke the protocol; the connection closes.
    Error = 4,
    /// This side is done.
    Complete = 5,
}

/// One message of the negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it says.
    pub status: Status,
    /// Mechanism, token or text.
    pub payload: &'a [u8],
}

/// Why bytes are not SASL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// Not one of the five.
    #[error("invalid SASL status {0}")]
    Status(u8),
    /// Above the bound, so not SASL or not honest.
    #[error("SASL length {0} is beyond any sense")]
    Length(u32),
}

/// The message at the front of `bytes`, and how many of them it takes; `None` while it is not complete.
///
/// # Errors
/// As soon as it cannot become one.
pub fn message(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>, SaslError> {
    let Some((&status, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let status = Status::from_byte(status)?;
    let framed = frame(rest, NEGOTIATION_MAX)?;
    Ok(framed.map(|(payload, taken)| (Message { status, payload }, taken + 1)))
}

/// The content of the frame at the front of `bytes`, and how many of them it takes with its length; `None` while it is not complete.
///
/// # Errors
/// When it is longer than `max`.
pub fn frame(bytes: &[u8], max: usize) -> Result<Option<(&[u8], usize)>, SaslError> {
    let Some((head, rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let told = u32::from_be_bytes(*head);
    let length = usize::try_from(told).unwrap_or(usize::MAX);
    if length > max {
        return Err(SaslError::Length(told));
    }
    Ok(rest.get(..length).map(|content| (content, length + 4)))
}

/// Appends a negotiation message.
pub fn put_message(out: &mut Vec<u8>, status: Status, payload: &[u8]) {
    out.push(status as u8);
    put_frame(out, payload);
}

/// Appends a frame.
pub fn put_frame(out: &mut Vec<u8>, content: &[u8]) {
    out.extend(
        u32::try_from(content.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    out.extend_from_slice(content);
}

/// All that a client sends to log in with PLAIN: START and, without waiting, the response.
pub fn plain_login(user: &str, password: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + user.len() + password.len());
    put_message(&mut out, Status::Start, b"PLAIN");
    let token = [b"\0", user.as_bytes(), b"\0", password.as_bytes()].concat();
    put_message(&mut out, Status::Ok, &token);
    out
}

/// The payload of PLAIN, `[authzid] NUL user NUL password`, as the server's side reads it.
///
/// # Errors
/// Hive's own wording, for the BAD message.
pub fn plain_account(payload: &[u8]) -> Result<(String, String), &'static str> {
    let mut tokens: Vec<&[u8]> = payload.split(|byte| *byte == 0).collect();
    if tokens.len() == 3 {
        tokens.remove(0);
    }
    let [user, password] = tokens[..] else {
        return Err("Invalid message format");
    };
    if user.is_empty() {
        return Err("No user name provided");
    }
    if password.is_empty() {
        return Err("No password name provided");
    }
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(user), text(password)))
}

impl Status {
    fn from_byte(byte: u8) -> Result<Self, SaslError> {
        Ok(match byte {
            1 => Self::Start,
            2 => Self::Ok,
            3 => Self::Bad,
            4 => Self::Error,
            5 => Self::Complete,
            other => return Err(SaslError::Status(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_login_has_the_golden_bytes() {
        let golden = b"\x01\0\0\0\x05PLAIN\x02\0\0\0\x14\0anonymous\0anonymous";
        assert_eq!(plain_login("anonymous", "anonymous"), golden);
    }

    #[test]
    fn messages_are_incomplete_at_every_cut_and_count_their_bytes() {
        let bytes = plain_login("u", "p");
        for cut in 0..10 {
            assert_eq!(message(&bytes[..cut]), Ok(None));
        }
        let (start, taken) = message(&bytes).unwrap().unwrap();
        assert_eq!(
            (start.status, start.payload, taken),
            (Status::Start, &b"PLAIN"[..], 10)
        );
        let (response, rest) = message(&bytes[taken..]).unwrap().unwrap();
        assert_eq!(rest, bytes.len() - taken);
        assert_eq!(
            plain_account(response.payload),
            Ok(("u".into(), "p".into()))
        );
        let complete = message(b"\x05\0\0\0\0").unwrap().unwrap().0;
        assert_eq!(complete.status, Status::Complete);
    }

    #[test]
    fn other_protocols_are_refused_at_the_first_byte() {
        assert_eq!(message(b"H"), Err(SaslError::Status(b'H')));
        assert_eq!(message(&[0x15]), Err(SaslError::Status(0x15)));
        assert_eq!(
            message(b"\x03\x01\0\0\0"),
            Err(SaslError::Length(0x0100_0000))
        );
    }

    #[test]
    fn accounts_are_refused_in_the_words_of_hive() {
        assert_eq!(plain_account(b""), Err("Invalid message format"));
        assert_eq!(plain_account(b"\0\0p"), Err("No user name provided"));
        assert_eq!(plain_account(b"\0u\0"), Err("No password name provided"));
        assert_eq!(plain_account(b"z\0u\0p"), Ok(("u".into(), "p".into())));
        assert_eq!(plain_account(b"u\0p"), Ok(("u".into(), "p".into())));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = message(&bytes);
            let _ = frame(&bytes, FRAME_MAX);
            let _ = plain_account(&bytes);
        }
    }
}
