//! From what runs to the next [`State`]: what changed gets a new version, the rest stays as it was sent.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use hyper::body::Bytes;
use serde::Serialize;
use tokio::time::Instant;

use super::quiet;
use super::state::{Part, State, What, message};
use crate::admin::RuntimeView;
use crate::admin::answer::lines;
use crate::admin::status::{ListenerStatus, PoolStatus, Status};
use crate::telemetry::Metrics;

/// What was rendered last.
#[derive(Default)]
pub(super) struct Renderer {
    version: u64,
    names_version: u64,
    names: Vec<What>,
    known: HashMap<What, Known>,
}

/// One part as it was sent last.
struct Known {
    worth: Worth,
    version: u64,
    message: Bytes,
    rendered: Instant,
}

/// What a change of is worth a message.
#[derive(PartialEq)]
enum Worth {
    Head(Status),
    Listener(ListenerStatus),
    Pool(PoolStatus),
}

impl Renderer {
    /// Knows nothing; its versions are larger than this one.
    pub(super) fn after(version: u64) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }

    /// Of the last state.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// A state of the same version is the same state.
    pub(super) fn next(&mut self, view: &RuntimeView, metrics: &Metrics, now: Instant) -> State {
        self.take(Status::of(view, metrics), now)
    }

    fn take(&mut self, mut status: Status, now: Instant) -> State {
        let (listeners, pools) = (
            mem::take(&mut status.listeners),
            mem::take(&mut status.pools),
        );
        let next = self.version + 1;
        let before = mem::take(&mut self.known);
        let mut draft = Draft {
            next,
            now,
            before,
            parts: Vec::new(),
            known: HashMap::new(),
        };
        draft.add(What::Head, Worth::Head(quiet::head(&status)), || {
            head(&status)
        });
        for one in &listeners {
            let what = What::Listener(one.name.clone());
            draft.add(what, Worth::Listener(one.clone()), || {
                written("listener", one)
            });
        }
        for one in &pools {
            let what = What::Pool(one.name.clone());
            draft.add(what, Worth::Pool(quiet::pool(one)), || written("pool", one));
        }
        let Draft { parts, known, .. } = draft;
        self.known = known;
        let names: Vec<_> = parts.iter().map(|part| part.what.clone()).collect();
        let moved = names != self.names;
        if moved || parts.iter().any(|part| part.version == next) {
            self.version = next;
        }
        if moved {
            (self.names, self.names_version) = (names, next);
        }
        State {
            version: self.version,
            names_version: self.names_version,
            parts,
        }
    }
}

/// A state that is being made.
struct Draft {
    next: u64,
    now: Instant,
    before: HashMap<What, Known>,
    parts: Vec<Part>,
    known: HashMap<What, Known>,
}

impl Draft {
    /// Written anew where it is worth it, or where it has not been for a while.
    fn add(&mut self, what: What, worth: Worth, write: impl FnOnce() -> Bytes) {
        let known = self.before.remove(&what);
        // What is old at the same time is not written anew at the same time ever after.
        let age = match known {
            Some(_) => Duration::ZERO,
            None => Duration::from_secs(self.parts.len() as u64 % STALE.as_secs()),
        };
        let same = known.filter(|known| {
            known.worth == worth && self.now.saturating_duration_since(known.rendered) < STALE
        });
        let known = same.unwrap_or_else(|| Known {
            worth,
            version: self.next,
            message: write(),
            rendered: self.now.checked_sub(age).unwrap_or(self.now),
        });
        self.parts.push(Part {
            what: what.clone(),
            version: known.version,
            message: known.message.clone(),
        });
        self.known.insert(what, known);
    }
}

fn written(kind: &str, value: &impl Serialize) -> Bytes {
    message(kind, &lines(value))
}

/// What is said of listeners and pools comes in messages of their own.
fn head(status: &Status) -> Bytes {
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("listeners");
        fields.remove("pools");
    }
    written("head", &value)
}

/// Ages and the times of probes may be so old.
const STALE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn server(name: &str, health: &str, probed: &str) -> Value {
        json!({
            "name": name, "address": "x:1", "weight": 1, "health": health, "admin": "ready", "sessions_active": 0,
            "sessions_total": 0, "reason": "ok",
            "last_probe": { "verdict": "up", "detail": "", "duration_seconds": 0.1, "at": probed },
        })
    }

    fn status(uptime: f64, pools: &[(&str, Value)]) -> Status {
        let pool = |(name, server): &(&str, Value)| json!({ "name": name, "service": "tcp", "balance": "random", "servers": [server] });
        let pools: Vec<_> = pools.iter().map(pool).collect();
        let status = json!({
            "version": "1", "uptime_seconds": uptime, "generation": 1, "listeners": [], "pools": pools,
        });
        serde_json::from_value(status).expect("a status")
    }

    /// What a reader of every state is sent next.
    fn news(state: &State, sent: &mut super::super::state::Sent) -> Vec<String> {
        let kind = |message: &Bytes| {
            let text = String::from_utf8_lossy(message).into_owned();
            text.lines().next().unwrap_or_default().to_owned()
        };
        state.news(sent).iter().map(kind).collect()
    }

    #[test]
    fn what_changes_by_itself_is_no_change_for_a_while() {
        let (mut renderer, mut sent) = (Renderer::default(), Default::default());
        let now = Instant::now() + STALE * 2;
        let two = |probed: &str, health: &str| {
            [
                ("a", server("s", health, probed)),
                ("b", server("s", "up", "x")),
            ]
        };
        let state = renderer.take(status(1.0, &two("1", "up")), now);
        let all = ["event: head", "event: pool", "event: pool"];
        assert_eq!(news(&state, &mut sent), all);
        let state = renderer.take(status(2.0, &two("2", "up")), now + Duration::from_secs(1));
        assert_eq!(news(&state, &mut sent), Vec::<String>::new());
        let state = renderer.take(status(3.0, &two("3", "down")), now + Duration::from_secs(2));
        assert_eq!(news(&state, &mut sent), ["event: pool"]);
        // The second pool is older than the first, which was told anew.
        let state = renderer.take(status(9.0, &two("4", "down")), now + STALE);
        assert_eq!(news(&state, &mut sent), ["event: head", "event: pool"]);
        let state = renderer.take(status(9.0, &two("4", "down")[..1]), now + STALE);
        assert_eq!(news(&state, &mut sent), ["event: gone"]);
    }
}
