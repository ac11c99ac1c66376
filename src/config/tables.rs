//! How a table of the file is declared once and gives four things: the struct, its reading, its known keys, and its
//! page in the reference. Used by `file` alone.

use serde_json::{Map, Value as Schema, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One key, for the reference and for "did you mean".
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What its value is called.
    pub(super) kind: fn() -> String,
    /// What editors may know of it.
    pub(super) schema: fn() -> Schema,
    /// As text; "required" where there is none.
    pub(super) default: &'static str,
    /// The doc comment of the field.
    pub(super) doc: &'static str,
}

/// A table of the file.
pub(super) trait Table {
    /// In brackets, as people write it: `[pool.NAME.probe]`.
    const HEADER: &'static str;
    /// The doc comment of the struct.
    const DOC: &'static str;
    const KEYS: &'static [Key];
}

/// Declares tables: `Name "[header]" owner { key: Type = "default", ... }`, each with doc comments. `owner` is the
/// function that says whose table it is, from the table, the outer owner and the line.
macro_rules! tables {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident $header:literal $owner:path {
            $( $(#[doc = $key_doc:literal])* $key:ident: $type:ty = $default:literal, )*
        }
    )*) => { $(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name {
            /// Where the table begins.
            #[allow(dead_code, reason = "not every table is pointed at as a whole")]
            pub(super) span: Span,
            $( $(#[doc = $key_doc])* pub(super) $key: Field<$type>, )*
        }

        impl Table for $name {
            const HEADER: &'static str = $header;
            const DOC: &'static str = concat!($($doc, "\n"),*);
            const KEYS: &'static [Key] = &[$( Key {
                name: bare(stringify!($key)),
                kind: <$type as Word>::kind,
                schema: <$type as Word>::schema,
                default: $default,
                doc: concat!($($key_doc, "\n"),*),
            }, )*];
        }

        impl Word for $name {
            fn kind() -> String {
                "table".into()
            }

            fn schema() -> Schema {
                schema_of::<Self>()
            }

            fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
                let table = cx.table(value, $header)?;
                let owner = $owner(table, cx, &value.span());
                let outer = std::mem::replace(&mut cx.owner, owner);
                let mut own = Self { span: value.span(), ..Self::default() };
                for (key, value) in in_order(table) {
                    match key.get_ref().as_ref() {
                        $( word if word == bare(stringify!($key)) => own.$key = cx.field(word, value), )*
                        _ => {
                            let meant = unknown_key(key, Self::HEADER, Self::KEYS, cx);
                            $( if meant == Some(bare(stringify!($key))) && own.$key.is_absent() {
                                own.$key = Field::Faulty;
                            } )*
                        }
                    }
                }
                cx.owner = outer;
                Some(own)
            }
        }
    )* };
}
pub(super) use tables;

/// A table as JSON Schema: what is no key of it is refused, and each key has its line of the manual.
pub(super) fn schema_of<T: Table>() -> Schema {
    let required = T::KEYS.iter().filter(|key| key.default == REQUIRED);
    let required: Vec<&str> = required.map(|key| key.name).collect();
    let keys: Map<String, Schema> = T::KEYS.iter().map(described).collect();
    json!({
        "type": "object",
        "description": prose(T::DOC),
        "properties": keys,
        "required": required,
        "additionalProperties": false,
    })
}

fn described(key: &Key) -> (String, Schema) {
    let mut schema = (key.schema)();
    let doc = prose(key.doc);
    schema["description"] = match key.default {
        REQUIRED => doc.into(),
        default => format!("{doc}\n\nDefault: {default}").into(),
    };
    // Many defaults are no value but a sentence.
    let value = toml::from_str::<Map<String, Schema>>(&format!("value = {}", key.default));
    if let Some(value) = value.ok().and_then(|mut table| table.remove("value")) {
        schema["default"] = value;
    }
    (key.name.to_owned(), schema)
}

/// A doc comment as one paragraph.
fn prose(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

/// In place of a default.
const REQUIRED: &str = "required";

/// `r#type` is written `type`.
pub(super) const fn bare(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// The entries in the order of the file.
pub(super) fn in_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(
    &'t Spanned<std::borrow::Cow<'i, str>>,
    &'t Spanned<DeValue<'i>>,
)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
