//! What a pick chooses from, and what it goes by.

use std::sync::Arc;
use std::time::Duration;

use super::effects::Effects;
use super::load::{Counters, Load};

/// One server on offer.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its place among the members of the snapshot; what a pick returns.
    pub member: u32,
    /// At least 1.
    pub weight: u16,
    /// Sessions at once; [`u32::MAX`] is unbounded.
    pub cap: u32,
    /// New sessions in a second; `None` is unbounded.
    pub per_second: Option<u32>,
    /// Its live numbers.
    pub load: Arc<Load>,
}

impl Candidate {
    pub(super) fn take(&self, now: Duration, effects: &impl Effects) -> bool {
        effects.take(&self.load, self.cap, self.per_second, now)
    }

    /// Whether it can take a session more.
    pub(super) fn has_room(&self, now: Duration) -> bool {
        self.load.has_room(self.cap, self.per_second, now)
    }

    /// When it has a token again; `None` where it has one, or only the end of a session makes room.
    fn next_token(&self, now: Duration) -> Option<Duration> {
        let next = self.load.next_token(self.per_second?);
        (next > now && self.load.active() < self.cap).then_some(next)
    }
}

/// The servers that may take sessions, in the order of the members.
pub struct Candidates {
    pub(super) all: Box<[Candidate]>,
    /// Member to place in `all`; [`NOWHERE`] for those not on offer.
    pub(super) slots: Box<[u32]>,
    pub(super) counters: Arc<Counters>,
}

/// What one pick goes by.
#[derive(Clone, Copy, Debug)]
pub struct Criteria<'a> {
    /// The client's address, hashed; the same in every process. Only source-hash looks at it.
    pub client: u64,
    /// Any number; only random looks at it.
    pub random: u64,
    /// Members that this session has tried already.
    pub tried: &'a [u32],
    /// Since the pool began; only bounds on new sessions in a second look at it.
    pub now: Duration,
}

impl Candidates {
    /// `members` counts all members of the snapshot; each candidate's `member` is below it.
    pub fn new(members: usize, candidates: Vec<Candidate>, counters: Arc<Counters>) -> Self {
        let mut slots = vec![NOWHERE; members].into_boxed_slice();
        for (slot, candidate) in (0u32..).zip(&candidates) {
            slots[candidate.member as usize] = slot;
        }
        Self {
            all: candidates.into(),
            slots,
            counters,
        }
    }

    /// Whether this member is on offer.
    pub fn offers(&self, member: u32) -> bool {
        self.slot(member).is_some()
    }

    /// Counts a session on this very member, if it is on offer and within its bounds.
    pub(crate) fn take(&self, member: u32, now: Duration, effects: &impl Effects) -> bool {
        self.slot(member)
            .is_some_and(|slot| self.all[slot].take(now, effects))
    }

    /// When the first of them has a token again that has none now; `None` where time alone makes no room.
    pub fn next_token(&self, now: Duration) -> Option<Duration> {
        let next = self.all.iter().filter_map(|one| one.next_token(now));
        next.min()
    }

    /// All on offer.
    pub fn all(&self) -> &[Candidate] {
        &self.all
    }

    pub(super) fn slot(&self, member: u32) -> Option<usize> {
        let slot = *self.slots.get(member as usize)?;
        (slot != NOWHERE).then_some(slot as usize)
    }

    /// Takes the candidate in this slot unless it was tried or is full.
    pub(super) fn try_slot(
        &self,
        slot: usize,
        criteria: &Criteria<'_>,
        effects: &impl Effects,
    ) -> Option<u32> {
        let candidate = &self.all[slot];
        let fresh = !criteria.tried.contains(&candidate.member);
        (fresh && candidate.take(criteria.now, effects)).then_some(candidate.member)
    }

    /// The first that can be taken from `start` on, wrapping around: the last resort where most are full.
    pub(super) fn first_free(
        &self,
        start: usize,
        criteria: &Criteria<'_>,
        effects: &impl Effects,
    ) -> Option<u32> {
        let len = self.all.len();
        (0..len).find_map(|step| self.try_slot((start + step) % len, criteria, effects))
    }
}

const NOWHERE: u32 = u32::MAX;
