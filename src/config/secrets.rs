//! Which keys hold what nobody should read who looks at a running howdah, and the file's text without it.
//!
//! Passwords and tokens stand in files of their own, which are never shown. What is left are keys whose value may hold one.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::field::Value;

/// Instead of a secret.
pub(super) const MASK: &str = "***";

/// Whether the value of this key may be one.
pub(super) fn is_secret(key: &str) -> bool {
    SECRET.contains(&key)
}

/// The text with every such value as `"***"`.
pub(super) fn masked(text: &str, root: &Value<'_>) -> String {
    let mut spans = Vec::new();
    if let Some(table) = root.get_ref().as_table() {
        collect(table, &mut spans);
    }
    spans.sort_by_key(|span| span.start);
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for span in spans {
        shown.push_str(text.get(at..span.start).unwrap_or_default());
        shown.push_str("\"***\"");
        at = span.end.max(at);
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}

fn collect(table: &DeTable<'_>, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        match value.get_ref() {
            _ if is_secret(key.get_ref()) => spans.push(value.span()),
            DeValue::Table(inner) => collect(inner, spans),
            DeValue::Array(all) => {
                let tables = all.iter().filter_map(|one| one.get_ref().as_table());
                tables.for_each(|inner| collect(inner, spans));
            }
            _ => {}
        }
    }
}

/// What is sent to servers may be a login, a program's arguments too; addresses of chat services are as good as passwords.
const SECRET: &[&str] = &[
    "send", "hex", "command", "url", "headers", "password", "token", "secret",
];

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Spanned;

    #[test]
    fn a_text_is_shown_without_its_secrets() {
        let text = "# mine\n[pool.a]\nprobe = { type = \"exchange\", steps = [{ send = \"AUTH s3cret\\r\\n\", expect = \"^OK\" }] }\n\
                    [pool.b.load]\nsend = 's3cret'\nfrom = \"agent\"\n";
        let (table, _) = DeTable::parse_recoverable(text);
        let root = Spanned::new(0..0, DeValue::Table(table.into_inner()));
        let shown = masked(text, &root);
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.starts_with("# mine\n[pool.a]\n"));
        assert!(shown.contains("send = \"***\", expect = \"^OK\""));
        assert!(shown.ends_with("send = \"***\"\nfrom = \"agent\"\n"));
    }
}
