//! Writes one flat JSON object into a string that is used again and again.
//!
//! Both logs use it: no tree of values, no allocation beyond what the string already has.

use std::fmt::{self, Display, Write};
use std::time::{Duration, SystemTime};

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

    /// Seconds with microseconds, or null.
    pub(super) fn seconds(&mut self, key: &str, value: Option<Duration>) {
        self.key(key);
        let _ = match value {
            Some(time) => write!(self.out, "{}.{:06}", time.as_secs(), time.subsec_micros()),
            None => self.out.write_str("null"),
        };
    }

    /// RFC 3339 in UTC, with milliseconds.
    pub(super) fn time(&mut self, key: &str, time: SystemTime) {
        self.key(key);
        let shown = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let _ = write!(self.out, "\"{shown:.3}\"");
    }

    fn key(&mut self, key: &str) {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        escape(self.out, key);
        self.out.push_str("\":");
    }
}

/// RFC 8259 §7, and DEL with the C1 controls besides, which terminals obey.
fn escape(out: &mut String, text: &str) {
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
