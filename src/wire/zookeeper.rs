//! ZooKeeper's client protocol, as far as it is needed: to connect, list, read, watch, log in by digest; to create, set, delete.
//!
//! A [session](crate::zookeeper) writes its [`Request`]s and reads what comes back, frame by frame (apache/zookeeper
//! `zookeeper-jute/src/main/resources/zookeeper.jute`). A frame is a length and so many bytes, numbers are big-endian, text and
//! lists have their length before them, below zero for none. Lengths are believed only as far as bytes are there to back them.

/// Of a frame: the names of some two hundred thousand servers.
pub const FRAME_MAX: usize = 16 * 1024 * 1024;

/// Why bytes are not ZooKeeper's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZooKeeperError {
    /// The first bytes of a web server.
    #[error("it speaks HTTP")]
    Http,
    /// A TLS alert or handshake.
    #[error("it speaks TLS")]
    Tls,
    /// A length that no answer has.
    #[error("it does not speak ZooKeeper's protocol (a frame of {0} bytes)")]
    Frame(i32),
    /// A frame ends before its content does.
    #[error("an answer is cut short")]
    Short,
    /// A path or name that is not UTF-8.
    #[error("a name is not UTF-8")]
    Text,
}

/// What is asked. A watch fires once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Is it there? Watches for its coming, too.
    Exists {
        /// Absolute.
        path: &'a str,
    },
    /// The names under it; watches them.
    Children {
        /// Absolute.
        path: &'a str,
    },
    /// What it holds; watches that.
    Data {
        /// Absolute.
        path: &'a str,
    },
    /// A new znode, which must not be there yet.
    Create {
        /// Absolute. A sequential one gets a number behind it.
        path: &'a str,
        /// What it holds.
        data: &'a [u8],
        /// How long it lives.
        life: Life,
        /// Only for who is logged in as we are; else for everybody.
        closed: bool,
    },
    /// What it holds from now on.
    Set {
        /// Absolute.
        path: &'a str,
        /// Everything.
        data: &'a [u8],
        /// It must be this one; below zero: any.
        version: i32,
    },
    /// Be it gone.
    Delete {
        /// Absolute.
        path: &'a str,
    },
    /// Are you there?
    Ping,
    /// A login by scheme `digest`.
    Digest {
        /// `user:password`.
        account: &'a str,
    },
    /// The end of the session.
    Close,
}

impl Request<'_> {
    /// Appends it as a frame. An answer to [`Self::Ping`] carries [`PING`], one to [`Self::Digest`] [`LOGIN`], whatever `xid` says.
    pub fn put(&self, xid: i32, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; 4]);
        let (xid, operation) = match self {
            Self::Create { .. } => (xid, 1),
            Self::Delete { .. } => (xid, 2),
            Self::Set { .. } => (xid, 5),
            Self::Exists { .. } => (xid, 3),
            Self::Data { .. } => (xid, 4),
            Self::Children { .. } => (xid, 8),
            Self::Ping => (PING, 11),
            Self::Digest { .. } => (LOGIN, 100),
            Self::Close => (xid, -11),
        };
        put_i32(out, xid);
        put_i32(out, operation);
        match self {
            Self::Exists { path } | Self::Data { path } | Self::Children { path } => {
                put_bytes(out, path.as_bytes());
                out.push(1);
            }
            Self::Create {
                path,
                data,
                life,
                closed,
            } => {
                put_bytes(out, path.as_bytes());
                put_bytes(out, data);
                let (scheme, id) = if *closed {
                    ("auth", "")
                } else {
                    ("world", "anyone")
                };
                put_i32(out, 1);
                put_i32(out, ALL_RIGHTS);
                put_bytes(out, scheme.as_bytes());
                put_bytes(out, id.as_bytes());
                put_i32(out, *life as i32);
            }
            Self::Set {
                path,
                data,
                version,
            } => {
                put_bytes(out, path.as_bytes());
                put_bytes(out, data);
                put_i32(out, *version);
            }
            Self::Delete { path } => {
                put_bytes(out, path.as_bytes());
                put_i32(out, ANY_VERSION);
            }
            Self::Digest { account } => {
                put_i32(out, 0);
                put_bytes(out, b"digest");
                put_bytes(out, account.as_bytes());
            }
            Self::Ping | Self::Close => {}
        }
        end_frame(out, start);
    }
}

/// How long a znode lives, by the flags of its creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until somebody deletes it.
    Persistent = 0,
    /// As long as our session.
    Ephemeral = 1,
    /// As long as our session, with a number behind its name that no later one has.
    EphemeralSequential = 3,
}

/// A session that may be taken up again; the default is none.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionKey {
    /// Its number; 0: none.
    pub id: i64,
    /// What proves that it is ours.
    pub password: [u8; 16],
}

impl std::fmt::Debug for SessionKey {
    /// Whoever has the password has the session.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKey({:#x}, ***)", self.id)
    }
}

/// Appends the first frame of a connection: a session that is taken up again, or a new one. A server that has seen less than
/// `zxid` refuses it.
pub fn put_connect(zxid: i64, timeout_millis: i32, session: &SessionKey, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0; 4]);
    put_i32(out, 0);
    out.extend(zxid.to_be_bytes());
    put_i32(out, timeout_millis);
    out.extend(session.id.to_be_bytes());
    put_bytes(out, &session.password);
    // No session with a server that has lost the others.
    out.push(0);
    end_frame(out, start);
}

/// The content of the frame at the start of `bytes`, which takes four bytes more; `None` while it is not whole.
///
/// # Errors
/// A length that no frame has.
pub fn frame(bytes: &[u8]) -> Result<Option<&[u8]>, ZooKeeperError> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let told = i32::from_be_bytes(*length);
    match usize::try_from(told) {
        Ok(length) if length <= FRAME_MAX => Ok(rest.get(..length)),
        _ if length == b"HTTP" => Err(ZooKeeperError::Http),
        _ if matches!(length, [0x15 | 0x16, 3, ..]) => Err(ZooKeeperError::Tls),
        _ => Err(ZooKeeperError::Frame(told)),
    }
}

/// The first answer on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Of the session, as the server wants it; 0 or less: refused, or ended.
    pub timeout_millis: i32,
    /// With it the session can be taken up on another connection.
    pub session: SessionKey,
}

/// Reads the first frame.
///
/// # Errors
/// It is cut short.
pub fn connected(body: &[u8]) -> Result<Connected, ZooKeeperError> {
    let mut reader = Reader(body);
    reader.i32()?;
    let (timeout_millis, id) = (reader.i32()?, reader.i64()?);
    // One of another length cannot be shown again, which begins a new session.
    let password = reader.bytes()?.try_into().unwrap_or_default();
    Ok(Connected {
        timeout_millis,
        session: SessionKey { id, password },
    })
}

/// Any later frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// That of the request; [`PING`], [`LOGIN`], or [`NOTICE`] for what nobody asked.
    pub xid: i32,
    /// The last change that the server has seen; below one for a notice.
    pub zxid: i64,
    /// 0, or one of the constants below.
    pub code: i32,
    /// By the request.
    pub content: &'a [u8],
}

/// Reads a frame after the first.
///
/// # Errors
/// It is cut short.
pub fn reply(body: &[u8]) -> Result<Reply<'_>, ZooKeeperError> {
    let mut reader = Reader(body);
    Ok(Reply {
        xid: reader.i32()?,
        zxid: reader.i64()?,
        code: reader.i32()?,
        content: reader.0,
    })
}

/// The answer to [`Request::Children`].
///
/// # Errors
/// It is cut short, or a name is no text.
pub fn children(content: &[u8]) -> Result<Vec<&str>, ZooKeeperError> {
    let mut reader = Reader(content);
    let count = reader.i32()?;
    // Grows with what is there: the count is only a claim.
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(reader.text()?);
    }
    Ok(names)
}

/// What a znode holds, and what is known of it beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<'a> {
    /// Itself.
    pub data: &'a [u8],
    /// Counts the changes of the data.
    pub version: i32,
    /// Whose session it lives as long as; 0: nobody's.
    pub owner: i64,
}

/// The answer to [`Request::Data`].
///
/// # Errors
/// It is cut short.
pub fn held(content: &[u8]) -> Result<Held<'_>, ZooKeeperError> {
    let mut reader = Reader(content);
    let data = reader.bytes()?;
    // czxid, mzxid, ctime, mtime.
    reader.array::<32>()?;
    let version = reader.i32()?;
    // cversion, aversion.
    reader.array::<8>()?;
    let owner = reader.i64()?;
    Ok(Held {
        data,
        version,
        owner,
    })
}

/// The path in a notice that something changed. What changed is asked anew in any case.
///
/// # Errors
/// It is cut short, or the path is no text.
pub fn changed(content: &[u8]) -> Result<&str, ZooKeeperError> {
    let mut reader = Reader(content);
    reader.i32()?;
    reader.i32()?;
    reader.text()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], ZooKeeperError> {
        let (value, rest) = self.0.split_first_chunk().ok_or(ZooKeeperError::Short)?;
        self.0 = rest;
        Ok(*value)
    }

    fn i32(&mut self) -> Result<i32, ZooKeeperError> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, ZooKeeperError> {
        self.array().map(i64::from_be_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], ZooKeeperError> {
        let length = usize::try_from(self.i32()?).unwrap_or(0);
        let (value, rest) = (self.0.split_at_checked(length)).ok_or(ZooKeeperError::Short)?;
        self.0 = rest;
        Ok(value)
    }

    fn text(&mut self) -> Result<&'a str, ZooKeeperError> {
        str::from_utf8(self.bytes()?).map_err(|_| ZooKeeperError::Text)
    }
}

fn put_i32(out: &mut Vec<u8>, value: i32) {
    out.extend(value.to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_i32(out, i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    out.extend(bytes);
}

fn end_frame(out: &mut [u8], start: usize) {
    let length = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// The number of notices that nobody asked for: a watch fired.
pub const NOTICE: i32 = -1;
/// The number of each ping and of its answer.
pub const PING: i32 = -2;
/// The number of each login and of its answer.
pub const LOGIN: i32 = -4;

/// Read, write, create, delete, administer.
const ALL_RIGHTS: i32 = 31;
/// Whichever it is.
pub const ANY_VERSION: i32 = -1;

/// There is no such znode.
pub const NO_NODE: i32 = -101;
/// It is there, and not for us.
pub const NO_AUTH: i32 = -102;
/// It is another version.
pub const BAD_VERSION: i32 = -103;
/// It is there already.
pub const NODE_EXISTS: i32 = -110;
/// The session has ended.
pub const SESSION_EXPIRED: i32 = -112;
/// The login was refused.
pub const AUTH_FAILED: i32 = -115;
/// The server wants a login by SASL before anything else.
pub const WANTS_SASL: i32 = -124;

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn requests_are_the_bytes_that_servers_read() {
        let mut out = Vec::new();
        put_connect(5, 9000, &SessionKey::default(), &mut out);
        let password = "00000010 00000000000000000000000000000000";
        let wanted =
            format!("0000002d 00000000 0000000000000005 00002328 0000000000000000 {password} 00");
        assert_eq!(out, hex(&wanted));
        for (request, wanted) in [
            (
                Request::Children { path: "/h" },
                "0000000f 00000007 00000008 00000002 2f68 01",
            ),
            (
                Request::Data { path: "/h" },
                "0000000f 00000007 00000004 00000002 2f68 01",
            ),
            (
                Request::Exists { path: "/h" },
                "0000000f 00000007 00000003 00000002 2f68 01",
            ),
            (
                Request::Create {
                    path: "/h",
                    data: b"hi",
                    life: Life::EphemeralSequential,
                    closed: false,
                },
                "00000033 00000007 00000001 00000002 2f68 00000002 6869 00000001 0000001f \
                 00000005 776f726c64 00000006 616e796f6e65 00000003",
            ),
            (
                Request::Set {
                    path: "/h",
                    data: b"hi",
                    version: 3,
                },
                "00000018 00000007 00000005 00000002 2f68 00000002 6869 00000003",
            ),
            (
                Request::Delete { path: "/h" },
                "00000012 00000007 00000002 00000002 2f68 ffffffff",
            ),
            (Request::Ping, "00000008 fffffffe 0000000b"),
            (Request::Close, "00000008 00000007 fffffff5"),
            (
                Request::Digest { account: "a:b" },
                "0000001d fffffffc 00000064 00000000 00000006 646967657374 00000003 613a62",
            ),
        ] {
            let mut out = Vec::new();
            request.put(7, &mut out);
            assert_eq!(out, hex(wanted), "{request:?}");
        }
    }

    #[test]
    fn answers_are_read_as_servers_write_them() {
        let first =
            hex("00000000 00001770 1000abcd00000001 00000010 00000000000000000000000000000000 00");
        let wanted = Connected {
            timeout_millis: 6000,
            session: SessionKey {
                id: 0x1000_abcd_0000_0001,
                password: [0; 16],
            },
        };
        assert_eq!(connected(&first), Ok(wanted));
        let listed = hex("00000001 0000000000000009 00000000 00000002 00000001 61 00000002 6262");
        let answer = reply(&listed).unwrap();
        assert_eq!((answer.xid, answer.zxid, answer.code), (1, 9, 0));
        assert_eq!(children(answer.content), Ok(vec!["a", "bb"]));
        let noticed = hex("ffffffff ffffffffffffffff 00000000 00000004 00000003 00000002 2f68");
        let answer = reply(&noticed).unwrap();
        assert_eq!((answer.xid, changed(answer.content)), (NOTICE, Ok("/h")));
        let stat = format!(
            "{} 00000007 {} 1000abcd00000001 {}",
            "00".repeat(32),
            "00".repeat(8),
            "00".repeat(16)
        );
        let wanted = Held {
            data: b"hi",
            version: 7,
            owner: 0x1000_abcd_0000_0001,
        };
        assert_eq!(held(&hex(&format!("00000002 6869 {stat}"))), Ok(wanted));
        let none = held(&hex(&format!("ffffffff {stat}"))).map(|held| held.data.len());
        assert_eq!(none, Ok(0), "a znode without data");
        assert_eq!(held(&hex("00000002 6869 0000")), Err(ZooKeeperError::Short));
    }

    #[test]
    fn who_else_listens_there_is_named() {
        assert_eq!(
            frame(b"HTTP/1.1 400 Bad Request"),
            Err(ZooKeeperError::Http)
        );
        assert_eq!(frame(&[0x15, 3, 3, 0, 2, 2, 80]), Err(ZooKeeperError::Tls));
        let other = ZooKeeperError::Frame(i32::from_be_bytes(*b"220 "));
        assert_eq!(frame(b"220 mail.example.com"), Err(other));
        assert_eq!(frame(&[255; 8]), Err(ZooKeeperError::Frame(-1)));
    }

    #[test]
    fn a_count_that_is_only_claimed_takes_no_memory() {
        assert_eq!(
            children(&i32::MAX.to_be_bytes()),
            Err(ZooKeeperError::Short)
        );
        assert_eq!(held(&i32::MAX.to_be_bytes()), Err(ZooKeeperError::Short));
        assert_eq!(children(&(-1i32).to_be_bytes()), Ok(vec![]));
    }
}
