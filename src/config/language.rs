//! In which other language a text seems to be written: guessed from what its lines begin with, for `opaque` to name.

/// As people call it, with its article where it has one.
pub(super) fn of(text: &str) -> Option<&'static str> {
    let lines = || {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
    };
    if text.starts_with("#!") {
        return Some("a script");
    }
    let first = lines().next()?;
    if first.starts_with('{') || (first.starts_with('[') && is_json(text)) {
        return Some("JSON");
    }
    if first.starts_with('<') {
        return Some("XML");
    }
    if is_section_of_haproxy(first) {
        return Some(HAPROXY);
    }
    if lines().any(is_block_of_nginx) {
        return Some("a configuration of nginx");
    }
    let (all, pairs) = (
        lines().count(),
        lines().filter(|line| is_of_yaml(line)).count(),
    );
    (first == "---" || 2 * pairs > all).then_some("YAML")
}

/// A list, which TOML would take for a header.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// `frontend hive`.
fn is_section_of_haproxy(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let section = words.next().is_some_and(|word| SECTIONS.contains(&word));
    section && words.count() <= 1 && !line.contains('=')
}

/// `upstream hive {`.
fn is_block_of_nginx(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    line.ends_with('{') && ["events", "http", "server", "stream", "upstream"].contains(&word)
}

/// `key:`, `key: value` or `- one`.
fn is_of_yaml(line: &str) -> bool {
    let key = line.split_once(':');
    let pair = key.is_some_and(|(key, rest)| {
        !key.contains(['=', ' ']) && (rest.is_empty() || rest.starts_with(' '))
    });
    pair || line.starts_with("- ")
}

/// What its own configuration is called.
pub(super) const HAPROXY: &str = "a haproxy.cfg";

const SECTIONS: [&str; 7] = [
    "global", "defaults", "frontend", "backend", "listen", "peers", "userlist",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_their_lines() {
        for (text, language) in [
            ("{\n  \"listener\": []\n}\n", Some("JSON")),
            ("[{ \"name\": \"hive\" }]", Some("JSON")),
            ("<?xml version=\"1.0\"?>\n<configuration/>\n", Some("XML")),
            ("# ours\nglobal\n  maxconn 5\n", Some("a haproxy.cfg")),
            ("frontend hive\n  bind :1\n", Some("a haproxy.cfg")),
            ("#!/bin/sh\nexit 0\n", Some("a script")),
            ("user nginx;\nhttp {\n}\n", Some("a configuration of nginx")),
            ("---\nx\n", Some("YAML")),
            (
                "listener:\n  - name: hive\n    bind: 0.0.0.0:10000\n",
                Some("YAML"),
            ),
            ("[section]\nkey = value\n", None),
            ("KEY=value\nOTHER=value\n", None),
            ("global = 1\nx\n", None),
        ] {
            assert_eq!(of(text), language, "{text:?}");
        }
    }
}
