//! One HTTP/1 exchange, as the asking side needs it: a request's bytes, and a [`Reader`] for the reply to it.
//!
//! Probes ask once per connection and judge status and body; a full client would follow, pool and retry, which is just what
//! a probe must not do. RFC 9112 §4 (status line), §6 (length of the body), §7.1 (chunks).

mod reader;
#[cfg(test)]
mod tests;

pub use self::reader::Reader;

/// Longest head that is believed, and most trailers.
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
}

/// What the bytes so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Good so far; ask again with more, or say that there is no more.
    Incomplete,
    /// A reply.
    Reply(Reply),
    /// Something else than HTTP/1, which begins like this.
    NotHttp(Vec<u8>),
    /// HTTP that breaks its own rules, ends early, or does not end.
    Malformed,
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

/// The bytes of [`base64`], with or without padding; `None` where it is none.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes();
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0u32, 0);
    for digit in digits {
        let value = BASE64.iter().position(|known| *known == digit)?;
        word = word << 6 | u32::try_from(value).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits).to_be_bytes()[3]);
        }
    }
    Some(out)
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

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
