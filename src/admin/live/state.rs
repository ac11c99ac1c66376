//! What runs at one moment, in messages that are ready to be sent. Pure.

use hyper::body::Bytes;

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::admin) enum What {
    /// The status without listeners and pools.
    Head,
    Listener(String),
    Pool(String),
}

/// One message, and the version of the state in which it became what it is.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) what: What,
    pub(super) version: u64,
    pub(super) message: Bytes,
}

/// See the module. Empty before the first rendering.
#[derive(Clone, Debug, Default)]
pub(in crate::admin) struct State {
    pub(super) version: u64,
    /// When something came or went last.
    pub(super) names_version: u64,
    /// In the order in which they are sent.
    pub(super) parts: Vec<Part>,
}

/// What a reader was sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    version: u64,
    known: Vec<What>,
}

impl State {
    /// The messages that bring a reader from what it was sent to this state.
    pub(super) fn news(&self, sent: &mut Sent) -> Vec<Bytes> {
        let mut messages = Vec::new();
        if self.names_version > sent.version {
            let is_there = |what: &What| self.parts.iter().any(|part| part.what == *what);
            let gone = sent.known.iter().filter(|what| !is_there(what));
            messages.extend(gone.map(gone_message));
            sent.known = self.parts.iter().map(|part| part.what.clone()).collect();
        }
        let new = self.parts.iter().filter(|part| part.version > sent.version);
        messages.extend(new.map(|part| part.message.clone()));
        sent.version = self.version;
        messages
    }
}

#[cfg(test)]
impl State {
    /// In which that pool alone changed.
    pub(super) fn of_one_pool(version: u64) -> Self {
        Self {
            version,
            names_version: 1,
            parts: vec![Part {
                what: What::Pool("p".to_owned()),
                version,
                message: message("pool", version.to_string().as_bytes()),
            }],
        }
    }
}

/// A message of that kind.
pub(super) fn message(kind: &str, json: &[u8]) -> Bytes {
    let head = format!("event: {kind}\ndata: ");
    [head.as_bytes(), json.trim_ascii_end(), b"\n\n"]
        .concat()
        .into()
}

fn gone_message(what: &What) -> Bytes {
    let (kind, name) = match what {
        What::Head => ("head", ""),
        What::Listener(name) => ("listener", name.as_str()),
        What::Pool(name) => ("pool", name.as_str()),
    };
    let json = serde_json::json!({ kind: name }).to_string();
    message("gone", json.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(version: u64, names_version: u64, parts: &[(&str, u64)]) -> State {
        let part = |(name, version): &(&str, u64)| Part {
            what: What::Pool((*name).to_owned()),
            version: *version,
            message: message("pool", format!("{{\"{name}\":{version}}}\n").as_bytes()),
        };
        State {
            version,
            names_version,
            parts: parts.iter().map(part).collect(),
        }
    }

    fn news(state: &State, sent: &mut Sent) -> String {
        state
            .news(sent)
            .iter()
            .map(|one| String::from_utf8_lossy(one).into_owned())
            .collect()
    }

    #[test]
    fn a_reader_is_sent_all_and_then_what_changed() {
        let mut sent = Sent::default();
        assert_eq!(news(&State::default(), &mut sent), "");
        let first = state(1, 1, &[("a", 1), ("b", 1)]);
        let all = "event: pool\ndata: {\"a\":1}\n\nevent: pool\ndata: {\"b\":1}\n\n";
        assert_eq!(news(&first, &mut sent), all);
        assert_eq!(news(&first, &mut sent), "");
        let third = state(3, 3, &[("b", 2), ("c", 3)]);
        let changes = "event: gone\ndata: {\"pool\":\"a\"}\n\nevent: pool\ndata: {\"b\":2}\n\nevent: pool\ndata: {\"c\":3}\n\n";
        assert_eq!(news(&third, &mut sent), changes);
    }

    #[test]
    fn who_slept_through_many_states_is_sent_the_last() {
        let mut sent = Sent::default();
        news(&state(1, 1, &[("a", 1), ("b", 1)]), &mut sent);
        let late = state(900, 500, &[("a", 899), ("b", 1)]);
        assert_eq!(news(&late, &mut sent), "event: pool\ndata: {\"a\":899}\n\n");
    }
}
