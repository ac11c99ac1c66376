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
        let same = self.before.remove(&what).filter(|known| {
            known.worth == worth && self.now.saturating_duration_since(known.rendered) < STALE
        });
        let known = same.unwrap_or_else(|| Known {
            worth,
            version: self.next,
            message: write(),
            rendered: self.now,
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
