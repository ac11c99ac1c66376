//! Keeps the servers on offer in a tournament tree: the root names the best one, and a change of one costs log n.
//!
//! The tree holds a hint for each server: its rank when somebody last looked at its [`Load`](super::Load), which is the
//! truth. Where a hint is better than the truth, the pick that it wins compares the two, corrects the hint and goes on.
//! Where it is worse, it does not stay so: whoever lowers a load asks for a refresh afterwards, under the same lock.

use std::sync::PoisonError;
use std::time::Duration;

use super::effects::Effects;
use super::{Candidate, Candidates, Criteria};
use crate::base::sync::{Mutex, MutexGuard};

/// What servers are compared by.
pub trait Rank: Copy {
    /// The rank of this server now; nobody asks for that of a full one.
    fn of(candidate: &Candidate) -> Self;

    /// Whether `self` wins against `other`.
    fn beats(&self, other: &Self) -> bool;

    /// Whether a server that won by its hint `self` wins all the same, now that its rank is `now`.
    fn still_holds(&self, now: &Self) -> bool {
        !self.beats(now)
    }
}

/// The servers on offer, ranked by `R`.
pub struct Ranking<R>(Mutex<Tree<R>>);

impl<R: Rank> Ranking<R> {
    pub(super) fn new(candidates: &Candidates) -> Self {
        Self(Mutex::new(Tree::new(ranks(candidates))))
    }

    pub(super) fn pick(
        &self,
        candidates: &Candidates,
        criteria: &Criteria<'_>,
        effects: &impl Effects,
    ) -> Option<u32> {
        let tried = || {
            criteria
                .tried
                .iter()
                .filter_map(|member| candidates.slot(*member))
        };
        let picked = effects.ranked(&self.0, |tree| {
            tried().for_each(|slot| tree.set(slot, None));
            let picked = take_best(tree, candidates, criteria.now, effects);
            tried().for_each(|slot| tree.set(slot, rank(&candidates.all[slot])));
            picked
        });
        picked.map(|slot| candidates.all[slot].member)
    }

    pub(super) fn refresh(&self, candidates: &Candidates, member: u32) {
        if let Some(slot) = candidates.slot(member) {
            let mut tree = self.tree();
            tree.set(slot, rank(&candidates.all[slot]));
        }
    }

    pub(super) fn refresh_all(&self, candidates: &Candidates) {
        let mut tree = self.tree();
        *tree = Tree::new(ranks(candidates));
    }

    fn tree(&self) -> MutexGuard<'_, Tree<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a session on the best server that can take one, and returns its slot. Corrects each hint that it finds wrong.
fn take_best<R: Rank>(
    tree: &mut Tree<R>,
    candidates: &Candidates,
    now: Duration,
    effects: &impl Effects,
) -> Option<usize> {
    // Those without a token lose this once only: they have one again without anybody's asking for a refresh.
    let mut tokenless = Vec::new();
    let taken = take_among(tree, candidates, now, &mut tokenless, effects);
    for slot in tokenless {
        tree.set(slot, rank(&candidates.all[slot]));
    }
    taken
}

fn take_among<R: Rank>(
    tree: &mut Tree<R>,
    candidates: &Candidates,
    time: Duration,
    tokenless: &mut Vec<usize>,
    effects: &impl Effects,
) -> Option<usize> {
    loop {
        let (slot, hint) = tree.best()?;
        let candidate = &candidates.all[slot];
        let now = rank::<R>(candidate);
        let holds = now.is_some_and(|now| hint.still_holds(&now));
        if holds && candidate.take(time, effects) {
            effects.stamp(&candidate.load);
            tree.set(slot, rank(candidate));
            return Some(slot);
        }
        if holds && candidate.per_second.is_some() {
            tokenless.push(slot);
            tree.set(slot, None);
        } else {
            tree.set(slot, now);
        }
    }
}

fn ranks<R: Rank>(candidates: &Candidates) -> Vec<Option<R>> {
    candidates.all.iter().map(rank).collect()
}

/// The server's rank now; `None` when it is full.
fn rank<R: Rank>(candidate: &Candidate) -> Option<R> {
    (candidate.load.active() < candidate.cap).then(|| R::of(candidate))
}

/// A binary tree in a row of slots. Node `i` of `winners` names the better of its children, nodes `2i` and `2i + 1`; the
/// nodes from `ranks.len()` on are the leaves, one for each slot of `ranks`. Node 1 is the root.
#[derive(Clone)]
struct Tree<R> {
    ranks: Vec<Option<R>>,
    winners: Box<[u32]>,
}

impl<R: Rank> Tree<R> {
    fn new(ranks: Vec<Option<R>>) -> Self {
        let len = ranks.len();
        let mut winners: Box<[u32]> = (0..2 * len)
            .map(|node| (node.saturating_sub(len)) as u32)
            .collect();
        for node in (1..len).rev() {
            winners[node] = better(&ranks, winners[2 * node], winners[2 * node + 1]);
        }
        Self { ranks, winners }
    }

    fn best(&self) -> Option<(usize, R)> {
        let slot = *self.winners.get(1)? as usize;
        Some((slot, self.ranks[slot]?))
    }

    fn set(&mut self, slot: usize, rank: Option<R>) {
        self.ranks[slot] = rank;
        let mut node = (slot + self.ranks.len()) / 2;
        while node > 0 {
            let winner = better(
                &self.ranks,
                self.winners[2 * node],
                self.winners[2 * node + 1],
            );
            if winner == self.winners[node] && winner as usize != slot {
                break;
            }
            self.winners[node] = winner;
            node /= 2;
        }
    }
}

/// The better of two slots; where neither beats the other, the lower one.
fn better<R: Rank>(ranks: &[Option<R>], a: u32, b: u32) -> u32 {
    match (&ranks[a as usize], &ranks[b as usize]) {
        (_, None) => a,
        (None, Some(_)) => b,
        (Some(left), Some(right)) if right.beats(left) => b,
        (Some(left), Some(right)) if left.beats(right) => a,
        _ => a.min(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Rank for u32 {
        fn of(_: &Candidate) -> Self {
            0
        }

        fn beats(&self, other: &Self) -> bool {
            self < other
        }
    }

    #[test]
    fn the_winner_is_the_smallest_through_any_changes() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for len in 1..40 {
            let draw = |random: &mut fastrand::Rng| random.bool().then(|| random.u32(..100));
            let mut tree = Tree::new((0..len).map(|_| draw(&mut random)).collect());
            for _ in 0..200 {
                let slot = random.usize(..len);
                let rank = draw(&mut random);
                tree.set(slot, rank);
                let least = tree.ranks.iter().flatten().min().copied();
                let best = tree.best().map(|(_, rank)| rank);
                assert_eq!(best, least, "seed {seed} len {len}");
            }
        }
    }
}
