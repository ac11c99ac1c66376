//! The lines that a connection begins with: who speaks, whom to, and what the other says to that.
//!
//! Both ends may connect. Who did sends three lines, and the other one: a [`Status`].

use std::fmt::Write as _;

/// What the side that connects says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Of version 2; 1 knows timed updates, 0 does not.
    pub minor: u32,
    /// Who is meant: the name of the side that accepted.
    pub to: String,
    /// Who speaks.
    pub from: String,
    /// Of the process that speaks.
    pub pid: u32,
}

/// The version that is spoken here: 2.1.
pub const MINOR: u32 = 1;

/// Most bytes of a hello; names of peers are host names, and 255 bytes at most.
pub const HELLO_MAX: usize = 1024;

/// Most bytes of a status line.
pub const STATUS_MAX: usize = 32;

/// The answer to a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 200: messages may follow.
    Success,
    /// 300: later.
    TryAgain,
    /// 501: what was said is no hello.
    Protocol,
    /// 502: another version.
    Version,
    /// 503: somebody else was meant.
    NotMe,
    /// 504: the speaker is nobody's peer here.
    NotYou,
    /// Any other.
    Other(u16),
}

impl Hello {
    /// The three lines.
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            minor,
            to,
            from,
            pid,
        } = self;
        format!("{PROTOCOL} 2.{minor}\n{to}\n{from} {pid} 1\n").into_bytes()
    }

    /// Judges a connection's first bytes line by line; `None` as long as they are good and incomplete. Gives the hello and its
    /// length.
    ///
    /// # Errors
    /// The status to refuse with, as soon as that is certain.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Status> {
        let mut rest = bytes;
        let (Some(version), at) = (line(&mut rest)?, bytes) else {
            let known = PROTOCOL.as_bytes();
            let length = bytes.len().min(known.len());
            let like = bytes[..length] == known[..length];
            return if like {
                Ok(None)
            } else {
                Err(Status::Protocol)
            };
        };
        let minor = minor(version)?;
        let (Some(to), Some(last)) = (line(&mut rest)?, line(&mut rest)?) else {
            return Ok(None);
        };
        let (from, numbers) = last.split_once(' ').ok_or(Status::Protocol)?;
        let pid = numbers.split(' ').next().and_then(|pid| pid.parse().ok());
        let hello = Self {
            minor,
            to: to.to_owned(),
            from: from.to_owned(),
            pid: pid.unwrap_or(0),
        };
        Ok(Some((hello, at.len() - rest.len())))
    }
}

impl Status {
    /// Its three digits.
    pub fn code(self) -> u16 {
        match self {
            Self::Success => 200,
            Self::TryAgain => 300,
            Self::Protocol => 501,
            Self::Version => 502,
            Self::NotMe => 503,
            Self::NotYou => 504,
            Self::Other(code) => code,
        }
    }

    /// The line.
    pub fn encode(self) -> Vec<u8> {
        let mut line = String::new();
        let _ = writeln!(line, "{}", self.code());
        line.into_bytes()
    }

    /// The status and its length; `None` as long as the line is incomplete.
    ///
    /// # Errors
    /// [`Status::Protocol`] when this is no status.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Self> {
        let mut rest = bytes;
        let Some(line) = line(&mut rest)? else {
            let good = bytes.len() < STATUS_MAX;
            return if good { Ok(None) } else { Err(Self::Protocol) };
        };
        let code = line.parse().map_err(|_| Self::Protocol)?;
        let known = [
            Self::Success,
            Self::TryAgain,
            Self::Protocol,
            Self::Version,
            Self::NotMe,
            Self::NotYou,
        ];
        let known = known.into_iter().find(|status| status.code() == code);
        let status = known.unwrap_or(Self::Other(code));
        Ok(Some((status, bytes.len() - rest.len())))
    }
}

/// Takes a line, without its end; `None` as long as it has none.
fn line<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a str>, Status> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        let good = bytes.len() < HELLO_MAX;
        return if good {
            Ok(None)
        } else {
            Err(Status::Protocol)
        };
    };
    let line = &bytes[..end];
    *bytes = &bytes[end + 1..];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = std::str::from_utf8(line).map_err(|_| Status::Protocol)?;
    Ok(Some(line))
}

fn minor(line: &str) -> Result<u32, Status> {
    let version = line.strip_prefix(PROTOCOL).ok_or(Status::Protocol)?;
    let version = version.strip_prefix(' ').ok_or(Status::Protocol)?;
    let (major, minor) = version.split_once('.').ok_or(Status::Version)?;
    let minor = minor.parse().map_err(|_| Status::Version)?;
    if major != "2" || minor > MINOR {
        return Err(Status::Version);
    }
    Ok(minor)
}

const PROTOCOL: &str = "HAProxyS";

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = b"HAProxyS 2.1\nlb-2\nlb-1 4711 1\n";

    #[test]
    fn a_hello_comes_back_and_is_nothing_before_its_last_byte() {
        let (hello, length) = Hello::decode(HELLO).expect("good").expect("whole");
        assert_eq!((hello.to.as_str(), hello.from.as_str()), ("lb-2", "lb-1"));
        assert_eq!((hello.minor, hello.pid, length), (1, 4711, HELLO.len()));
        assert_eq!(hello.encode(), HELLO);
        for end in 0..HELLO.len() {
            assert_eq!(Hello::decode(&HELLO[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn a_refusal_is_certain_at_the_first_wrong_line() {
        let cases: [(&[u8], Status); 7] = [
            (b"GET / HTTP/1.1", Status::Protocol),
            (b"\x16\x03\x01", Status::Protocol),
            (b"HAProxyS 3.0\n", Status::Version),
            (b"HAProxyS 2.2\n", Status::Version),
            (b"HAProxyS 1.0\n", Status::Version),
            (b"HAProxyS two\n", Status::Version),
            (b"HAProxyS 2.1\nlb-2\nlb-1\n", Status::Protocol),
        ];
        for (bytes, status) in cases {
            assert_eq!(Hello::decode(bytes), Err(status));
        }
        let endless = [b"HAProxyS 2.1\n".as_slice(), &[b'x'; HELLO_MAX]].concat();
        assert_eq!(Hello::decode(&endless), Err(Status::Protocol));
    }

    #[test]
    fn statuses_come_back() {
        for status in [Status::Success, Status::NotYou, Status::Other(599)] {
            let line = status.encode();
            assert_eq!(Status::decode(&line), Ok(Some((status, line.len()))));
            assert_eq!(Status::decode(&line[..2]), Ok(None));
        }
        assert_eq!(Status::decode(b"200\r\n"), Ok(Some((Status::Success, 5))));
        assert_eq!(Status::decode(b"no\n"), Err(Status::Protocol));
        assert_eq!(Status::decode(&[b'2'; STATUS_MAX]), Err(Status::Protocol));
    }
}
