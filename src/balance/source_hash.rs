//! Source hash: the same client, the same server, as long as that server is there and not overloaded.
//!
//! A ring of points, many for each configured server, in proportion to its weight; a client belongs to the
//! first server on offer at or after its own place. Servers that are down stay on the ring and are walked
//! past, so losing one of n moves its clients and nobody else's, and they come home when it does.
//!
//! The bound on load (Mirrokni, Thorup, Zadimoghaddam 2016): no server takes more than 1.25 times its fair
//! share of the pool's sessions, what is beyond walks on. Below [`ALWAYS`] sessions a server is never over
//! its bound, else the two connections of the only client of the pool would go to different servers.

use std::sync::Arc;

use super::effects::Effects;
use super::mix::mix;
use super::{Candidate, Candidates, Criteria, Value};

/// The ring and the bound, for one snapshot.
pub struct SourceHash {
    ring: Arc<Ring>,
    /// Of the servers on offer.
    weights: u64,
}

/// The points of all configured servers; costly for large pools, so snapshots share it.
pub struct Ring {
    /// 40 bits of place, 24 bits of member, sorted.
    points: Box<[u64]>,
    /// For each value of the highest bits of a place, the first point there; so a look-up is short.
    starts: Box<[u32]>,
    members: usize,
}

impl Ring {
    /// Of these servers: member, name, weight. The same in every process.
    pub fn new<'a>(servers: impl Iterator<Item = (u32, &'a str, u16)> + Clone) -> Self {
        let total: u64 = servers
            .clone()
            .map(|(_, _, weight)| u64::from(weight))
            .sum();
        let each = points_per_weight(total);
        let mut points = Vec::with_capacity((total * each) as usize);
        for (member, name, weight) in servers.clone() {
            let own = hash_name(name);
            let places = (0..u64::from(weight) * each).map(|point| mix(own ^ mix(point)));
            points.extend(places.map(|place| place & !MEMBER | u64::from(member)));
        }
        points.sort_unstable();
        Self::of(points, servers.count())
    }

    fn of(points: Vec<u64>, members: usize) -> Self {
        let cells = 1 << (points.len() / POINTS_IN_CELL).max(2).ilog2();
        let mut starts: Box<[u32]> = std::iter::repeat_n(0, cells).collect();
        for point in &points {
            starts[cell(*point, cells)] += 1;
        }
        let mut before = 0;
        for start in &mut starts {
            before += std::mem::replace(start, before);
        }
        Self {
            points: points.into(),
            starts,
            members,
        }
    }

    /// Only the points of servers on offer: walks past the others are saved, and nobody's server changes.
    fn only(&self, candidates: &Candidates) -> Self {
        let offered = |point: &&u64| candidates.offers((**point & MEMBER) as u32);
        let points = self.points.iter().filter(offered).copied().collect();
        Self::of(points, candidates.all().len())
    }

    /// Members from the client's place on, once around.
    fn walk(&self, client: u64) -> impl Iterator<Item = u32> {
        let from = self.starts[cell(client, self.starts.len())] as usize;
        let on = (self.points[from..].iter()).position(|point| *point >= client & !MEMBER);
        let start = on.map_or(self.points.len(), |on| from + on);
        let (before, after) = self.points.split_at(start);
        after
            .iter()
            .chain(before)
            .map(|point| (point & MEMBER) as u32)
    }
}

impl SourceHash {
    /// `ring` holds at least these candidates.
    pub fn new(candidates: &Candidates, ring: &Arc<Ring>) -> Self {
        let weights = candidates.all().iter().map(|one| u64::from(one.weight));
        let sparse = candidates.all().len() * 2 < ring.members;
        Self {
            ring: if sparse {
                Arc::new(ring.only(candidates))
            } else {
                Arc::clone(ring)
            },
            weights: weights.sum(),
        }
    }

    pub(super) fn pick(
        &self,
        candidates: &Candidates,
        criteria: &Criteria<'_>,
        effects: &impl Effects,
    ) -> Option<u32> {
        let sessions = candidates.counters.active() + 1;
        let walk = || {
            let slots =
                (self.ring.walk(criteria.client)).filter_map(|member| candidates.slot(member));
            slots.take(PATIENCE)
        };
        let under = |slot: &usize| {
            let candidate = &candidates.all[*slot];
            u64::from(candidate.load.active()) < self.bound(sessions, candidate.weight)
        };
        let take = |slot| candidates.try_slot(slot, criteria, effects);
        let start = criteria.client % candidates.all.len() as u64;
        walk()
            .filter(under)
            .find_map(take)
            .or_else(|| walk().find_map(take))
            .or_else(|| candidates.first_free(start as usize, criteria, effects))
    }

    /// Where each stands on the client's way, and whether it has its fair share already.
    pub(super) fn values(&self, candidates: &Candidates, criteria: &Criteria<'_>) -> Vec<Value> {
        let sessions = candidates.counters.active() + 1;
        let mut places = vec![None; candidates.all.len()];
        let mut next = 1;
        let walk = self.ring.walk(criteria.client);
        for slot in walk
            .filter_map(|member| candidates.slot(member))
            .take(PATIENCE)
        {
            if places[slot].is_none() {
                places[slot] = Some(next);
                next += 1;
            }
        }
        let value = |(one, place): (&Candidate, Option<usize>)| Value::Ring {
            place,
            over: u64::from(one.load.active()) >= self.bound(sessions, one.weight),
        };
        candidates.all.iter().zip(places).map(value).collect()
    }

    /// Sessions that a server of this weight may have when the pool has `sessions`.
    fn bound(&self, sessions: u64, weight: u16) -> u64 {
        let share = 5 * sessions * u64::from(weight);
        share.div_ceil(4 * self.weights).max(ALWAYS)
    }
}

/// Which of so many cells, a power of two and at least 2, this place is in.
fn cell(place: u64, cells: usize) -> usize {
    (place >> (u64::BITS - cells.ilog2())) as usize
}

/// A power of two, so that it rarely changes as a pool grows: when it does, clients move.
fn points_per_weight(total: u64) -> u64 {
    let room = (POINTS / total.max(1)).clamp(1, MOST_POINTS);
    1 << room.ilog2()
}

fn hash_name(name: &str) -> u64 {
    name.bytes()
        .fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}

/// The low bits of a point.
const MEMBER: u64 = (1 << 24) - 1;

/// About as many points as a ring may have: 4 MiB.
const POINTS: u64 = 1 << 19;

/// On average.
const POINTS_IN_CELL: usize = 4;

/// For each unit of weight: shares differ by some 6 %.
const MOST_POINTS: u64 = 256;

/// Sessions that any server may have, whatever its share.
const ALWAYS: u64 = 8;

/// Points walked before the rest is searched in order: bounds a choice where most servers are full.
const PATIENCE: usize = 4096;
