//! What waits to be written: marks, added up. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::{Found, Query};
use crate::availability::calendar::{Moment, Step};
use crate::availability::ledger::{Outage, State};
use crate::availability::model::Batch;
use crate::availability::period::Period;
use crate::availability::target::Target;
use crate::telemetry::journal::Event;
use crate::telemetry::timelines::Saved;

/// See the module.
#[derive(Default)]
pub(super) struct Pending {
    /// Up to when.
    pub(super) at: Moment,
    /// By the hour.
    pub(super) hours: BTreeMap<(Target, Moment), Period>,
    /// By their beginning.
    pub(super) outages: BTreeMap<(Target, Moment), Outage>,
    /// What each is; of all that are watched, or were until lately.
    pub(super) states: BTreeMap<Target, State>,
    /// Of the journal, by their number.
    pub(super) events: BTreeMap<u64, Arc<Event>>,
    /// Of the time lines, by their end.
    pub(super) lines: BTreeMap<u64, Saved>,
}

impl Pending {
    pub(super) fn add(&mut self, batch: Batch) {
        self.at = batch.at;
        for (target, counted) in batch.counted {
            for (hour, period) in counted.hours {
                let own = self.hours.entry((target.clone(), hour)).or_default();
                own.merge(&period);
            }
            for outage in counted.outages {
                self.outages.insert((target.clone(), outage.start), outage);
            }
        }
        self.states.extend(batch.states);
        self.events
            .extend(batch.events.into_iter().map(|event| (event.seq, event)));
        self.lines
            .extend(batch.lines.into_iter().map(|piece| (piece.end, piece)));
        // A disk that stays full: what is newer is worth more.
        while self.hours.len() > MOST {
            self.hours.pop_first();
        }
        while self.outages.len() > MOST {
            self.outages.pop_first();
        }
        while self.events.len() > MOST {
            self.events.pop_first();
        }
        while self.lines.len() > PIECES {
            self.lines.pop_first();
        }
    }

    /// Adds what it has of the target to what was read.
    pub(super) fn complete(&self, query: &Query, found: &mut Found) {
        let mut periods: BTreeMap<_, _> = found.periods.drain(..).collect();
        for ((_, hour), period) in of(&self.hours, &found.target) {
            let start = query.step.floor(*hour);
            if start >= query.from {
                let own: &mut Period = periods.entry(start).or_default();
                own.merge(period);
            }
        }
        found.periods = periods.into_iter().collect();
        for ((_, start), outage) in of(&self.outages, &found.target) {
            found.outages.retain(|one| one.start != *start);
            if lasted(outage, query) {
                found.outages.push(outage.clone());
            }
        }
        found.outages.sort_by_key(|one| one.start);
    }

    /// The sum of a target's hours, by the beginning of a step.
    pub(super) fn sums(&self, step: Step) -> BTreeMap<(Target, Moment), Period> {
        let mut sums: BTreeMap<_, Period> = BTreeMap::new();
        for ((target, hour), period) in &self.hours {
            let key = (target.clone(), step.floor(*hour));
            sums.entry(key).or_default().merge(period);
        }
        sums
    }
}

/// Whether an outage lasted at some moment of the window.
pub(super) fn lasted(outage: &Outage, query: &Query) -> bool {
    outage.start <= query.to && outage.end.is_none_or(|end| end > query.from)
}

/// The entries of one target.
fn of<'a, T>(
    all: &'a BTreeMap<(Target, Moment), T>,
    target: &Target,
) -> impl Iterator<Item = (&'a (Target, Moment), &'a T)> {
    let first = (target.clone(), Moment::default());
    let wanted = target.clone();
    all.range(first..)
        .take_while(move |((target, _), _)| *target == wanted)
}

const MOST: usize = 100_000;
/// Of time lines, of half a minute each.
const PIECES: usize = 20;
