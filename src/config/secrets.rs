//! The file's text as it is shown to those who may look: without the values of keys that may hold a secret.

use std::borrow::Cow;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::field::Value;
use super::hidden::{MASK, is_secret, without_query};
use super::strings;

/// The text with every such value as `"***"`; a comment that holds an assignment, an old one perhaps, is left out.
pub(super) fn masked(text: &str, root: &Value<'_>) -> String {
    let mut spans = Vec::new();
    if let Some(table) = root.get_ref().as_table() {
        collect(table, &mut spans);
    }
    let comments = strings::find(text).comments.into_iter();
    let assigns = |comment: &Range<usize>| text[comment.clone()].contains('=');
    spans.extend(
        comments
            .filter(assigns)
            .map(|comment| (comment, format!("# {MASK}"))),
    );
    spans.sort_by_key(|(span, _)| span.start);
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for (span, instead) in spans {
        shown.push_str(text.get(at..span.start).unwrap_or_default());
        shown.push_str(&instead);
        at = span.end.max(at);
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}

fn collect(table: &DeTable<'_>, spans: &mut Vec<(Range<usize>, String)>) {
    for (key, value) in table {
        look(key.get_ref(), value, spans);
    }
}

fn look(key: &str, value: &Value<'_>, spans: &mut Vec<(Range<usize>, String)>) {
    match value.get_ref() {
        _ if is_secret(key) => spans.push((value.span(), format!("\"{MASK}\""))),
        DeValue::Table(inner) => collect(inner, spans),
        DeValue::Array(all) => all.iter().for_each(|one| look(key, one, spans)),
        DeValue::String(text) => {
            if let Cow::Owned(shown) = without_query(key, text) {
                spans.push((value.span(), format!("{shown:?}")));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Spanned;

    fn shown(text: &str) -> String {
        let (table, errors) = DeTable::parse_recoverable(text);
        assert!(errors.is_empty(), "{errors:?}");
        masked(
            text,
            &Spanned::new(0..0, DeValue::Table(table.into_inner())),
        )
    }

    #[test]
    fn old_lines_in_comments_and_what_requests_carry_are_left_out() {
        let text = "# The first.\nurl = \"https://h/s3cret\" # was \"https://h/s3cret2\" = old\n# url = \"s3cret\"\n\
                    path = \"/?token=s3cret\"\nhttp_path = \"/plain\"\nnote = \"a # b = c\"\nlists = [[{ send = \"s3cret\" }]]\n";
        let shown = shown(text);
        assert!(!shown.contains("s3cret"), "{shown}");
        for kept in [
            "# The first.\n",
            "path = \"/?***\"\n",
            "\"/plain\"",
            "\"a # b = c\"",
        ] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }

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
