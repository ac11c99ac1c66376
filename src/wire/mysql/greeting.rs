//! The server's first packet, and the client's answers to it (MySQL Internals, "Connection Phase": HandshakeV10,
//! HandshakeResponse41, SSLRequest).

use super::{Failure, Reply, Stranger, reply, text};

const WITH_DATABASE: u32 = 0x0008;
const PROTOCOL_41: u32 = 0x0200;
/// Of [`Greeting::capabilities`]: it speaks TLS.
pub const SSL_ASKED: u32 = 0x0800;
const SECURE: u32 = 0x8000;
const METHODS: u32 = 0x0008_0000;
/// Long columns and passwords: what every server since 4.1 has.
const LONG: u32 = 0x0001 | 0x0004;

/// utf8mb4, by its number.
const LETTERS: u8 = 45;

/// Who the server says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Such as `8.4.3` or `5.5.5-10.11.6-MariaDB`.
    pub version: String,
    /// What it can, bit by bit.
    pub capabilities: u32,
    /// What a proof of the password is made with.
    pub salt: Vec<u8>,
    /// The method that it would like, by its name; often none is told.
    pub method: String,
}

/// What a client answers.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Who.
    pub user: &'a str,
    /// Where, if anywhere.
    pub database: Option<&'a str>,
    /// By which method the proof was made.
    pub method: &'a str,
    /// At most 255 bytes; empty: no password.
    pub proof: &'a [u8],
    /// Over TLS.
    pub tls: bool,
}

impl Greeting {
    /// The greeting, or the refusal that comes in its place.
    ///
    /// # Errors
    /// When it is neither, or of a protocol before 4.1.
    pub fn read(body: &[u8]) -> Result<Result<Self, Failure>, Stranger> {
        if let Reply::Failure(failure) = reply(body)? {
            return Ok(Err(failure));
        }
        let (&10, rest) = body.split_first().ok_or(Stranger)? else {
            return Err(Stranger);
        };
        let (version, rest) = text(rest).ok_or(Stranger)?;
        // The connection's number, the first part of the salt, and a filler.
        let (head, rest) = rest.split_at_checked(13).ok_or(Stranger)?;
        let (&[low_a, low_b], rest) = rest.split_first_chunk().ok_or(Stranger)?;
        // The letters, the state, more capabilities, the salt's length, and ten bytes that MariaDB uses for itself.
        let (&[_, _, _, high_a, high_b, length], rest) =
            rest.split_first_chunk().ok_or(Stranger)?;
        let rest = rest.get(10..).ok_or(Stranger)?;
        let capabilities = u32::from_le_bytes([low_a, low_b, high_a, high_b]);
        if capabilities & (PROTOCOL_41 | SECURE) != PROTOCOL_41 | SECURE {
            return Err(Stranger);
        }
        let more = usize::from(length).saturating_sub(8).max(13);
        let (more, rest) = rest.split_at_checked(more).ok_or(Stranger)?;
        let salt = [&head[4..12], more.strip_suffix(b"\0").unwrap_or(more)].concat();
        let method = text(rest).map_or("", |(method, _)| method);
        Ok(Ok(Self {
            version: version.to_owned(),
            capabilities,
            salt,
            method: method.to_owned(),
        }))
    }

    /// Whether it speaks TLS.
    pub fn speaks_tls(&self) -> bool {
        self.capabilities & SSL_ASKED != 0
    }

    /// Whether it is MariaDB, which has commands and columns of its own.
    pub fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    /// The short answer after which TLS begins.
    pub fn ask_tls(&self, database: Option<&str>) -> Vec<u8> {
        self.head(database, true)
    }

    /// The whole answer.
    pub fn log_in(&self, login: &Login<'_>) -> Vec<u8> {
        let mut out = self.head(login.database, login.tls);
        out.extend_from_slice(login.user.as_bytes());
        out.push(0);
        let proof = login.proof.get(..255).unwrap_or(login.proof);
        out.push(u8::try_from(proof.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(proof);
        if let Some(database) = login.database {
            out.extend_from_slice(database.as_bytes());
            out.push(0);
        }
        out.extend_from_slice(login.method.as_bytes());
        out.push(0);
        out
    }

    fn head(&self, database: Option<&str>, tls: bool) -> Vec<u8> {
        let mut wanted = LONG | PROTOCOL_41 | SECURE | METHODS;
        if database.is_some() {
            wanted |= WITH_DATABASE;
        }
        if tls {
            wanted |= SSL_ASKED;
        }
        let mut out = (wanted & (self.capabilities | WITH_DATABASE))
            .to_le_bytes()
            .to_vec();
        out.extend_from_slice(&(super::PACKET_MAX as u32).to_le_bytes());
        out.push(LETTERS);
        out.extend_from_slice(&[0; 23]);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// MariaDB 10.11's, with a salt of ours.
    const MARIADB: &[u8] =
        b"\x0a5.5.5-10.11.6-MariaDB\0\x1f\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\
        \0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0";

    #[test]
    fn a_greeting_says_who_it_is() {
        let greeting = Greeting::read(MARIADB).unwrap().unwrap();
        assert_eq!(greeting.salt, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.method, "mysql_native_password");
        assert!(greeting.is_mariadb() && !greeting.speaks_tls());
        for end in 0..MARIADB.len() - 22 {
            assert_eq!(Greeting::read(&MARIADB[..end]), Err(Stranger), "{end}");
        }
        assert_eq!(Greeting::read(b"\x0910.0\0"), Err(Stranger));
    }

    #[test]
    fn an_answer_carries_user_proof_and_method() {
        let greeting = Greeting::read(MARIADB).unwrap().unwrap();
        let mut login = Login {
            user: "howdah",
            database: None,
            method: "m",
            proof: b"",
            tls: false,
        };
        let short = greeting.log_in(&login);
        assert_eq!(&short[32..], b"howdah\0\0m\0");
        login.database = Some("d");
        login.proof = b"xyz";
        assert_eq!(&greeting.log_in(&login)[32..], b"howdah\0\x03xyzd\0m\0");
        assert_eq!(greeting.ask_tls(None).len(), 32);
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let greeting = [&b"\x0a"[..], &bytes].concat();
            let _ = (Greeting::read(&bytes), Greeting::read(&greeting), reply(&bytes));
        }
    }
}
