//! `docs/configuration.md`, written from the doc comments of the tables, so that a key without a word cannot be.

use super::file;

/// The whole page in Markdown.
pub fn reference() -> String {
    let mut page = PREFACE.to_owned();
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
`conf/impala.toml` and `conf/hue.toml` are small ones to start from.

- Durations are `\"500ms\"`, `\"30s\"`, `\"5m\"`, `\"12h\"`, `\"7d\"`, or several in a row: `\"1h30m\"`.
- Networks are `\"10.0.0.0/8\"` or one address; addresses to listen on are numbers with a port, IPv6 in brackets.
- Paths are relative to the file. Secrets stand in files of their own, never in this one.
- Where \"one or a list\" is said, both `\"x\"` and `[\"x\", \"y\"]` will do.
- An unknown key is a fault.

## What a service brings

| | `hiveserver2` | `impala` | `hue` | `tcp` |
|---|---|---|---|---|
| port | 10000 | 21050 | 8888 | none: write it |
| `balance` | `least-connection` | `least-connection` | `least-connection` | `round-robin` |
| `sticky` | no | no | `source-ip`, 1 h | no |
| `max_connections` of a server | 480 | 60 | no bound | no bound |
| `dial` | `late` | `late` | `late` | `at-once` |
| `timeouts.idle` | 12 h | 12 h | 1 h | 1 h |
| `probe` | `hiveserver2`, handshake | `impala`, web server on 25000 | `hue`, GET `/desktop/debug/is_alive` | `tcp` |

Why these numbers: sessions of HiveServer2 and Impala sit idle for hours while their user thinks. HiveServer2 keeps 500 threads
for connections (`hive.server2.thrift.max.worker.threads`) and Impala 64 (`--fe_service_threads`): the bound stays a little
below, so that probes and administrators still get in. Their clients speak first, and a connection that is opened before the
client has spoken holds one of Impala's two set-up threads: hence `late`. Any Hue can serve a user, but open query handles
and uploads live in one process: hence `sticky`.
";

const AFTER: &str = "
## Names

Names of listeners and pools are made of letters, digits, `-`, `_` and `.`; names of servers may have `:`, `[` and `]` as
well. A server's name is its `name`, else its address as written; commands and metrics say `pool/server`.
";
