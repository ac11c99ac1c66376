//! Children of one owner, one for each word of an enum, found by its index.
//!
//! They are made at their first use, all of the enum at once, so that the others stand at 0 beside it. After that,
//! one costs an atomic load and an index.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use prometheus::core::{MetricVec, MetricVecBuilder};
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use crate::base::word::Label;

/// Counters by reason, pick or verdict.
pub(super) type Counters = ByWord<IntCounterVec>;
/// Gauges of which one is 1 and the others are 0.
pub(super) type OneOf = ByWord<IntGaugeVec>;

/// See the module. `own` are the values of the labels before the word's.
pub(super) struct ByWord<F: Family> {
    family: F,
    own: Box<[String]>,
    children: OnceLock<Children<F::Child>>,
}

/// Each with its word, by index.
type Children<C> = Box<[(&'static str, C)]>;

/// Counters of which few are ever needed: each appears with its first event.
pub(super) struct Rare {
    family: IntCounterVec,
    own: Box<[String]>,
    seen: Mutex<Vec<(&'static str, IntCounter)>>,
}

impl Rare {
    pub(super) fn new(family: &IntCounterVec, own: &[&str]) -> Self {
        Self {
            family: family.clone(),
            own: own.iter().copied().map(str::to_owned).collect(),
            seen: Mutex::default(),
        }
    }

    pub(super) fn inc<L: Label>(&self, label: L) {
        let word = label.as_str();
        let mut seen = self.seen();
        if let Some((_, counter)) = seen.iter().find(|(known, _)| *known == word) {
            return counter.inc();
        }
        let counter = self.family.child(&self.with(word));
        counter.inc();
        seen.push((word, counter));
    }

    /// Of all words.
    pub(super) fn total(&self) -> u64 {
        self.seen().iter().map(|(_, counter)| counter.get()).sum()
    }

    pub(super) fn remove(&self) {
        for (word, _) in self.seen().iter() {
            Family::remove(&self.family, &self.with(word));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<(&'static str, IntCounter)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<'a>(&'a self, word: &'a str) -> Vec<&'a str> {
        self.own.iter().map(String::as_str).chain([word]).collect()
    }
}

impl<F: Family> ByWord<F> {
    pub(super) fn new(family: &F, own: &[&str]) -> Self {
        Self {
            family: family.clone(),
            own: own.iter().copied().map(str::to_owned).collect(),
            children: OnceLock::new(),
        }
    }

    pub(super) fn children<L: Label>(&self) -> &[(&'static str, F::Child)] {
        self.children.get_or_init(|| {
            let words = L::ALL.iter().map(|label| label.as_str());
            words
                .map(|word| (word, self.family.child(&self.with(word))))
                .collect()
        })
    }

    /// Takes the children off the page.
    pub(super) fn remove(&self) {
        for (word, _) in self.children.get().into_iter().flatten() {
            self.family.remove(&self.with(word));
        }
    }

    fn with<'a>(&'a self, word: &'a str) -> Vec<&'a str> {
        self.own.iter().map(String::as_str).chain([word]).collect()
    }
}

impl Counters {
    pub(super) fn inc<L: Label>(&self, label: L) {
        self.add(label, 1);
    }

    pub(super) fn add<L: Label>(&self, label: L, count: u64) {
        let found = self.children::<L>().get(label.index());
        debug_assert!(found.is_some_and(|(word, _)| *word == label.as_str()));
        if let Some((_, counter)) = found {
            counter.inc_by(count);
        }
    }
}

impl Counters {
    /// Of all words.
    pub(super) fn total(&self) -> u64 {
        let all = self.children.get().into_iter().flatten();
        all.map(|(_, counter)| counter.get()).sum()
    }
}

impl OneOf {
    pub(super) fn set<L: Label>(&self, label: L) {
        for (word, gauge) in self.children::<L>() {
            gauge.set(i64::from(*word == label.as_str()));
        }
    }

    /// None of them, of those that there are by now.
    pub(super) fn clear(&self) {
        for (_, gauge) in self.children.get().into_iter().flatten() {
            gauge.set(0);
        }
    }
}

/// What counters and gauges with labels have in common.
pub(super) trait Family: Clone {
    type Child;

    fn child(&self, values: &[&str]) -> Self::Child;

    fn remove(&self, values: &[&str]);
}

impl<B: MetricVecBuilder> Family for MetricVec<B> {
    type Child = B::M;

    fn child(&self, values: &[&str]) -> B::M {
        self.with_label_values(values)
    }

    fn remove(&self, values: &[&str]) {
        // Fails when it is not there, which is what was wanted.
        let _ = self.remove_label_values(values);
    }
}
