//! What one target was from moment to moment, counted by the hour. Pure: who calls says what is seen, and when.
//!
//! A ledger is always in one [`State`], has counted all time up to a moment, and gives away what it counted since the
//! last time it was asked. Hours are gathered into days and months by whoever keeps them.

use std::collections::BTreeMap;

use super::calendar::{Moment, Step};
use super::period::Period;

/// Time in which a target could not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    /// When it began.
    pub(crate) start: Moment,
    /// When it was over; `None` while it lasts.
    pub(crate) end: Option<Moment>,
    /// One sentence.
    pub(crate) cause: String,
    /// By order, and no failure.
    pub(crate) planned: bool,
}

/// What a look at a target shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It can be reached.
    Up,
    /// It cannot.
    Down {
        /// Why.
        cause: String,
        /// By order.
        planned: bool,
    },
    /// Nobody has a verdict yet: as good as down for what has been watched already, and no reason to begin watching.
    Undecided {
        /// What it is down for, then.
        cause: String,
    },
}

/// What a target is, as far as time is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// No time is counted.
    #[default]
    Unwatched,
    /// It can be reached.
    Up,
    /// It cannot.
    Down(Outage),
}

/// What a ledger counted since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// By the beginning of each hour.
    pub(crate) hours: BTreeMap<Moment, Period>,
    /// Outages that began or ended, in their order; the last may last on.
    pub(crate) outages: Vec<Outage>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    state: State,
    counted: Counted,
}

impl Ledger {
    /// What it is now.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Counts the time from `from` to `to` as what it is now.
    pub(crate) fn count(&mut self, from: Moment, to: Moment) {
        let state = match &self.state {
            State::Unwatched => return,
            State::Up => None,
            State::Down(outage) => Some(outage.planned),
        };
        self.spend(from, to, state);
    }

    /// From `at` on it is what was seen. True when that is another state.
    pub(crate) fn see(&mut self, at: Moment, seen: Seen) -> bool {
        let next = match (&self.state, seen) {
            (State::Unwatched, Seen::Undecided { .. }) => return false,
            (State::Up, Seen::Up) | (State::Down(_), Seen::Undecided { .. }) => return false,
            (State::Down(present), Seen::Down { planned, .. }) if present.planned == planned => {
                return false;
            }
            (_, Seen::Up) => State::Up,
            (_, Seen::Down { cause, planned }) => begun(at, cause, planned),
            (_, Seen::Undecided { cause }) => begun(at, cause, false),
        };
        self.turn(at, next);
        true
    }

    /// From `at` on its time is not counted any more.
    pub(crate) fn leave(&mut self, at: Moment) {
        self.turn(at, State::Unwatched);
    }

    /// The clock was set from `from` to `to`. What lies between has not passed: an outage of before is written as one that
    /// ended, and as one that began.
    pub(crate) fn jump(&mut self, from: Moment, to: Moment) {
        if let State::Down(outage) = self.state.clone() {
            self.turn(from, begun(to, outage.cause, outage.planned));
        }
    }

    /// Writes down an outage of a time before this ledger began, which counts as watched.
    pub(crate) fn remember(&mut self, outage: Outage, counted_until: Moment) {
        let until = outage.end.unwrap_or(outage.start);
        self.spend(counted_until.max(outage.start), until, Some(outage.planned));
        self.write(outage);
    }

    /// Writes down the end of an outage whose time is counted already.
    pub(crate) fn write(&mut self, outage: Outage) {
        self.counted.outages.push(outage);
        let surplus = self.counted.outages.len().saturating_sub(OUTAGES_MOST);
        self.counted.outages.drain(..surplus);
    }

    /// Adds figures of sessions to the hour of `at`.
    pub(crate) fn add(&mut self, at: Moment, figures: &Period) {
        if *figures != Period::default() {
            self.hour(at).merge(figures);
        }
    }

    /// What was counted since the last call; an outage that lasts is in it when it is new.
    pub(crate) fn take(&mut self) -> Counted {
        std::mem::take(&mut self.counted)
    }

    fn turn(&mut self, at: Moment, next: State) {
        if let State::Down(outage) = std::mem::replace(&mut self.state, next) {
            let end = Some(at.max(outage.start));
            self.write(Outage { end, ..outage });
        }
        if let State::Down(outage) = &self.state {
            let outage = outage.clone();
            self.write(outage);
        }
    }

    /// `down`: whether by order.
    fn spend(&mut self, from: Moment, to: Moment, down: Option<bool>) {
        let mut from = from;
        while from < to {
            let until = Step::Hour.next(from).min(to);
            let passed = until.since(from);
            let spans = &mut self.hour(from).spans;
            spans.watched += passed;
            match down {
                None => {}
                Some(false) => spans.down += passed,
                Some(true) => spans.planned += passed,
            }
            from = until;
        }
    }

    fn hour(&mut self, at: Moment) -> &mut Period {
        let hours = &mut self.counted.hours;
        // Nobody asks: the disk hangs, or its thread is gone. What is newer is worth more.
        while hours.len() > HOURS_MOST {
            hours.pop_first();
        }
        hours.entry(Step::Hour.floor(at)).or_default()
    }
}

fn begun(at: Moment, cause: String, planned: bool) -> State {
    State::Down(Outage {
        start: at,
        end: None,
        cause,
        planned,
    })
}

/// Kept while nobody takes them. A machine that was off for a month writes as many hours at once.
const HOURS_MOST: usize = 24 * 366;
const OUTAGES_MOST: usize = 1000;
