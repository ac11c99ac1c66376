//! How times and words are written in an event, and read again.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::base::word::Label;

/// The schema of an enum's words.
pub(super) struct Word<L>(PhantomData<L>);

impl<L: Label> JsonSchema for Word<L> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<_> = L::ALL.iter().map(|word| word.as_str()).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// RFC 3339 in UTC, with milliseconds.
pub(super) mod time {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::base::time::rfc3339;

    pub(in super::super) fn serialize<S: Serializer>(
        time: &SystemTime,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(&rfc3339(*time))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        let time: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        Ok(time.into())
    }
}

/// The stable word.
pub(super) mod word {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::base::word::Label;

    pub(in super::super) fn serialize<L: Label, S: Serializer>(
        word: &L,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        word.as_str().serialize(to)
    }

    pub(in super::super) fn deserialize<'de, L: Label, D: Deserializer<'de>>(
        from: D,
    ) -> Result<L, D::Error> {
        let word = String::deserialize(from)?;
        L::named(&word).ok_or_else(|| de::Error::custom(format!("nobody knows the word {word:?}")))
    }
}
