//! Lines of sessions that are not over: when one has its server, and as long as it lasts, where the file wants them
//! (`log.access_start`, `log.access_every`).
//!
//! No session has a timer for it: each worker sweeps its table now and then, a slice at a time, and finds those whose age has
//! passed the next multiple since the last sweep. Only sessions over TCP have such lines.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::config::SessionConfig;
use super::end::Stage;
use super::line::line;
use super::registry::{Place, slice};
use crate::plan::Protocol;
use crate::telemetry::access::{AccessLog, Line};

/// The session has its server.
pub(super) fn begun(config: &SessionConfig, place: &Place) {
    if !AccessLog::wants_starts() {
        return;
    }
    place.note(|outcome| {
        let age = outcome.started.elapsed();
        config.access.write(&Line {
            event: Some("start"),
            ..line(outcome, config, Protocol::Tcp, age)
        });
    });
}

/// A worker's sweeps.
#[derive(Debug)]
pub struct Sweeps {
    last: Instant,
}

impl Sweeps {
    /// The first is from now on.
    pub fn begin() -> Self {
        Self {
            last: Instant::now(),
        }
    }

    /// For each tick of the worker: writes the lines that are due.
    pub async fn tick(&mut self) {
        let now = Instant::now();
        let Some(every) = AccessLog::every() else {
            self.last = now;
            return;
        };
        if now.saturating_duration_since(self.last) < every.min(LATEST) {
            return;
        }
        let mut next = Some(0);
        while let Some(start) = next {
            next = slice(start, now, |sight| {
                let begun = sight.outcome.started;
                let age = |at: Instant| at.saturating_duration_since(begun);
                if sight.stage == Stage::Relay && is_due(age(self.last), age(now), every) {
                    sight.config.access.write(&Line {
                        event: Some("lasting"),
                        ..line(sight.outcome, sight.config, sight.protocol, age(now))
                    });
                }
            });
            yield_now().await;
        }
        self.last = now;
    }
}

/// Whether a multiple of `every` lies between two ages.
fn is_due(before: Duration, now: Duration, every: Duration) -> bool {
    let count = |age: Duration| age.as_millis() / every.as_millis().max(1);
    count(now) > count(before)
}

/// How late a line may be.
const LATEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_a_multiple() {
        let seconds = Duration::from_secs;
        for (before, now, due) in [
            (0, 9, false),
            (9, 10, true),
            (10, 19, false),
            (15, 25, true),
            (0, 100, true),
        ] {
            assert_eq!(
                is_due(seconds(before), seconds(now), seconds(10)),
                due,
                "{before} {now}"
            );
        }
    }
}
