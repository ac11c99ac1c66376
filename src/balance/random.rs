//! Random: two draws by weight, the less loaded of the two wins.
//!
//! The second draw wins when it would be no more loaded with the session than the first is without it. So an
//! idle pool shares by weight (the first draw stands), servers of equal weight compare by their sessions, and
//! under load the second draw evens out what chance did (Mitzenmacher 2001, "the power of two choices").

use super::effects::Effects;
use super::mix::mix;
use super::{Candidate, Candidates, Criteria};

/// The weights of one snapshot, added up.
pub struct Random {
    /// For each slot the sum of the weights up to it, its own included.
    sums: Box<[u32]>,
    /// As many cells of equal width as slots: the slot in which each begins. A draw looks at its cell and, on
    /// average, one slot after it, however many there are.
    cells: Box<[u32]>,
}

impl Random {
    /// Adds the weights up.
    pub fn new(candidates: &Candidates) -> Self {
        let mut sum = 0;
        let add = |one: &Candidate| {
            sum += u32::from(one.weight);
            sum
        };
        let sums: Box<[u32]> = candidates.all().iter().map(add).collect();
        let (slots, total) = (sums.len() as u64, u64::from(sum));
        let begins = |cell: u64| cell * total / slots;
        let slot = |cell| sums.partition_point(|sum| u64::from(*sum) <= begins(cell)) as u32;
        let cells = (0..slots).map(slot).collect();
        Self { sums, cells }
    }

    pub(super) fn pick(
        &self,
        candidates: &Candidates,
        criteria: &Criteria<'_>,
        effects: &impl Effects,
    ) -> Option<u32> {
        let mut random = criteria.random;
        for _ in 0..PATIENCE {
            let (one, other) = (self.draw(random >> 32), self.draw(random & 0xffff_ffff));
            let relieves = relieves(&candidates.all[other], &candidates.all[one]);
            let (winner, loser) = if relieves { (other, one) } else { (one, other) };
            let picked = candidates
                .try_slot(winner, criteria, effects)
                .or_else(|| candidates.try_slot(loser, criteria, effects));
            if picked.is_some() {
                return picked;
            }
            random = mix(random);
        }
        candidates.first_free(self.draw(random >> 32), criteria, effects)
    }

    /// A slot, by weight; `random` is below 2^32.
    fn draw(&self, random: u64) -> usize {
        let total = u64::from(self.sums[self.sums.len() - 1]);
        let mark = (random * total) >> 32;
        let cell = mark * self.cells.len() as u64 / total;
        let from = self.cells[cell as usize] as usize;
        let on = self.sums[from..]
            .iter()
            .position(|sum| u64::from(*sum) > mark);
        from + on.unwrap_or(0)
    }
}

/// Whether `one` with a session more is no more loaded, for its weight, than `other` is now.
fn relieves(one: &Candidate, other: &Candidate) -> bool {
    let active = |of: &Candidate| u64::from(of.load.active());
    (active(one) + 1) * u64::from(other.weight) <= active(other) * u64::from(one.weight)
}

/// Pairs drawn before the rest is searched in order: bounds a choice where most servers are full.
const PATIENCE: usize = 16;
