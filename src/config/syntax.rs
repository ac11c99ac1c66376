//! From bytes to TOML values, with TOML's own errors said in words that help.
//!
//! When the text is not TOML, nothing is judged beyond that: what the parser made of the rest would bring false faults.

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::cx::Cx;
use super::source::Span;

/// The bytes as text, and where they first are none (what is no UTF-8 becomes U+FFFD).
pub(super) fn text(bytes: Vec<u8>) -> (String, Option<usize>) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            (
                String::from_utf8_lossy(error.as_bytes()).into_owned(),
                Some(at),
            )
        }
    }
}

/// The whole file as one table; `None` when it is not TOML, which has been said for each place.
pub(super) fn parse<'i>(
    text: &'i str,
    not_utf8: Option<usize>,
    cx: &mut Cx,
) -> Option<Spanned<DeValue<'i>>> {
    if let Some(at) = not_utf8 {
        cx.error(&(at..at + 1), "the file is not text in UTF-8")
            .why("a byte that is no character")
            .fix("save it as UTF-8: iconv -f LATIN1 -t UTF-8 FILE");
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let places = errors
            .iter()
            .map(|error| (error, error.span().unwrap_or(text.len()..text.len())));
        explain_all(places.collect(), text, cx);
        return None;
    }
    Some(Spanned::new(0..0, DeValue::Table(table.into_inner())))
}

/// Of the file's first tables and keys.
pub(super) fn keys<'r>(root: &'r Spanned<DeValue<'_>>) -> impl Iterator<Item = &'r str> {
    let table = root.get_ref().as_table();
    table
        .into_iter()
        .flatten()
        .map(|(key, _)| key.get_ref().as_ref())
}

fn explain_all(places: Vec<(&Error, Span)>, text: &str, cx: &mut Cx) {
    let (mut last_line, mut doubled) = (0, None);
    for (error, span) in places {
        let line = cx.source.line_of(&span);
        let table = text[..head_of(text, span.start)].matches("\n[").count();
        // What follows a first error in a line, or in a table that is there already, is mostly its echo.
        let echo = line == last_line || doubled == Some(table);
        if !echo && cx.faults.len() < MOST {
            if error.message() == "duplicate key"
                && line_at(text, span.start).trim_start().starts_with('[')
            {
                doubled = Some(table + 1);
            }
            explain(error, span, text, cx);
        }
        last_line = line;
    }
}

fn explain(error: &Error, span: Span, text: &str, cx: &mut Cx) {
    let line = line_at(text, span.start).trim();
    let said = error
        .message()
        .split(", expected")
        .next()
        .unwrap_or_default();
    let word = text.get(span.clone()).unwrap_or_default().trim();
    if said == "duplicate key" {
        return twice(&span, line, word, text, cx);
    }
    if let Some(fix) = without_equals(line) {
        cx.error(&span, "a key stands without \"=\"")
            .why(said)
            .fix(fix);
        return;
    }
    let whole = rest_of_line(text, span.start);
    let value = whole
        .split([',', ']', '}', '#'])
        .next()
        .unwrap_or(whole)
        .trim();
    if !value.is_empty() && (said == "string values must be quoted" || said == "invalid boolean") {
        let fix = match value.to_lowercase().as_str() {
            "true" | "yes" => "write true, or \"...\" for a text".into(),
            "false" | "no" => "write false, or \"...\" for a text".into(),
            _ => format!("write \"{value}\""),
        };
        cx.error(&span, "a text stands without quotes")
            .why("neither text, number, true nor false")
            .fix(fix);
        return;
    }
    let known = ANSWERS.iter().find(|(start, ..)| said.starts_with(start));
    let (_, what, fix) = known.copied().unwrap_or(("", "this is not TOML", ""));
    let why = if value.is_empty() && what == "a key has no value" {
        "nothing follows"
    } else {
        said
    };
    let fault = cx.error(&span, what).why(why);
    if !fix.is_empty() {
        fault.fix(fix);
    }
}

/// A key or a table that is there already.
fn twice(span: &Span, line: &str, word: &str, text: &str, cx: &mut Cx) {
    let before = &text[..head_of(text, span.start)];
    let (what, first, fix) = if line.starts_with('[') {
        let header = line.split('#').next().unwrap_or(line).trim();
        let first = before.lines().position(|other| {
            other
                .split('#')
                .next()
                .is_some_and(|other| other.trim() == header)
        });
        let name = header.trim_matches(['[', ']']);
        let single = [format!("[{name}.tls]"), format!("[{name}.route]")];
        let above = before
            .lines()
            .map(str::trim)
            .find(|other| single.iter().any(|own| other.starts_with(own.as_str())));
        if let (None, Some(above)) = (first, above) {
            let what = format!("{above} stands above the {header} that it belongs to");
            cx.error(span, what)
                .why("comes too late")
                .fix(format!("put {above} below {header} and its keys"));
            return;
        }
        let fix = match header {
            "[listener]" | "[listener.route]" => {
                format!("there may be several in double brackets: [{header}]")
            }
            _ => "put the keys of both under one header, or give one of them another name".into(),
        };
        (format!("{header} is there twice"), first, fix)
    } else {
        let begins = |other: &str| {
            other
                .trim_start()
                .strip_prefix(word)
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        let table = before.rfind("\n[").map_or(0, |at| at + 1);
        let skipped = before[..table].matches('\n').count();
        let first = before[table..]
            .lines()
            .position(begins)
            .map(|line| skipped + line);
        (
            format!("{word} is said twice in one table"),
            first,
            "leave one of them out".into(),
        )
    };
    let why = first.map_or_else(
        || "the second time".into(),
        |line| format!("first at line {}", line + 1),
    );
    cx.error(span, what).why(why).fix(fix);
}

/// `workers 4`.
fn without_equals(line: &str) -> Option<String> {
    let (key, value) = line.split_once(char::is_whitespace)?;
    let plain = !line.contains(['=', '[', ']', '{', '}', ',']);
    plain.then(|| format!("write {key} = {}", value.trim()))
}

fn line_at(text: &str, at: usize) -> &str {
    text[head_of(text, at)..].lines().next().unwrap_or_default()
}

/// Where the line of `at` begins.
fn head_of(text: &str, at: usize) -> usize {
    text[..at.min(text.len())]
        .rfind('\n')
        .map_or(0, |found| found + 1)
}

fn rest_of_line(text: &str, at: usize) -> &str {
    text[at.min(text.len())..]
        .lines()
        .next()
        .unwrap_or_default()
}

/// How the parser's message begins, the fact, the remedy.
const ANSWERS: &[(&str, &str, &str)] = &[
    (
        "string values must be quoted",
        "a key has no value",
        "a text in quotes, a number, true, false, a [list] or a {table} follows \"=\"",
    ),
    (
        "invalid basic string",
        "a text has no closing quote",
        "close it with \" in the same line",
    ),
    (
        "invalid literal string",
        "a text has no closing quote",
        "close it with ' in the same line",
    ),
    (
        "unclosed table",
        "a table's header is not closed",
        "write it as [NAME]",
    ),
    (
        "unclosed array table",
        "a table's header is not closed",
        "write it as [[NAME]], with two brackets on both sides",
    ),
    ("unclosed array", "a list is not closed", "close it with ]"),
    (
        "unclosed inline table",
        "a table in braces is not closed",
        "close it with }",
    ),
    (
        "missing comma",
        "a comma is missing",
        "put a comma between the two",
    ),
    (
        "extra comma",
        "there is a comma too many",
        "take one of them out",
    ),
    (
        "key with no value",
        "a key has no value",
        "write KEY = VALUE",
    ),
    (
        "missing value",
        "a key has no value",
        "a text in quotes, a number, true, false, a [list] or a {table} follows \"=\"",
    ),
    (
        "extra `=`",
        "there is a \"=\" too many",
        "write KEY = VALUE",
    ),
    (
        "unexpected key or value",
        "something follows that does not belong there",
        "one KEY = VALUE a line; a comment begins with #",
    ),
    (
        "cannot extend value",
        "a table's header goes through a value that is no table",
        "give the table or the key another name",
    ),
    (
        "cannot recurse",
        "lists and tables are nested too deep",
        "howdah's file never needs more than four levels",
    ),
    (
        "invalid escape",
        "a backslash begins no escape that TOML knows",
        "write \\\\ for a backslash, or put the text into single quotes",
    ),
    (
        "missing escaped value",
        "a backslash begins no escape that TOML knows",
        "write \\\\ for a backslash, or put the text into single quotes",
    ),
];

/// More than these help nobody.
const MOST: usize = 20;
