//! What a receiver is told: some entries, and words for people made of them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::base::time::rfc3339;
use crate::base::word::words;
use crate::plan::{Kind, Severity};
use crate::telemetry::journal::{Event, about};

words! {
    /// What became of a trouble. The names are those that receivers of alerts know.
    pub(super) enum Status {
        /// It is there.
        Firing = "firing",
        /// It is over.
        Resolved = "resolved",
        /// Something that just happened.
        Event = "event",
    }
}

/// As template `json` sends it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Message {
    pub(super) version: u32,
    /// The name of the `[[alert]]`.
    pub(super) alert: String,
    /// The machine.
    pub(super) howdah: String,
    pub(super) at: String,
    #[serde(serialize_with = "word")]
    pub(super) status: Status,
    #[serde(serialize_with = "severity")]
    pub(super) severity: Severity,
    pub(super) title: String,
    /// A line for each entry.
    pub(super) text: String,
    pub(super) alerts: Vec<Entry>,
    /// Entries that were left out.
    pub(super) more: usize,
    /// Troubles that are open now, told ones included.
    pub(super) open: usize,
}

/// One trouble, or one thing that happened.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    #[serde(serialize_with = "word")]
    pub(super) status: Status,
    pub(super) kind: &'static str,
    #[serde(serialize_with = "severity")]
    pub(super) severity: Severity,
    pub(super) pool: Option<String>,
    pub(super) server: Option<String>,
    pub(super) listener: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) by: Option<String>,
    pub(super) at: String,
    pub(super) text: String,
    /// How often it began since the last message.
    pub(super) times: u32,
    pub(super) over_seconds: Option<f64>,
    pub(super) event: u64,
}

impl Entry {
    pub(super) fn new(event: &Event, status: Status, times: u32, over: Option<Duration>) -> Self {
        Self {
            status,
            kind: event.kind.as_str(),
            severity: event.severity,
            pool: event.pool.clone(),
            server: event.server.clone(),
            listener: event.listener.clone(),
            from: event.from.clone(),
            to: event.to.clone(),
            reason: event.reason.clone(),
            by: event.by.clone(),
            at: rfc3339(event.at).to_string(),
            text: event.text.clone(),
            times,
            over_seconds: over.map(|over| over.as_secs_f64()),
            event: event.seq,
        }
    }

    /// Where: `hive/hs2-1`, `hive`, `listener front`, or howdah itself.
    fn place(&self) -> String {
        match (&self.pool, &self.server, &self.listener) {
            (Some(pool), Some(server), _) => format!("{pool}/{server}"),
            (Some(pool), None, _) => pool.clone(),
            (None, _, Some(listener)) => format!("listener {listener}"),
            (None, _, None) => "howdah".to_owned(),
        }
    }

    fn line(&self) -> String {
        let line = format!("{}: {}", self.place(), self.text);
        match self.over_seconds {
            Some(over) if self.times > 1 => {
                let over = about(Duration::from_secs_f64(over));
                format!("{line} ({} times in {over})", self.times)
            }
            _ => line,
        }
    }
}

impl Message {
    /// Those that matter most first; of many, some.
    pub(super) fn new(alert: &str, mut entries: Vec<Entry>, open: usize) -> Self {
        entries.sort_by_key(|one| (one.status as u8, one.severity as u8));
        let title = match entries.as_slice() {
            [one] => one.line(),
            all => summary(all),
        };
        let is = |status: Status| entries.iter().any(|one| one.status == status);
        let status = match (is(Status::Firing), is(Status::Resolved)) {
            (true, _) => Status::Firing,
            (false, true) => Status::Resolved,
            (false, false) => Status::Event,
        };
        let worst = entries
            .iter()
            .map(|one| one.severity)
            .min_by_key(|one| *one as u8);
        let more = entries.len().saturating_sub(ENTRIES);
        entries.truncate(ENTRIES);
        let mut lines: Vec<_> = entries.iter().map(Entry::line).collect();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        Self {
            version: 1,
            alert: alert.to_owned(),
            howdah: host(),
            at: rfc3339(SystemTime::now()).to_string(),
            status,
            severity: worst.unwrap_or(Severity::Info),
            title,
            text: lines.join("\n"),
            alerts: entries,
            more,
            open,
        }
    }
}

/// `hive: 3 servers down, 1 up again; listener front: listener`.
fn summary(entries: &[Entry]) -> String {
    let mut places: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for entry in entries {
        let health = entry.kind == Kind::Health.as_str();
        let place = match (&entry.pool, health) {
            (Some(pool), true) => pool.clone(),
            _ => format!("{}: {}", entry.place(), entry.kind),
        };
        places.entry(place).or_default()[entry.status as usize] += 1;
    }
    let said = places
        .iter()
        .take(PLACES)
        .map(|(place, [down, up, events])| {
            if place.contains(": ") {
                let over = if *up > 0 && *down == 0 {
                    " is over"
                } else {
                    ""
                };
                let count = down + up + events;
                return if count > 1 {
                    format!("{place} ({count}){over}")
                } else {
                    format!("{place}{over}")
                };
            }
            match (down, up) {
                (0, up) => format!("{place}: {up} up again"),
                (down, 0) => format!("{place}: {down} down"),
                (down, up) => format!("{place}: {down} down, {up} up again"),
            }
        });
    let mut said: Vec<_> = said.collect();
    if let Some(more @ 1..) = places.len().checked_sub(PLACES) {
        said.push(format!("and {more} more"));
    }
    said.join("; ")
}

fn host() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host.trim().to_owned()
}

fn word<S: serde::Serializer>(status: &Status, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.as_str())
}

fn severity<S: serde::Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.as_str())
}

/// A chat shows no more.
const ENTRIES: usize = 20;
/// A title is read at a glance.
const PLACES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(event: Event, status: Status) -> Entry {
        Entry::new(&event, status, 1, None)
    }

    #[test]
    fn a_title_says_what_happened_where() {
        let down = |pool: &str, server: &str| {
            let event = Event::warning(Kind::Health, "server is down")
                .pool(pool)
                .server(server);
            entry(event, Status::Firing)
        };
        let up = Event::info(Kind::Health, "server is up")
            .pool("hive")
            .server("c");
        let conflict = Event::error(Kind::Conflict, "two").pool("nn");
        let front = Event::info(Kind::Listener, "reaches").listener("front");
        let all = vec![
            down("hive", "a"),
            down("hive", "b"),
            entry(up, Status::Resolved),
            entry(conflict, Status::Firing),
            entry(front, Status::Resolved),
        ];
        let message = Message::new("ops", all, 3);
        let expected = "hive: 2 down, 1 up again; listener front: listener is over; nn: conflict";
        assert_eq!(message.title, expected);
        assert_eq!(message.severity, Severity::Error);
        assert_eq!(message.text.lines().next(), Some("nn: two"));
        let many = (0..30)
            .map(|pool| down(&format!("pool-{pool}"), "s"))
            .collect();
        let message = Message::new("ops", many, 30);
        assert!(
            message.title.ends_with("; and 25 more"),
            "{}",
            message.title
        );
        assert_eq!((message.alerts.len(), message.more), (20, 10));
    }
}
