//! All ledgers, and the moment up to which they have counted. Pure.
//!
//! Between two looks every target is what the last look showed, so the figures are exact where looks come with the
//! changes. How a former process ended decides what became of the time between: see [`Model::resume`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calendar::Moment;
use super::ledger::{Counted, Ledger, Outage, Seen, State};
use super::period::Period;
use super::target::{Kind, Target};
use crate::telemetry::journal::Event;
use crate::telemetry::timelines::Saved;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    at: Moment,
    ledgers: BTreeMap<Target, Ledger>,
}

/// What is to be kept: everything that was counted since the last one, and what every target is now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// Up to when.
    pub(crate) at: Moment,
    /// Of those that counted anything.
    pub(crate) counted: Vec<(Target, Counted)>,
    /// Of all; those that are not watched any more included.
    pub(crate) states: Vec<(Target, State)>,
    /// Of the journal.
    pub(crate) events: Vec<Arc<Event>>,
    /// The newest of the time lines.
    pub(crate) lines: Option<Saved>,
}

/// How a former process left things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Former {
    /// When it last wrote.
    pub(crate) at: Moment,
    /// It was told to stop, and wrote that as its last word.
    pub(crate) clean: bool,
    /// What was watched then.
    pub(crate) states: Vec<(Target, State)>,
}

impl Model {
    /// Begins to count at `at`.
    pub(crate) fn new(at: Moment) -> Self {
        Self {
            at,
            ledgers: BTreeMap::new(),
        }
    }

    /// Time has passed, in which nothing changed. One that has not come yet leaves everything as it is.
    pub(crate) fn advance(&mut self, to: Moment) {
        if to > self.at {
            for ledger in self.ledgers.values_mut() {
                ledger.count(self.at, to);
            }
            self.at = to;
        }
    }

    /// The clock was set: it goes on at `to`, earlier or later, and nothing passed between.
    pub(crate) fn jump(&mut self, to: Moment) {
        for ledger in self.ledgers.values_mut() {
            ledger.jump(self.at, to);
        }
        self.at = to;
    }

    /// At the moment that was reached, a target shows itself so. True when that is another state.
    pub(crate) fn see(&mut self, target: &Target, seen: Seen) -> bool {
        let at = self.at;
        self.ledger(target).see(at, seen)
    }

    /// What it is now.
    pub(crate) fn state(&self, target: &Target) -> State {
        let ledger = self.ledgers.get(target);
        ledger.map_or(State::Unwatched, |ledger| ledger.state().clone())
    }

    /// Figures of sessions.
    pub(crate) fn add(&mut self, target: &Target, figures: &Period) {
        let at = self.at;
        self.ledger(target).add(at, figures);
    }

    /// Whoever is not among `present` left the file: its time is not counted any more.
    pub(crate) fn retain(&mut self, present: impl Fn(&Target) -> bool) {
        for (target, ledger) in &mut self.ledgers {
            if !present(target) {
                ledger.leave(self.at);
            }
        }
    }

    /// Takes up what a former process left, from whose last word until `began` nobody watched.
    ///
    /// That time counts neither way for pools: their servers may well have served others. For listeners it does: whoever
    /// came found nobody there. After a stop by order it was planned; else howdah was killed or the machine failed, and it is
    /// an outage.
    /// Of those alone that are still `present`: who left the file meanwhile has nobody who waits for it.
    pub(crate) fn resume(
        &mut self,
        former: Former,
        began: Moment,
        present: impl Fn(&Target) -> bool,
    ) {
        let cause = if former.clean { STOPPED } else { NOT_RUNNING };
        for (target, state) in former.states {
            let gap = target.kind == Kind::Listener && present(&target);
            let ledger = self.ledger(&target);
            let outage = match state {
                State::Unwatched => continue,
                // One and the same, from the closing of the listener to the next start.
                State::Down(outage) if gap && former.clean && outage.planned => outage,
                State::Down(outage) => {
                    let end = Some(former.at.max(outage.start));
                    ledger.write(Outage { end, ..outage });
                    outage_from(former.at, cause, former.clean)
                }
                State::Up => outage_from(former.at, cause, former.clean),
            };
            if gap {
                let end = Some(began.max(former.at));
                ledger.remember(Outage { end, ..outage }, former.at);
            }
        }
    }

    /// What was counted since the last call.
    pub(crate) fn take(&mut self) -> Batch {
        let mut batch = Batch {
            at: self.at,
            ..Batch::default()
        };
        for (target, ledger) in &mut self.ledgers {
            let counted = ledger.take();
            if counted != Counted::default() {
                batch.counted.push((target.clone(), counted));
            }
            batch.states.push((target.clone(), ledger.state().clone()));
        }
        // What is not watched and has been told of is in the store, if anywhere.
        (self.ledgers).retain(|_, ledger| *ledger.state() != State::Unwatched);
        batch
    }

    fn ledger(&mut self, target: &Target) -> &mut Ledger {
        self.ledgers.entry(target.clone()).or_default()
    }
}

fn outage_from(start: Moment, cause: &str, planned: bool) -> Outage {
    Outage {
        start,
        end: None,
        cause: cause.to_owned(),
        planned,
    }
}

/// The cause of the time between a stop by order and the next start.
pub(crate) const STOPPED: &str = "howdah was stopped";
/// The cause of the time between the last mark of a howdah that did not stop by order and the next start.
pub(crate) const NOT_RUNNING: &str = "howdah was not running";
