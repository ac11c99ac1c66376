//! The scores of a whole tier, for people who ask.

use super::score::{Room, Score, Value};
use super::{Balancer, Candidate, Candidates, Criteria};

impl Balancer {
    /// All candidates, in the order of the members. Costs a walk through all of them, and changes nothing.
    pub fn scores(&self, candidates: &Candidates, criteria: &Criteria<'_>) -> Vec<Score> {
        let total: u64 = (candidates.all.iter())
            .map(|one| u64::from(one.weight))
            .sum();
        let values = match self {
            Self::RoundRobin(turns) => turns.values(candidates),
            Self::LeastConnection(_) => candidates.all.iter().map(per_weight).collect(),
            Self::ResponseTime(_) => {
                let wait = |one: &Candidate| {
                    let expected = one.load.expected(criteria.now).as_secs_f64();
                    Value::Wait(expected * sessions(one) / f64::from(one.weight))
                };
                candidates.all.iter().map(wait).collect()
            }
            Self::Random(_) => vec![Value::Lot; candidates.all.len()],
            Self::SourceHash(hash) => hash.values(candidates, criteria),
        };
        let score = |(one, value): (&Candidate, Value)| Score {
            member: one.member,
            weight: one.weight,
            share: f64::from(one.weight) / total as f64,
            sessions: one.load.active(),
            cap: (one.cap < u32::MAX).then_some(one.cap),
            room: match one.load.active() < one.cap {
                false => Room::Full,
                true if one.has_room(criteria.now) => Room::Free,
                true => Room::OverRate,
            },
            value,
        };
        candidates.all.iter().zip(values).map(score).collect()
    }
}

fn per_weight(one: &Candidate) -> Value {
    Value::PerWeight((f64::from(one.load.carried()) + 1.0) / f64::from(one.weight))
}

/// With one more.
fn sessions(one: &Candidate) -> f64 {
    f64::from(one.load.active()) + 1.0
}
