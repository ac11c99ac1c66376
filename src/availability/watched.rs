//! A target that is watched: where it is seen, what its sessions count, and where its figures are shown.

use std::sync::Arc;

use super::ledger::{Seen, State};
use super::look;
use super::period::{Period, Spans};
use super::target::Target;
use crate::plan::Goal;
use crate::pool::Pool;
use crate::telemetry::{ListenerMetrics, OutageKind, Shown};

/// See the module.
#[derive(Clone)]
pub struct Watched {
    /// Which.
    pub target: Target,
    /// What was promised of it: key `slo`.
    pub goal: Option<Goal>,
    /// Where it is seen.
    pub subject: Subject,
}

/// Where a target is seen.
#[derive(Clone)]
pub enum Subject {
    /// A pool itself.
    Pool(Arc<Pool>),
    /// A listener.
    Listener {
        /// It has an address, on which it accepts.
        bound: bool,
        /// Those that its sessions can go to.
        pools: Vec<Arc<Pool>>,
        /// Its counters.
        metrics: Arc<ListenerMetrics>,
    },
}

impl Watched {
    /// What a look at it shows; `stopping` is howdah.
    pub(super) fn look(&self, stopping: bool) -> Seen {
        match &self.subject {
            Subject::Pool(pool) => look::pool(pool),
            Subject::Listener { bound, pools, .. } => {
                look::listener(*bound, stopping, pools.iter().map(|pool| &**pool))
            }
        }
    }

    /// Sessions since start that got a server, and that did not.
    pub(super) fn totals(&self) -> (u64, u64) {
        match &self.subject {
            Subject::Pool(pool) => pool.metrics().served_total(),
            Subject::Listener { metrics, .. } => metrics.served_total(),
        }
    }

    /// What its sessions counted since the last call, when their totals were `before`.
    pub(super) fn figures(&self, before: (u64, u64)) -> Period {
        let now = self.totals();
        // Counters that nobody held for a moment began anew.
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        let times = match &self.subject {
            Subject::Pool(pool) => pool.metrics().take_times(),
            Subject::Listener { .. } => Default::default(),
        };
        Period {
            spans: Spans::default(),
            served: since(now.0, before.0),
            failed: since(now.1, before.1),
            times,
        }
    }

    /// Shows that it became something else.
    pub(super) fn show_state(&self, state: &State) {
        let shown = self.shown();
        match state {
            State::Unwatched => {}
            State::Up => shown.available(true),
            State::Down(outage) => {
                shown.available(false);
                shown.outage(match outage.planned {
                    true => OutageKind::Planned,
                    false => OutageKind::Failure,
                });
            }
        }
    }

    /// Shows how the last [`super::report::RECENT`] went.
    pub(super) fn show_recent(&self, spans: &Spans) {
        let left = self
            .goal
            .map(|goal| goal.left(spans.down, super::report::RECENT));
        let ratio = spans.available().map(|percent| percent / 100.0);
        self.shown().recent(ratio, left);
    }

    fn shown(&self) -> &Shown {
        match &self.subject {
            Subject::Pool(pool) => pool.metrics().shown(),
            Subject::Listener { metrics, .. } => metrics.shown(),
        }
    }
}
