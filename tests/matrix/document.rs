//! docs/reliability.md shows the table: written from [`expect`], compared by a test.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::table::{Bytes, Event, Expectation, Phase, Sees, Transport, When, expect};

/// The part of the document between its two marks is what the table says; `BLESS=1` makes it so.
pub(crate) fn compare() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark before the table");
    let (_, after) = rest.split_once(END).expect("the mark behind the table");
    let due = format!("{before}{BEGIN}\n{}{END}{after}", rendered());
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &due).unwrap();
    } else {
        let stale =
            "docs/reliability.md is out of date: BLESS=1 cargo test --test matrix writes it anew";
        assert!(text == due, "{stale}");
    }
}

fn rendered() -> String {
    let mut table = String::from("\n| what happens |");
    for phase in Phase::ALL {
        write!(table, " {} |", phase.name()).unwrap();
    }
    table += " in time | bytes |\n|---|";
    table += &"---|".repeat(Phase::ALL.len() + 2);
    table.push('\n');
    for &event in Event::ALL {
        write!(table, "| **{}** |", event.name()).unwrap();
        for &phase in Phase::ALL {
            write!(table, " {} |", entry(phase, event)).unwrap();
        }
        let (when, bytes) = (when(event), bytes(event));
        writeln!(table, " {when} | {bytes} |").unwrap();
    }
    table.push('\n');
    table
}

/// The transport in which everything can be.
const TLS: Transport = Transport::ALL[5];

fn entry(phase: Phase, event: Event) -> String {
    match expect(TLS, phase, event) {
        Err(why) => format!("— {why}"),
        Ok(Expectation {
            client: Sees::Nothing,
            server: Sees::Nothing,
            reason,
            ..
        }) => format!("goes on; `{reason}`"),
        Ok(Expectation {
            client,
            server,
            reason,
            ..
        }) => {
            let seen = match (word(client), word(server)) {
                (Some(client), Some(server)) if client == server => format!("both: {client}"),
                (client, server) => {
                    let side =
                        |name, word: Option<&str>| word.map(|word| format!("{name}: {word}"));
                    let sides = [side("client", client), side("server", server)];
                    sides.into_iter().flatten().collect::<Vec<_>>().join(", ")
                }
            };
            format!("{seen}; `{reason}`")
        }
    }
}

fn word(sees: Sees) -> Option<&'static str> {
    match sees {
        Sees::End => Some("end"),
        Sees::Reset => Some("reset"),
        Sees::Nothing => None,
    }
}

fn when(event: Event) -> &'static str {
    match of(event).when {
        When::AtOnce => "at once",
        When::Keepalive => "`keepalive`",
        When::Deadline => "at the deadline",
        When::Timeout => "`idle`, `half_close`",
        When::Never => "",
    }
}

fn bytes(event: Event) -> &'static str {
    match of(event).bytes {
        Bytes::All => "all",
        Bytes::Beginning => "a beginning",
    }
}

/// What holds in every phase of it.
fn of(event: Event) -> Expectation {
    expect(TLS, Phase::BothWays, event).expect("bulk both ways knows every event")
}

const BEGIN: &str = "<!-- the fault matrix: written by tests/matrix -->";
const END: &str = "<!-- end of the fault matrix -->";
