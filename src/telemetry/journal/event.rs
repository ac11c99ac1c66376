//! One thing that happened: what, where, from what to what, why, by whom, and a sentence for people.
//!
//! An event is made where the line of the log is made, with the same words. It holds names of the configuration and words
//! of enums, and no secret. Every text in it is bounded, whoever wrote it.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::written::Word;
use crate::base::unit::show_duration;
pub use crate::plan::{Kind, Severity};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Larger than that of each event before it, those of earlier runs included. The journal gives it.
    pub seq: u64,
    /// When: RFC 3339, UTC.
    #[serde(with = "super::written::time")]
    #[schemars(with = "String")]
    pub at: SystemTime,
    /// What.
    #[serde(with = "super::written::word")]
    #[schemars(with = "Word<Kind>")]
    pub kind: Kind,
    /// How much it matters.
    #[serde(with = "super::written::word")]
    #[schemars(with = "Word<Severity>")]
    pub severity: Severity,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The former state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How long the former state had lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_seconds: Option<f64>,
    /// The stable word of the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who: `uid 0`, `token`, `file`, `agent`, `signal`, with where he came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Of a reload: one line a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// One sentence for people; where it happened is in the fields.
    pub text: String,
}

impl Event {
    /// Happens now.
    pub fn new(kind: Kind, severity: Severity, text: impl Display) -> Self {
        Self {
            seq: 0,
            at: to_the_millisecond(SystemTime::now()),
            kind,
            severity,
            pool: None,
            server: None,
            listener: None,
            from: None,
            to: None,
            former_seconds: None,
            reason: None,
            by: None,
            changes: Vec::new(),
            text: bounded(text, TEXT_MAX),
        }
    }

    /// As things go.
    pub fn info(kind: Kind, text: impl Display) -> Self {
        Self::new(kind, Severity::Info, text)
    }

    /// Somebody should look.
    pub fn warning(kind: Kind, text: impl Display) -> Self {
        Self::new(kind, Severity::Warning, text)
    }

    /// howdah cannot do its duty somewhere.
    pub fn error(kind: Kind, text: impl Display) -> Self {
        Self::new(kind, Severity::Error, text)
    }

    /// In this pool.
    #[must_use]
    pub fn pool(mut self, pool: impl Display) -> Self {
        self.pool = Some(bounded(pool, WORD_MAX));
        self
    }

    /// On this server.
    #[must_use]
    pub fn server(mut self, server: impl Display) -> Self {
        self.server = Some(bounded(server, WORD_MAX));
        self
    }

    /// At this listener.
    #[must_use]
    pub fn listener(mut self, listener: impl Display) -> Self {
        self.listener = Some(bounded(listener, WORD_MAX));
        self
    }

    /// The former state.
    #[must_use]
    pub fn from(mut self, from: impl Display) -> Self {
        self.from = Some(bounded(from, WORD_MAX));
        self
    }

    /// The new state.
    #[must_use]
    pub fn to(mut self, to: impl Display) -> Self {
        self.to = Some(bounded(to, WORD_MAX));
        self
    }

    /// The former state had lasted so long; where nobody knows, nothing is said.
    #[must_use]
    pub fn lasted(mut self, former: Option<Duration>) -> Self {
        let millis = former.map(|former| former.as_millis() as f64);
        self.former_seconds = millis.map(|millis| millis / 1e3);
        self
    }

    /// The stable word of the cause.
    #[must_use]
    pub fn reason(mut self, reason: impl Display) -> Self {
        self.reason = Some(bounded(reason, WORD_MAX));
        self
    }

    /// Who did it.
    #[must_use]
    pub fn by(mut self, who: impl Display) -> Self {
        self.by = Some(bounded(who, WORD_MAX));
        self
    }

    /// One line a change; of very many, the first.
    #[must_use]
    pub fn changes(mut self, changes: &[String]) -> Self {
        let kept = changes.iter().take(CHANGES_MAX);
        self.changes = kept.map(|change| bounded(change, TEXT_MAX)).collect();
        if let Some(more @ 1..) = changes.len().checked_sub(CHANGES_MAX) {
            self.changes.push(format!("and {more} more"));
        }
        self
    }

    /// About how much memory it takes.
    pub(super) fn size(&self) -> usize {
        let words = [
            &self.pool,
            &self.server,
            &self.listener,
            &self.from,
            &self.to,
            &self.reason,
            &self.by,
        ];
        let words = words.into_iter().flatten().map(String::len).sum::<usize>();
        let changes = self
            .changes
            .iter()
            .map(|one| one.len() + size_of::<String>());
        size_of::<Self>() + words + self.text.len() + changes.sum::<usize>()
    }
}

/// A length of time for people: two units are enough.
pub fn about(length: Duration) -> String {
    let whole = |unit: u64| Duration::from_secs(length.as_secs() / unit * unit);
    let rounded = match length.as_secs() {
        0 => length,
        1..3600 => whole(1),
        3600..86_400 => whole(60),
        _ => whole(3600),
    };
    show_duration(rounded)
}

/// What is written of it is this exact.
fn to_the_millisecond(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let beyond = since.map_or(0, |since| since.subsec_nanos() % 1_000_000);
    time - Duration::from_nanos(beyond.into())
}

fn bounded(text: impl Display, most: usize) -> String {
    let mut text = text.to_string();
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push_str("...");
    }
    // A sentence grows as it is written; a ring of thousands keeps no air.
    text.shrink_to_fit();
    text
}

/// In bytes; a probe's detail has 256.
const TEXT_MAX: usize = 1024;
/// In bytes; names are shorter.
const WORD_MAX: usize = 300;
const CHANGES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_written_as_the_api_says_and_read_again() {
        let mut event = Event::warning(Kind::Health, "server is down: connection refused")
            .pool("hive")
            .server("hs2-1")
            .from("up")
            .to("down")
            .lasted(Some(Duration::from_millis(90_500)))
            .reason("connect-refused");
        event.seq = 7;
        event.at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        let text = serde_json::to_string(&event).expect("JSON");
        let expected = r#"{"seq":7,"at":"1970-01-01T00:00:01.500Z","kind":"health","severity":"warning","pool":"hive","server":"hs2-1","from":"up","to":"down","former_seconds":90.5,"reason":"connect-refused","text":"server is down: connection refused"}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Event>(&text).expect("read"), event);
        let stranger = text.replace("\"health\"", "\"weather\"");
        assert!(serde_json::from_str::<Event>(&stranger).is_err());
    }

    #[test]
    fn what_others_wrote_is_bounded() {
        let long = "ä".repeat(5_000);
        let many = vec![long.clone(); 250];
        let event = Event::info(Kind::Reload, &long).by(&long).changes(&many);
        assert!(event.text.len() <= TEXT_MAX + 3 && event.text.ends_with("..."));
        assert_eq!(event.changes.len(), CHANGES_MAX + 1);
        assert_eq!(event.changes[CHANGES_MAX], "and 150 more");
        assert!(event.size() < 130 * 1024, "{}", event.size());
    }

    #[test]
    fn two_units_of_time_are_enough() {
        let table = [
            (Duration::from_millis(450), "450ms"),
            (Duration::from_millis(61_450), "1m1s"),
            (Duration::from_secs(3 * 3600 + 12 * 60 + 5), "3h12m"),
            (Duration::from_secs(86_400 + 3600 + 60), "1d1h"),
        ];
        for (length, expected) in table {
            assert_eq!(about(length), expected);
        }
    }
}
