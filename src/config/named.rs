//! Text by name: `{ lb-2 = "10.0.0.2:1024" }`.

use serde_json::{Value as Schema, json};

use super::cx::Cx;
use super::field::{Spot, Value};
use super::tables::in_order;
use super::words::Word;

/// In the order of the file; faulty entries are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Named(pub(super) Vec<(Spot<String>, Spot<String>)>);

impl Word for Named {
    fn kind() -> String {
        "table of names and text".into()
    }

    fn schema() -> Schema {
        json!({ "type": "object", "additionalProperties": String::schema() })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let key = cx.key.clone();
        let Some(table) = value.get_ref().as_table() else {
            cx.wrong_type(value, "a table", &format!("{key} = {{ NAME = \"...\" }}"));
            return None;
        };
        let mut all = Vec::new();
        for (name, value) in in_order(table) {
            let name = Spot {
                value: name.get_ref().to_string(),
                span: name.span(),
            };
            cx.key = format!("{key}.{}", name.value);
            let span = value.span();
            all.extend(String::read(value, cx).map(|value| (name, Spot { value, span })));
        }
        cx.key = key;
        Some(Self(all))
    }
}
