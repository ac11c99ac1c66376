//! Smooth weighted round-robin over a sequence that is laid out once for each snapshot.
//!
//! The sequence is sum-of-weights / gcd long and holds each server exactly weight / gcd times, spread as
//! evenly as it can be; one cursor, shared by all workers and kept across snapshots, walks it. So each window
//! of sum-of-weights turns gives every server exactly its share, whoever takes the turns.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::effects::Effects;
use super::{Candidates, Criteria, Value};

/// The turns of one snapshot.
pub struct RoundRobin {
    sequence: Box<[u32]>,
}

impl RoundRobin {
    /// Lays out the turns; cost grows with the sum of the weights over their gcd.
    pub fn new(candidates: &Candidates) -> Self {
        let weights = candidates.all().iter().map(|one| one.weight);
        Self {
            sequence: lay_out(weights),
        }
    }

    /// A turn whose server is full or was tried is used up, and the next one is taken: the servers that are
    /// left keep sharing in proportion.
    pub(super) fn pick(
        &self,
        candidates: &Candidates,
        criteria: &Criteria<'_>,
        effects: &impl Effects,
    ) -> Option<u32> {
        let turn = || effects.turn(&candidates.counters);
        let length = self.sequence.len() as u64;
        for _ in 0..length.min(PATIENCE) {
            let slot = self.sequence[(turn() % length) as usize];
            if let Some(member) = candidates.try_slot(slot as usize, criteria, effects) {
                return Some(member);
            }
        }
        let start = self.sequence[(turn() % length) as usize];
        candidates.first_free(start as usize, criteria, effects)
    }

    /// How far off the next turn of each is.
    pub(super) fn values(&self, candidates: &Candidates) -> Vec<Value> {
        let length = self.sequence.len() as u64;
        let mut turns = vec![None; candidates.all().len()];
        for ahead in 0..length.min(FORESIGHT) {
            let turn = candidates.counters.next_turn().wrapping_add(ahead);
            let slot = self.sequence[(turn % length) as usize];
            turns[slot as usize].get_or_insert(ahead);
        }
        turns.into_iter().map(Value::Turns).collect()
    }
}

/// Slots in the order of their turns.
///
/// Servers of equal weight form a class and follow each other within it, so the heap holds a few classes
/// instead of thousands of servers. The k-th turn of a class that has `m` of them is due at (2k + 1) / 2m of
/// the round; turns are laid out in the order in which they are due.
fn lay_out(weights: impl Iterator<Item = u16>) -> Box<[u32]> {
    let mut classes: BTreeMap<Reverse<u16>, Vec<u32>> = BTreeMap::new();
    for (slot, weight) in (0u32..).zip(weights) {
        classes.entry(Reverse(weight)).or_default().push(slot);
    }
    let common = classes.keys().fold(0, |all, weight| gcd(all, weight.0));
    let classes: Vec<(u64, Vec<u32>)> = classes
        .into_iter()
        .map(|(weight, slots)| (u64::from(weight.0 / common) * slots.len() as u64, slots))
        .collect();
    let due = |turn: u64, turns: u64| ((2 * turn + 1) << 32) / (2 * turns);
    let mut next: BinaryHeap<_> = (classes.iter().enumerate())
        .map(|(class, (turns, _))| Reverse((due(0, *turns), class, 0)))
        .collect();
    let mut sequence = Vec::with_capacity(classes.iter().map(|(turns, _)| *turns as usize).sum());
    while let Some(Reverse((_, class, turn))) = next.pop() {
        let (turns, slots) = &classes[class];
        sequence.push(slots[(turn % slots.len() as u64) as usize]);
        if turn + 1 < *turns {
            next.push(Reverse((due(turn + 1, *turns), class, turn + 1)));
        }
    }
    sequence.into()
}

fn gcd(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Turns used up before the rest is searched in order: bounds a choice where most servers are full.
const PATIENCE: u64 = 64;

/// Turns looked at ahead, for people who ask.
const FORESIGHT: u64 = 1 << 16;
