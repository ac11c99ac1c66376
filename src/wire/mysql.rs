//! MySQL's protocol from the client's side, as far as a probe goes: the greeting, a login, one query, the goodbye.
//!
//! Everything comes in packets of a length and a number (MySQL Internals, "Protocol Basics"; MariaDB speaks the same). Passwords
//! are never sent but over TLS: [`scramble()`] proves them. Lengths are believed up to [`PACKET_MAX`], tables up to
//! [`COLUMNS_MAX`] columns.

mod greeting;
mod scramble;
mod table;

pub use self::greeting::{Greeting, Login, SSL_ASKED};
pub use self::scramble::{Method, scramble};
pub use self::table::{COLUMNS_MAX, Row, Table};

/// Longest packet that is believed; what a probe asks for is far shorter.
pub const PACKET_MAX: usize = 64 * 1024;

/// The command that ends a connection.
pub const QUIT: &[u8] = &[1];

/// The command of a query, before its text.
pub const QUERY: u8 = 3;

/// Bytes that no server of this protocol sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not MySQL's protocol")]
pub struct Stranger;

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Counts up within an exchange.
    pub number: u8,
    /// Without the head.
    pub body: &'a [u8],
}

/// Why a server refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error's number, such as 1045.
    pub code: u16,
    /// For people.
    pub message: String,
}

/// What a packet says within a login or after a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Done.
    Ok,
    /// Refused.
    Failure(Failure),
    /// Log in by another method, with other salt.
    Switch {
        /// Its name.
        method: &'a str,
        /// Twenty bytes, with older methods fewer.
        salt: &'a [u8],
    },
    /// A method's own word.
    More(&'a [u8]),
    /// Something else, such as the head of a table.
    Other,
}

/// The packet at the front of `bytes`, and how many of them it takes; `None` while it is not complete.
///
/// # Errors
/// When it is longer than any that is asked for.
pub fn packet(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Stranger> {
    let Some((&[a, b, c, number], rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let told = u32::from_le_bytes([a, b, c, 0]);
    let length = usize::try_from(told).unwrap_or(usize::MAX);
    if length > PACKET_MAX {
        return Err(Stranger);
    }
    let body = rest.get(..length);
    Ok(body.map(|body| (Packet { number, body }, length + 4)))
}

/// A packet to send. What does not fit its length is not made: a caller's texts are short.
pub fn framed(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = Vec::with_capacity(body.len() + 4);
    out.extend_from_slice(&length[..3]);
    out.push(number);
    out.extend_from_slice(body);
    out
}

/// What a packet says.
///
/// # Errors
/// When it breaks off.
pub fn reply(body: &[u8]) -> Result<Reply<'_>, Stranger> {
    let (&kind, rest) = body.split_first().ok_or(Stranger)?;
    Ok(match kind {
        0 => Reply::Ok,
        0xff => Reply::Failure(failure(rest)?),
        // The method of before 4.1 has no name, and is none of ours.
        0xfe if rest.is_empty() => Reply::Switch {
            method: "mysql_old_password",
            salt: rest,
        },
        0xfe => {
            let (method, salt) = text(rest).ok_or(Stranger)?;
            let salt = salt.strip_suffix(b"\0").unwrap_or(salt);
            Reply::Switch { method, salt }
        }
        1 => Reply::More(rest),
        _ => Reply::Other,
    })
}

/// What follows the first byte of an error. Before a login it has no SQLSTATE.
fn failure(rest: &[u8]) -> Result<Failure, Stranger> {
    let (&code, rest) = rest.split_first_chunk().ok_or(Stranger)?;
    let message = match rest {
        [b'#', _, _, _, _, _, message @ ..] => message,
        message => message,
    };
    Ok(Failure {
        code: u16::from_le_bytes(code),
        message: String::from_utf8_lossy(message).into_owned(),
    })
}

/// A text that a NUL ends, and what follows it.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (text, rest) = bytes.split_at(end);
    Some((std::str::from_utf8(text).ok()?, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_whole() {
        let bytes = framed(7, b"abc");
        let packet_of = |bytes| packet(bytes).map(|found| found.map(|(packet, _)| packet.body));
        assert_eq!(packet_of(&bytes), Ok(Some(&b"abc"[..])));
        assert_eq!(packet_of(&bytes[..6]), Ok(None));
        assert_eq!(packet_of(b"HTTP/1.1"), Err(Stranger));
    }

    /// As MariaDB 10.11 sends them.
    #[test]
    fn refusals_have_a_number_and_a_text() {
        let said = |body| match reply(body) {
            Ok(Reply::Failure(failure)) => (failure.code, failure.message),
            other => panic!("{other:?}"),
        };
        let early = b"\xff\x69\x04Host '192.0.2.2' is blocked";
        assert_eq!(said(early), (1129, "Host '192.0.2.2' is blocked".into()));
        let late = b"\xff\x15\x04#28000Access denied for user 'howdah'";
        assert_eq!(said(late), (1045, "Access denied for user 'howdah'".into()));
        assert_eq!(reply(b"\xff\x15"), Err(Stranger));
        assert_eq!(reply(b""), Err(Stranger));
    }

    #[test]
    fn a_login_may_go_on_by_another_method() {
        let switch = reply(b"\xfemysql_native_password\0aaaaaaaaaaaaaaaaaaaa\0");
        let expected = Reply::Switch {
            method: "mysql_native_password",
            salt: b"aaaaaaaaaaaaaaaaaaaa",
        };
        assert_eq!(switch, Ok(expected));
        assert_eq!(reply(b"\x01\x04"), Ok(Reply::More(b"\x04")));
        assert_eq!(reply(b"\xfeno end"), Err(Stranger));
    }
}
