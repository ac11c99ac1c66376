//! From bytes to TOML values, with TOML's own errors said in words that help.

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::source::Span;
use super::words::Cx;

/// The bytes as text; what is no UTF-8 becomes U+FFFD, which [`parse`] then points at.
pub(super) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The whole file as one table; `None` when it is not TOML, which has been said for each place.
pub(super) fn parse<'i>(text: &'i str, cx: &mut Cx) -> Option<Spanned<DeValue<'i>>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut last_line = 0;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let line = cx.source.line_of(&span);
        // What follows a first error in a line is mostly its echo.
        if line != last_line {
            explain(error, &span, text, cx);
        }
        last_line = line;
    }
    errors
        .is_empty()
        .then(|| Spanned::new(0..0, DeValue::Table(table.into_inner())))
}

fn explain(error: &Error, span: &Span, text: &str, cx: &mut Cx) {
    cx.error(span, "this is not TOML").why(error.message());
    let _ = text;
}
