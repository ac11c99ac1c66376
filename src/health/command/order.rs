//! What the two processes say to each other: one JSON object a line.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::{Ask, Plan};

/// Run this for that server.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// Comes back with the outcome.
    pub(super) id: u64,
    /// Place among the commands that the runner was given.
    pub(super) command: usize,
    /// What `{host}` means; so the others.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) pool: String,
    pub(super) server: String,
    /// How long it may run.
    pub(super) millis: u64,
}

impl Order {
    /// How long it is waited for: its own time, as much again for its turn, and its way.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.millis)
            .saturating_mul(2)
            .saturating_add(WAY)
    }
}

/// How it ended.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) id: u64,
    pub(super) end: End,
    /// The first that it said, on stdout or else on stderr.
    pub(super) line: String,
}

/// The end of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum End {
    /// It ended itself.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was ended, as its time was over.
    TooLate,
    /// It did not even start; `line` says why.
    NotStarted,
}

/// From howdah to the runner and back.
const WAY: Duration = Duration::from_secs(2);

/// The commands of a plan, each once.
pub fn commands(plan: &Plan) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for probe in plan.pools.iter().filter_map(|pool| pool.probe.as_ref()) {
        if let Ask::Command(command) = &probe.ask
            && !all.iter().any(|one| **one == **command)
        {
            all.push(command.to_vec());
        }
    }
    all
}

/// Words of a command, for one server.
pub(super) fn filled(command: &[String], order: &Order) -> Vec<String> {
    let port = order.port.to_string();
    let values = [
        ("{host}", order.host.as_str()),
        ("{port}", &port),
        ("{pool}", &order.pool),
        ("{server}", &order.server),
    ];
    let fill = |word: &String| {
        // Each place once: what a value says is no place.
        let mut rest = word.as_str();
        let mut out = String::with_capacity(word.len());
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let known = values.iter().find(|(place, _)| rest.starts_with(place));
            let (skip, value) = known.map_or((1, "{"), |(place, value)| (place.len(), value));
            out.push_str(value);
            rest = &rest[skip..];
        }
        out + rest
    };
    command.iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once() {
        let order = Order {
            id: 1,
            command: 0,
            host: "{port}".into(),
            port: 7,
            pool: "p".into(),
            server: "a b".into(),
            millis: 1,
        };
        let words = [
            "/bin/x",
            "{host}:{port}",
            "{pool}/{server}",
            "{",
            "{x}{port}{",
        ];
        let words = words.map(str::to_owned);
        let filled = filled(&words, &order);
        assert_eq!(filled, ["/bin/x", "{port}:7", "p/a b", "{", "{x}7{"]);
    }
}
