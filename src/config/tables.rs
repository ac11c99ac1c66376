//! How a table of the file is declared once and gives four things: the struct, its reading, its known keys, and its
//! page in the reference. Used by `file` alone.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One key, for the reference and for "did you mean".
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What its value is called.
    pub(super) kind: fn() -> String,
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
                default: $default,
                doc: concat!($($key_doc, "\n"),*),
            }, )*];
        }

        impl Word for $name {
            fn kind() -> String {
        "table".into()
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
