//! Listeners that can reach no server, and those that can again: said once each, in the log and the journal.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::admin::{ListenerView, RuntimeView};
use crate::plan::ListenerName;
use crate::telemetry::Journal;
use crate::telemetry::journal::{Event, Kind};

/// What was seen last of each bound listener, and since when it is so.
#[derive(Default)]
pub(super) struct Reachability(HashMap<ListenerName, (bool, Instant)>);

impl Reachability {
    /// Called each [`REACH_EVERY`]. A listener that is not bound yet waits for its first verdicts, and is not judged.
    pub(super) fn look(&mut self, view: &RuntimeView, journal: &Journal) {
        let now = Instant::now();
        let bound = || view.listeners.iter().filter(|one| !one.bound.is_empty());
        self.0
            .retain(|name, _| bound().any(|one| one.name == *name));
        for listener in bound() {
            let why = listener.why_not_ready(view);
            let (could, since) = (self.0.get(&listener.name))
                .map_or((true, None), |(could, since)| (*could, Some(*since)));
            if since.is_none() || could == why.is_some() {
                self.0.insert(listener.name.clone(), (why.is_none(), now));
            }
            if could == why.is_some() {
                journal.tell(turned(listener, why, since.map(|since| now - since)));
            }
        }
    }
}

fn turned(listener: &ListenerView, why: Option<String>, lasted: Option<Duration>) -> Event {
    let name = &listener.name;
    let event = match why {
        Some(why) => {
            tracing::error!(listener = %name, "{why}");
            Event::error(Kind::Listener, why)
                .from("reachable")
                .to("unreachable")
        }
        None => {
            tracing::info!(listener = %name, "listener reaches a server again");
            let event = Event::info(Kind::Listener, "listener reaches a server again");
            event.from("unreachable").to("reachable")
        }
    };
    event.lasted(lasted).listener(name)
}

/// How long it may take until it is said.
pub(super) const REACH_EVERY: Duration = Duration::from_secs(1);
