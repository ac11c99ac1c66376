//! One value of a JSON text, by its pointer (RFC 6901), without building the rest.
//!
//! What the pointer passes by is checked and skipped without recursion and without memory, so neither a megabyte of empty
//! lists nor a nesting without end costs anything. The value is given as it is written: 1.0 is not 1.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::base::pointer;

/// What stands at a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Text without its quotes; a number, `true`, `false` and `null` as they are written.
    Scalar(String),
    /// A table.
    Object,
    /// A list.
    Array,
    /// The text has nothing there.
    Nothing,
}

/// Why bytes are no JSON, in the parser's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

/// What stands at `pointer`; of a name that an object has twice, the last.
///
/// # Errors
/// When `bytes` are not one JSON text, whole.
pub fn at(bytes: &[u8], pointer: &str) -> Result<Found, JsonError> {
    let steps: Vec<String> = pointer::steps(pointer).collect();
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let told = |error: serde_json::Error| JsonError(error.to_string());
    let found = Seek(&steps).deserialize(&mut text).map_err(told)?;
    text.end().map_err(told)?;
    found.map_or(Ok(Found::Nothing), |raw| value(raw).map_err(told))
}

fn value(raw: &RawValue) -> Result<Found, serde_json::Error> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => Found::Object,
        Some(b'[') => Found::Array,
        Some(b'"') => Found::Scalar(serde_json::from_str(text)?),
        _ => Found::Scalar(text.to_owned()),
    })
}

/// The steps that are left.
struct Seek<'s>(&'s [String]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Self::Value, D::Error> {
        match self.0.is_empty() {
            true => <&RawValue>::deserialize(text).map(Some),
            false => text.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (step, rest) = self
            .0
            .split_first()
            .ok_or_else(|| A::Error::custom("no step"))?;
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == *step {
                found = map.next_value_seed(Seek(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (step, rest) = self
            .0
            .split_first()
            .ok_or_else(|| A::Error::custom("no step"))?;
        let place = step.parse::<usize>().ok();
        let (mut found, mut at) = (None, 0);
        loop {
            if Some(at) == place {
                match seq.next_element_seed(Seek(rest))? {
                    Some(there) => found = there,
                    None => return Ok(None),
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str, pointer: &str) -> String {
        match at(text.as_bytes(), pointer) {
            Ok(Found::Scalar(found)) => found,
            other => panic!("{pointer} in {text}: {other:?}"),
        }
    }

    #[test]
    fn values_are_found_and_given_as_they_are_written() {
        let text = r#"{"a": {"b/c": ["x", 1.0, true, null, {"~": "\u00e4"}]}, "a ": 2}"#;
        for (pointer, value) in [
            ("/a/b~1c/0", "x"),
            ("/a/b~1c/1", "1.0"),
            ("/a/b~1c/2", "true"),
            ("/a/b~1c/3", "null"),
            ("/a/b~1c/4/~0", "ä"),
            ("/a ", "2"),
        ] {
            assert_eq!(scalar(text, pointer), value);
        }
        assert_eq!(scalar("\"true\"", ""), scalar("true", ""));
        assert_eq!(at(text.as_bytes(), "/a"), Ok(Found::Object));
        assert_eq!(at(text.as_bytes(), "/a/b~1c"), Ok(Found::Array));
        for nothing in ["/b", "/a/b~1c/5", "/a/b~1c/-", "/a/b~1c/0/x", "/a /x"] {
            assert_eq!(
                at(text.as_bytes(), nothing),
                Ok(Found::Nothing),
                "{nothing}"
            );
        }
    }

    #[test]
    fn a_deep_nesting_costs_nothing_and_cut_texts_are_none() {
        let deep = format!(
            "{{\"x\": {}1{}, \"y\": 7}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(scalar(&deep, "/y"), "7");
        assert_eq!(at(deep.as_bytes(), "/x"), Ok(Found::Array));
        assert!(at("[".repeat(100_000).as_bytes(), "/0/0").is_err());
        for cut in 0..deep.len().min(50) {
            assert!(at(&deep.as_bytes()[..cut], "/y").is_err());
        }
        for text in [
            "{} {}",
            "\u{feff}{}",
            "{\"y\": 1e}",
            "{'y': 1}",
            "\"\u{1}\"",
        ] {
            assert!(at(text.as_bytes(), "/y").is_err(), "{text}");
        }
    }
}
