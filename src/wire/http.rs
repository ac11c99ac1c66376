//! One HTTP/1 exchange, as the asking side needs it: a request's bytes, and a reply read from its bytes so far.
//!
//! Probes ask once per connection and judge status and body; a full client would follow, pool and retry, which is just what
//! a probe must not do. RFC 9112 §4 (status line), §6 (length of the body), §7.1 (chunks).

/// Longest head that is believed.
pub const HEAD_MAX: usize = 32 * 1024;

/// Most of a body that is kept; what is longer is cut, and judged as far as it goes.
pub const BODY_MAX: usize = 1024 * 1024;

/// A reply in full, or as much of it as [`BODY_MAX`] lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 999; interim replies are passed over.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Without chunk marks.
    pub body: Vec<u8>,
    /// Bytes it takes on the connection.
    pub length: usize,
}

/// What the bytes so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Good so far; ask again with more, or say that there is no more.
    Incomplete,
    /// A reply.
    Reply(Reply),
    /// Something else than HTTP/1.
    NotHttp,
    /// HTTP that breaks its own rules, or ends early.
    Malformed,
}

/// Judges all bytes since the request was sent. `ended`: the server has closed its side. `bodiless`: the request was HEAD.
pub fn read(bytes: &[u8], bodiless: bool, ended: bool) -> Incoming {
    let rest = bytes.iter().zip(b"HTTP/1.");
    if rest.clone().any(|(is, must)| is != must) {
        return Incoming::NotHttp;
    }
    match reply(bytes, bodiless, ended) {
        Ok(reply) => Incoming::Reply(reply),
        Err(Stop::Incomplete) if ended => Incoming::Malformed,
        Err(Stop::Incomplete) => Incoming::Incomplete,
        Err(Stop::Malformed) => Incoming::Malformed,
    }
}

/// The bytes of a request; `headers` are whole lines without their end.
pub fn request(method: &str, path: &str, host: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: howdah\r\n");
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Base64 with padding (RFC 4648 §4), which Basic authentication needs.
pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from(word >> shift & 63).unwrap_or(0);
            let padding = place > group.len();
            out.push(if padding {
                '='
            } else {
                char::from(BASE64[digit])
            });
        }
    }
    out
}

impl Reply {
    /// Value of the first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn says(&self, name: &str, word: &str) -> bool {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        values.any(|(_, value)| value.to_ascii_lowercase().contains(word))
    }
}

enum Stop {
    Incomplete,
    Malformed,
}

fn reply(bytes: &[u8], bodiless: bool, ended: bool) -> Result<Reply, Stop> {
    let mut start = 0;
    loop {
        let (mut reply, head) = head(&bytes[start..])?;
        start += head;
        if (100..200).contains(&reply.status) && reply.status != 101 {
            continue;
        }
        let rest = &bytes[start..];
        let taken = if bodiless || matches!(reply.status, 101 | 204 | 304) {
            0
        } else {
            body(&mut reply, rest, ended)?
        };
        reply.length = start + taken;
        return Ok(reply);
    }
}

fn head(bytes: &[u8]) -> Result<(Reply, usize), Stop> {
    let window = &bytes[..bytes.len().min(HEAD_MAX)];
    let Some(end) = window.windows(4).position(|four| four == b"\r\n\r\n") else {
        let full = window.len() == HEAD_MAX;
        return Err(if full {
            Stop::Malformed
        } else {
            Stop::Incomplete
        });
    };
    let text = String::from_utf8_lossy(&window[..end]);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(status).ok_or(Stop::Malformed)?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let reply = Reply {
        status,
        headers: headers.collect(),
        ..Reply::default()
    };
    Ok((reply, end + 4))
}

fn status(line: &str) -> Option<u16> {
    let code = line.split(' ').nth(1)?;
    code.parse().ok().filter(|code| (100..1000).contains(code))
}

/// Fills the body; returns the bytes that it takes.
fn body(reply: &mut Reply, rest: &[u8], ended: bool) -> Result<usize, Stop> {
    if reply.says("transfer-encoding", "chunked") {
        return chunks(&mut reply.body, rest);
    }
    let told = match reply.header("content-length") {
        Some(text) => Some(text.parse::<usize>().map_err(|_| Stop::Malformed)?),
        None => None,
    };
    let wanted = told.unwrap_or(BODY_MAX).min(BODY_MAX);
    let until_the_end = told.is_none() && ended;
    if rest.len() < wanted && !until_the_end {
        return Err(Stop::Incomplete);
    }
    let taken = wanted.min(rest.len());
    reply.body.extend_from_slice(&rest[..taken]);
    Ok(taken)
}

fn chunks(body: &mut Vec<u8>, bytes: &[u8]) -> Result<usize, Stop> {
    let mut rest = bytes;
    loop {
        let line = line(&mut rest)?;
        let size = line.split(';').next().unwrap_or("").trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| Stop::Malformed)?;
        if size == 0 {
            while !self::line(&mut rest)?.is_empty() {} // trailers
            return Ok(bytes.len() - rest.len());
        }
        let room = BODY_MAX - body.len();
        let chunk = rest.get(..size.min(room)).ok_or(Stop::Incomplete)?;
        body.extend_from_slice(chunk);
        if size >= room {
            return Ok(bytes.len() - rest.len() + room);
        }
        rest = &rest[size..];
        if !self::line(&mut rest)?.is_empty() {
            return Err(Stop::Malformed);
        }
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Stop> {
    let window = &rest[..rest.len().min(LINE_MAX)];
    let Some(end) = window.windows(2).position(|two| two == b"\r\n") else {
        let full = window.len() == LINE_MAX;
        return Err(if full {
            Stop::Malformed
        } else {
            Stop::Incomplete
        });
    };
    let text = std::str::from_utf8(&window[..end]).map_err(|_| Stop::Malformed)?;
    *rest = &rest[end + 2..];
    Ok(text)
}

const LINE_MAX: usize = 4096;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8], bodiless: bool, ended: bool) -> Reply {
        match read(bytes, bodiless, ended) {
            Incoming::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reply_is_incomplete_at_every_cut() {
        let replies: [&[u8]; 3] = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
        ];
        for bytes in replies {
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut], false, false), Incoming::Incomplete);
            }
            let reply = whole(&[bytes, b"more"].concat(), false, false);
            assert_eq!((reply.status, &reply.body[..]), (200, &b"abc"[..]));
            assert_eq!(reply.length, bytes.len());
        }
    }

    #[test]
    fn without_a_length_the_body_ends_with_the_connection() {
        let bytes = b"HTTP/1.0 503 No\r\nServer: x\r\n\r\nNot Available";
        assert_eq!(read(bytes, false, false), Incoming::Incomplete);
        let reply = whole(bytes, false, true);
        assert_eq!(
            (reply.status, &reply.body[..]),
            (503, &b"Not Available"[..])
        );
        assert_eq!(reply.header("server"), Some("x"));
    }

    #[test]
    fn head_requests_and_statuses_without_body_end_with_the_head() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
        assert_eq!(whole(bytes, true, false).body, b"");
        assert_eq!(whole(b"HTTP/1.1 204 No\r\n\r\n", false, false).status, 204);
    }

    #[test]
    fn a_long_body_is_cut() {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec();
        bytes.resize(BODY_MAX + 100, b'x');
        assert_eq!(whole(&bytes, false, false).body.len(), BODY_MAX);
        let mut bytes =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n".to_vec();
        bytes.resize(BODY_MAX + 100, b'x');
        assert_eq!(whole(&bytes, false, false).body.len(), BODY_MAX);
    }

    #[test]
    fn what_is_not_http_shows_at_its_first_strange_byte() {
        for bytes in [&b"\x05\0\0\0\0"[..], b"HTTQ", b"\x15\x03\x03", b"<html>"] {
            assert_eq!(read(bytes, false, false), Incoming::NotHttp);
        }
        for bytes in [
            &b"HTTP/1.1 x\r\n\r\n"[..],
            b"HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        ] {
            assert_eq!(read(bytes, false, false), Incoming::Malformed);
        }
        assert_eq!(read(b"HTTP/1.1 200\r\n", false, true), Incoming::Malformed);
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let table = [
            "", "", "f", "Zg==", "fo", "Zm8=", "foo", "Zm9v", "foob", "Zm9vYg==", "foobar",
            "Zm9vYmFy",
        ];
        for pair in table.chunks(2) {
            assert_eq!(base64(pair[0].as_bytes()), pair[1]);
        }
    }

    #[test]
    fn a_request_has_its_lines() {
        let bytes = request("POST", "/x", "h:1", &["A: b".to_owned()], b"body");
        let text = "POST /x HTTP/1.1\r\nHost: h:1\r\nUser-Agent: howdah\r\nA: b\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(bytes, text.as_bytes());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..300), chunked: bool, ended: bool) {
            read(&tail, false, ended);
            let start: &[u8] = if chunked { b"HTTP/1.1 200 \r\ntransfer-encoding:chunked\r\n\r\n" } else { b"HTTP/1.1 200" };
            read(&[start, &tail].concat(), false, ended);
        }
    }
}
