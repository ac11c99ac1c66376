//! The values of probes that are data: regular expressions, bytes in hexadecimal, and whatever JSON may hold.

use serde_json::{Value as Schema, json};
use toml::de::DeValue;

use super::cx::Cx;
use super::field::Value;
use super::words::Word;
use crate::base::pattern::Pattern;

/// A regular expression, compiled.
#[derive(Clone, Debug)]
pub(super) struct Expression(pub(super) Pattern);

/// Bytes, as pairs of hexadecimal digits.
#[derive(Clone, Debug)]
pub(super) struct Hex(pub(super) Vec<u8>);

/// Text, a number or a truth value, as text.
#[derive(Clone, Debug)]
pub(super) struct Scalar(pub(super) String);

impl Word for Expression {
    fn kind() -> String {
        "regular expression".into()
    }

    fn schema() -> Schema {
        json!({ "type": "string", "minLength": 1, "examples": ["^OK (leader|ready)"] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let text = String::read(value, cx)?;
        let fault = match Pattern::new(text.clone()) {
            _ if text.is_empty() => ("is empty".to_owned(), EMPTY),
            Ok(pattern) => return Some(Self(pattern)),
            Err(why) => (why, GOOD_EXPRESSION),
        };
        let what = format!("{} is no regular expression to look for", cx.subject());
        cx.error(&value.span(), what).why(fault.0).fix(fault.1);
        None
    }
}

impl Word for Hex {
    fn kind() -> String {
        "hexadecimal digits".into()
    }

    fn schema() -> Schema {
        json!({ "type": "string", "pattern": r"^[0-9A-Fa-f\s:]+$", "examples": ["0a 0b ff"] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let text = String::read(value, cx)?;
        let why = match bytes(&text) {
            Ok(bytes) => return Some(Self(bytes)),
            Err(why) => why,
        };
        let what = format!("{} holds no bytes", cx.subject());
        cx.error(&value.span(), what)
            .why(why)
            .fix("two digits a byte: \"0a 0b ff\"");
        None
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let digits = text
        .chars()
        .filter(|letter| !matches!(letter, ' ' | ':' | '\n' | '\r' | '\t'));
    let digit = |letter: char| letter.to_digit(16).ok_or(letter);
    let digits: Vec<u32> = digits
        .map(digit)
        .collect::<Result<_, _>>()
        .map_err(|letter| format!("{letter:?} is no hexadecimal digit"))?;
    match digits.len() {
        0 => Err("it is empty".into()),
        odd if odd % 2 == 1 => Err(format!("{odd} digits make no whole bytes")),
        _ => Ok(digits
            .chunks(2)
            .filter_map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok())
            .collect()),
    }
}

impl Word for Scalar {
    fn kind() -> String {
        "text, number, true or false".into()
    }

    fn schema() -> Schema {
        json!({ "type": ["string", "number", "boolean"] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self(text.to_string())),
            DeValue::Boolean(on) => Some(Self(on.to_string())),
            DeValue::Integer(_) | DeValue::Float(_) => Some(Self(cx.written(value).to_owned())),
            _ => {
                cx.wrong_type(value, "text, a number, true or false", "\"ACTIVE\"");
                None
            }
        }
    }
}

const EMPTY: &str = "leave it out: nothing is expected then";
const GOOD_EXPRESSION: &str = "such as \"^OK (leader|ready)\"; a literal ( or . has a backslash before it, which in '...' needs no second one";
