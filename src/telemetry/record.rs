//! One line of either log, read back into its fields: what a message to syslog or to the journal is made of.
//!
//! The queue holds lines of JSON, as files get them, so that a session costs the same wherever they go; the thread that
//! writes takes them apart.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// A line and its fields.
pub(super) struct Record<'a> {
    /// RFC 3339, with milliseconds.
    pub(super) time: String,
    /// Of RFC 5424: 3 error, 4 warning, 6 informational, 7 debug. The line of a session is informational.
    pub(super) severity: u8,
    /// What happened, in words that do not change; none in the line of a session.
    pub(super) message: Option<String>,
    /// The others in their order, without those that are null; a list has several values.
    pub(super) fields: Vec<(String, Vec<String>)>,
    /// As it was queued.
    line: &'a str,
}

impl<'a> Record<'a> {
    /// Takes a line apart; one that is no JSON object has no fields.
    pub(super) fn read(line: &'a str) -> Self {
        let mut record = Record {
            time: String::new(),
            severity: INFO,
            message: None,
            fields: Vec::new(),
            line,
        };
        let Entries(entries) = serde_json::from_str(line).unwrap_or_default();
        for (key, value) in entries {
            let values = texts(value);
            match (key.as_str(), values.first()) {
                ("time", Some(time)) => record.time.clone_from(time),
                ("level", Some(level)) => record.severity = severity(level),
                ("message", Some(message)) => record.message = Some(message.clone()),
                (_, None) => {}
                _ => record.fields.push((key, values)),
            }
        }
        record
    }

    /// The text of the message: the line itself, or for people the words and then the fields.
    pub(super) fn text(&self, for_people: bool) -> String {
        let Some(message) = self.message.as_ref().filter(|_| for_people) else {
            return self.line.to_owned();
        };
        let mut text = message.clone();
        for (key, values) in self.fields.iter().filter(|(key, _)| key != "at") {
            let value = values.join(", ");
            let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'=';
            match !value.is_empty() && value.bytes().all(plain) {
                true => text.push_str(&format!(" {key}={value}")),
                false => text.push_str(&format!(" {key}={value:?}")),
            }
        }
        text
    }

    /// The words of the message as one: `server-is-down`; `session` for the line of one.
    pub(super) fn kind(&self) -> String {
        let Some(message) = &self.message else {
            return "session".to_owned();
        };
        let words = message.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        words.join("-").to_ascii_lowercase()
    }
}

fn severity(level: &str) -> u8 {
    match level {
        "error" => 3,
        "warn" => 4,
        "debug" | "trace" => 7,
        _ => INFO,
    }
}

fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text],
        Value::Array(values) => values.into_iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

/// The entries of an object in their order, which `serde_json`'s own map does not keep.
#[derive(Default)]
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

const INFO: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_comes_apart() {
        let line = r#"{"time":"2027-01-15T08:00:00.000Z","level":"warn","message":"server is down","server":"hs2-1","n":3,"x":null,"names":["a","b c"],"at":"howdah::pool"}"#;
        let record = Record::read(line);
        assert_eq!(
            (record.severity, record.time.as_str()),
            (4, "2027-01-15T08:00:00.000Z")
        );
        assert_eq!(record.kind(), "server-is-down");
        assert_eq!(
            record.text(true),
            "server is down server=hs2-1 n=3 names=\"a, b c\""
        );
        assert_eq!(record.text(false), line);
        let names: Vec<_> = record.fields.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(names, ["server", "n", "names", "at"]);
    }

    #[test]
    fn what_is_no_object_is_its_own_text() {
        let record = Record::read("not JSON");
        assert_eq!(
            (record.text(true).as_str(), record.severity),
            ("not JSON", 6)
        );
        assert!(record.fields.is_empty());
    }
}
