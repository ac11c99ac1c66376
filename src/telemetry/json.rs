//! Writes one flat JSON object into a string that is used again and again.
//!
//! Both logs use it: no tree of values, no allocation beyond what the string already has.

use std::fmt::{self, Display, Write};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::base::time::rfc3339;

/// One object being written; [`Object::end`] closes it.
pub(super) struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    pub(super) fn end(self) {
        self.out.push('}');
    }

    /// Text, escaped.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push('"');
        escape(self.out, value);
        self.out.push('"');
    }

    /// Text or null.
    pub(super) fn maybe(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.raw(key, &"null"),
        }
    }

    /// What `value` displays, as text.
    pub(super) fn display(&mut self, key: &str, value: &dyn Display) {
        self.key(key);
        self.out.push('"');
        let _ = write!(Escaping(self.out), "{value}");
        self.out.push('"');
    }

    /// What `value` displays, as it is: numbers, booleans, null.
    pub(super) fn raw(&mut self, key: &str, value: &dyn Display) {
        self.key(key);
        let _ = write!(self.out, "{value}");
    }

    /// Texts, as an array.
    pub(super) fn list(&mut self, key: &str, values: &[String]) {
        self.key(key);
        self.out.push('[');
        for (place, value) in values.iter().enumerate() {
            self.out.push_str(if place == 0 { "\"" } else { ",\"" });
            escape(self.out, value);
            self.out.push('"');
        }
        self.out.push(']');
    }

    /// A number, without the detour over `fmt`.
    pub(super) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        digits(self.out, value, 1);
    }

    /// Text of 16 hexadecimal digits.
    pub(super) fn hex(&mut self, key: &str, value: u64) {
        self.key(key);
        self.out.push('"');
        for place in (0..64).step_by(4).rev() {
            let digit = u32::try_from(value >> place & 0xf).unwrap_or(0);
            self.out.push(char::from_digit(digit, 16).unwrap_or('0'));
        }
        self.out.push('"');
    }

    /// Address and port, as text.
    pub(super) fn address(&mut self, key: &str, value: SocketAddr) {
        let SocketAddr::V4(v4) = value else {
            return self.display(key, &value);
        };
        self.key(key);
        self.out.push('"');
        for (place, octet) in v4.ip().octets().into_iter().enumerate() {
            self.out.push_str(if place == 0 { "" } else { "." });
            digits(self.out, octet.into(), 1);
        }
        self.out.push(':');
        digits(self.out, v4.port().into(), 1);
        self.out.push('"');
    }

    /// Seconds with microseconds, or null.
    pub(super) fn seconds(&mut self, key: &str, value: Option<Duration>) {
        self.key(key);
        let Some(time) = value else {
            return self.out.push_str("null");
        };
        digits(self.out, time.as_secs(), 1);
        self.out.push('.');
        digits(self.out, time.subsec_micros().into(), 6);
    }

    /// RFC 3339 in UTC, with milliseconds.
    pub(super) fn time(&mut self, key: &str, time: SystemTime) {
        self.key(key);
        let _ = write!(self.out, "\"{}\"", rfc3339(time));
    }

    /// Keys are identifiers of ours, which need no escaping.
    fn key(&mut self, key: &str) {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        self.out.push_str(key);
        self.out.push_str("\":");
    }
}

/// Decimal, with zeros before it up to `least` digits.
fn digits(out: &mut String, mut value: u64, least: usize) {
    let mut text = [b'0'; DIGITS];
    let mut from = DIGITS;
    while value > 0 {
        from -= 1;
        text[from] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    let text = &text[from.min(DIGITS - least)..];
    out.push_str(std::str::from_utf8(text).unwrap_or("0"));
}

/// Of the largest `u64`.
const DIGITS: usize = 20;

/// RFC 8259 §7, and DEL with the C1 controls besides, which terminals obey.
fn escape(out: &mut String, text: &str) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let mut out = String::new();
            let mut object = Object::begin(&mut out);
            object.text("a", &text);
            object.display("b", &text);
            object.end();
            prop_assert!(!out.chars().any(char::is_control));
            let read: serde_json::Value = serde_json::from_str(&out).expect("JSON");
            prop_assert_eq!(read["a"].as_str(), Some(text.as_str()));
            prop_assert_eq!(read["b"].as_str(), Some(text.as_str()));
        }
    }

    proptest! {
        #[test]
        fn numbers_and_addresses_are_what_fmt_says(number in any::<u64>(), v4: [u8; 4], v6: [u16; 8], port: u16) {
            let (v4, v6) = (SocketAddr::from((v4, port)), SocketAddr::from((v6, port)));
            let time = Duration::from_micros(number);
            let mut out = String::new();
            let mut object = Object::begin(&mut out);
            object.number("a", number);
            object.hex("b", number);
            object.address("c", v4);
            object.address("d", v6);
            object.seconds("e", Some(time));
            object.end();
            let (seconds, micros) = (time.as_secs(), time.subsec_micros());
            let expected = format!(
                r#"{{"a":{number},"b":"{number:016x}","c":"{v4}","d":"{v6}","e":{seconds}.{micros:06}}}"#
            );
            prop_assert_eq!(out, expected);
        }
    }

    #[test]
    fn small_numbers() {
        let mut out = String::new();
        digits(&mut out, 0, 1);
        digits(&mut out, 7, 6);
        digits(&mut out, u64::MAX, 1);
        assert_eq!(out, "000000718446744073709551615");
    }

    #[test]
    fn seconds_and_times_keep_their_digits() {
        let mut out = String::new();
        let mut object = Object::begin(&mut out);
        object.seconds("a", Some(Duration::from_micros(1_000_042)));
        object.seconds("b", None);
        object.time("c", SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        object.end();
        let expected = r#"{"a":1.000042,"b":null,"c":"1970-01-01T00:00:01.500Z"}"#;
        assert_eq!(out, expected);
    }
}
