//! The text of the file, and how a stretch of bytes becomes a [`Place`] that people can read.
//!
//! Secrets that someone wrote into the file by mistake are masked here, so that no excerpt can show one.

use std::ops::Range;
use std::sync::Arc;

use super::hidden::{MASK, may_hold_a_secret};
use super::report::Place;
use super::strings;

/// Bytes of the file, as the TOML parser counts them.
pub(super) type Span = Range<usize>;

/// One file, read.
pub(super) struct Source {
    file: Arc<str>,
    text: String,
    /// Where each line begins; a file may have ten thousand servers.
    lines: Vec<usize>,
    /// Strings of several lines.
    long: Vec<Span>,
}

impl Source {
    pub(super) fn new(file: &str, text: String) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        let long = strings::find(&text).long;
        Self {
            file: file.into(),
            text,
            lines,
            long,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// From 1.
    pub(super) fn line_of(&self, span: &Span) -> usize {
        self.lines.partition_point(|start| *start <= span.start)
    }

    /// The first line of `span`, with carets as far as it goes there.
    pub(super) fn place(&self, span: &Span) -> Place {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end).max(start);
        let head = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let tail = self.text[head..]
            .find('\n')
            .map_or(self.text.len(), |at| head + at);
        let line = self.text[head..tail].trim_end_matches('\r');
        let from = (start - head).min(line.len());
        let to = (end - head).clamp(from, line.len());
        let column = line[..from].chars().count();
        let (shown, from, to) = match self.begins_inside_a_string(head) {
            true => (MASK.to_owned(), 0, MASK.len()),
            false => mask(line, from, to),
        };
        let (excerpt, indent, width) = shorten(&shown, from, to);
        Place {
            file: Arc::clone(&self.file),
            line: self.line_of(span),
            column: column + 1,
            excerpt,
            indent,
            width,
        }
    }
}

impl Source {
    /// Whether a line that begins at `head` goes on with a string of the lines before.
    fn begins_inside_a_string(&self, head: usize) -> bool {
        let next = self.long.partition_point(|string| string.end <= head);
        self.long
            .get(next)
            .is_some_and(|string| string.start < head)
    }
}

/// Replaces the strings behind keys that hold secrets by `***`; positions move along.
fn mask(line: &str, mut from: usize, mut to: usize) -> (String, usize, usize) {
    let mut shown = line.to_owned();
    let mut search = 0;
    while let Some(secret) = next_secret(&shown, search) {
        let shift = |at: usize| match at {
            at if at <= secret.start => at,
            at if at >= secret.end => at - secret.len() + MASK.len(),
            _ => secret.start,
        };
        (from, to) = (shift(from), shift(to));
        search = secret.start + MASK.len();
        shown.replace_range(secret, MASK);
    }
    (shown, from, to)
}

/// Where the next value behind a secret key stands, quotes excluded; where it does not end as a plain string does, all that is
/// left of the line.
fn next_secret(line: &str, search: usize) -> Option<Range<usize>> {
    let mut at = search;
    while let Some(equals) = line[at..].find('=').map(|found| at + found) {
        at = equals + 1;
        if !may_hold_a_secret(last_key(&line[..equals])) {
            continue;
        }
        let start = at + (line[at..].len() - line[at..].trim_start().len());
        let value = &line[start..];
        if value.is_empty() || value.starts_with(MASK) {
            continue;
        }
        let quote = value.bytes().next().filter(|c| matches!(c, b'"' | b'\''));
        let Some(quote) = quote else {
            return Some(start..line.len());
        };
        let end = strings::end_of(line.as_bytes(), start, quote);
        let is_whole = !value.as_bytes().starts_with(&[quote; 3])
            && end > start + 1
            && line.as_bytes()[end - 1] == quote;
        let inside = match is_whole {
            true => start + 1..end - 1,
            false => start + 1..line.len(),
        };
        if line[inside.clone()] != *MASK {
            return Some(inside);
        }
    }
    None
}

/// Of what stands before a `=`, without quotes: `key` of `a.b."key"`.
fn last_key(before: &str) -> &str {
    let key = before.trim_end();
    match key.bytes().last().filter(|c| matches!(c, b'"' | b'\'')) {
        Some(quote) => {
            let inside = &key[..key.len() - 1];
            inside.rsplit(char::from(quote)).next().unwrap_or(inside)
        }
        None => {
            let part = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
            key.rsplit(part).next().unwrap_or(key)
        }
    }
}

/// A window of [`WINDOW`] characters around the caret; tabs and control characters become one column each.
fn shorten(line: &str, from: usize, to: usize) -> (String, usize, usize) {
    let before = line[..from].chars().count();
    let width = line[from..to].chars().count().max(1);
    let plain = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let all: Vec<char> = line.chars().map(plain).collect();
    if all.len() <= WINDOW {
        return (all.into_iter().collect(), before, width);
    }
    let start = before.saturating_sub(WINDOW / 3).min(all.len() - WINDOW);
    let shown: String = all[start..start + WINDOW].iter().collect();
    let lead = if start > 0 { "… " } else { "" };
    let rest = if start + WINDOW < all.len() {
        " …"
    } else {
        ""
    };
    let indent = before - start + lead.chars().count();
    let width = width.min(WINDOW.saturating_sub(before - start).max(1));
    (format!("{lead}{shown}{rest}"), indent, width)
}

/// The nearest character border at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

const WINDOW: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, at: &str) -> Place {
        let start = text.find(at).unwrap();
        Source::new("f.toml", text.to_owned()).place(&(start..start + at.len()))
    }

    /// What stands over the carets.
    fn marked(place: &Place) -> String {
        place
            .excerpt
            .chars()
            .skip(place.indent)
            .take(place.width)
            .collect()
    }

    #[test]
    fn a_place_counts_characters() {
        let place = place("a = 1\r\n\tü = \"é\" # x\r\n", "\"é\"");
        assert_eq!((place.line, place.column), (2, 6));
        assert_eq!(marked(&place), "\"é\"");
        assert_eq!(place.excerpt, " ü = \"é\" # x");
    }

    #[test]
    fn secrets_are_masked_and_the_carets_follow() {
        for (line, shown) in [
            ("password = \"hunter2\" # mine", "password = \"***\" # mine"),
            (
                "probe = { password = 'hunter2', rise = 0 }",
                "probe = { password = '***', rise = 0 }",
            ),
            (
                "admin.api_token=\"a b\", rise = 0",
                "admin.api_token=\"***\", rise = 0",
            ),
            ("\"client-secret\" = \"open", "\"client-secret\" = \"***"),
            (
                "password_file = \"probe.password\"",
                "password_file = \"probe.password\"",
            ),
        ] {
            let whole = Source::new("f", line.to_owned()).place(&(0..1));
            assert_eq!(whole.excerpt, shown);
        }
        for (line, shown) in [
            (
                "steps = [{ token = \"AUTH x\", expect = \"(\" }]",
                "steps = [{ token = \"***\", expect = \"(\" }]",
            ),
            ("url = \"\"\"ftp://h/x\"\"\"", "url = \"***"),
            ("url = '\''\'ftp://h/x", "url = '***"),
            ("url = \"ftp://h/a\\\"x\"", "url = \"***\""),
            ("url = [\"https://h/x\"]", "url = ***"),
            ("headers = { a = \"x\" }", "headers = ***"),
            ("\"url\" = 'x'", "\"url\" = '***'"),
            ("\"\\u0073end\" = \"x\"", "\"\\u0073end\" = \"***\""),
            ("bearer = [\"login\", \"x\"]", "bearer = ***"),
            (
                "ulr = \"https://h/x\" # url = \"y\"",
                "ulr = \"https://h/x\" # url = \"***\"",
            ),
        ] {
            let whole = Source::new("f", line.to_owned()).place(&(0..1));
            assert_eq!(whole.excerpt, shown);
        }
        let text = "send = \"\"\"\nAUTH x\nmore\"\"\"\nrise = 0\n";
        assert_eq!(place(text, "AUTH").excerpt, "***");
        assert_eq!(place(text, "more").excerpt, "***");
        assert_eq!(place(text, "rise").excerpt, "rise = 0");
        let behind = place("probe = { password = \"hunter2\", rise = 0 }", "rise");
        assert_eq!(marked(&behind), "rise");
        assert_eq!(behind.column, 33);
        let on_it = place("password = \"hunter2\"", "\"hunter2\"");
        assert_eq!(marked(&on_it), "\"***\"");
    }

    #[test]
    fn a_long_line_is_shown_around_the_caret() {
        let line = format!("{}HERE{}", "x".repeat(500), "y".repeat(500));
        let place = place(&line, "HERE");
        assert_eq!(marked(&place), "HERE");
        assert!(place.excerpt.chars().count() < 130);
        assert_eq!(place.column, 501);
    }

    #[test]
    fn a_span_over_lines_is_marked_on_its_first() {
        let place = place("servers = [\n  1,\n]\n", "[\n  1,\n]");
        assert_eq!((place.line, marked(&place).as_str()), (1, "["));
    }
}
