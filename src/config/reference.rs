//! `docs/configuration.md`, written from the doc comments of the tables, so that a key without a word cannot be.

use super::{card, file};

/// The whole page in Markdown.
pub fn reference() -> String {
    let mut page = format!("{PREFACE}\n{}\n{SERVICES}", card::table());
    for (header, doc, keys) in file::all_tables() {
        let title = if header.is_empty() {
            "The file"
        } else {
            header
        };
        page.push_str(&format!(
            "\n## {}\n\n{}\n\n",
            code(title, !header.is_empty()),
            prose(doc)
        ));
        page.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        for key in keys {
            let (name, kind, meaning) = (key.name, (key.kind)(), prose(key.doc));
            let default = code(key.default, is_literal(key.default));
            page.push_str(&format!("| `{name}` | {kind} | {default} | {meaning} |\n"));
        }
    }
    page.push_str(AFTER);
    page
}

fn code(text: &str, really: bool) -> String {
    if really {
        format!("`{text}`")
    } else {
        text.to_owned()
    }
}

/// Whether it could stand in a file as it is.
fn is_literal(default: &str) -> bool {
    let text = default.len() > 1 && default.starts_with('"') && default.ends_with('"');
    (text && default.matches('"').count() == 2)
        || default.starts_with('[')
        || default.parse::<u64>().is_ok()
}

/// Doc comments without their line breaks.
fn prose(doc: &str) -> String {
    doc.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

const PREFACE: &str = "\
# The configuration file

This page is written from `src/config/file.rs`; `BLESS=1 cargo test --test config` writes it anew.

One TOML file says everything. `howdah check --config FILE` judges it and the files that it names: it prints what would run,
or every fault at once, each with its place and how to mend it. `howdah reload`, or SIGHUP, takes a changed file without
losing a session; a faulty one changes nothing. `conf/howdah.toml` shows every key in place, `conf/hive.toml`,
`conf/impala.toml` and `conf/hue.toml` are small ones to start from, and `conf/platform.toml` has a pool of every service.

- Durations are `\"500ms\"`, `\"30s\"`, `\"5m\"`, `\"12h\"`, `\"7d\"`, or several in a row: `\"1h30m\"`.
- Networks are `\"10.0.0.0/8\"` or one address; addresses to listen on are numbers with a port, IPv6 in brackets.
- Paths are relative to the file. Secrets stand in files of their own, never in this one.
- Where \"one or a list\" is said, both `\"x\"` and `[\"x\", \"y\"]` will do.
- An unknown key is a fault.

## What a service brings
";

const SERVICES: &str = "\
Each service has a page with what is asked, what the answers mean, and why the numbers are what they are.
";

const AFTER: &str = "
## Names

Names of listeners and pools are made of letters, digits, `-`, `_` and `.`; names of servers may have `:`, `[` and `]` as
well. A server's name is its `name`, else its address as written; commands and metrics say `pool/server`.
";
