//! What a pick leaves behind: a session that is counted, or nothing at all where somebody only asks.
//!
//! Every balancer picks through [`Effects`], so that what is foretold and what happens come from the same lines.

use std::cell::Cell;
use std::sync::PoisonError;
use std::time::Duration;

use super::load::{Counters, Load};
use crate::base::sync::Mutex;

/// See the module.
pub(crate) trait Effects {
    /// Whether a server takes one session more, within its bounds at once and in a second.
    fn take(&self, load: &Load, cap: u32, per_second: Option<u32>, now: Duration) -> bool;

    /// The next turn of round-robin.
    fn turn(&self, counters: &Counters) -> u64;

    /// The pick went to this one: its equals come first from now on.
    fn stamp(&self, load: &Load);

    /// Works on a ranking, which the work corrects.
    fn ranked<R: Clone, T>(&self, ranking: &Mutex<R>, work: impl FnOnce(&mut R) -> T) -> T;
}

/// The session is counted on the server that it is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting;

/// Nothing is counted and no turn is used up. One value foretells one session: each of its turns of round-robin is the one
/// after that before.
#[derive(Debug, Default)]
pub(crate) struct Peeking {
    turns: Cell<u64>,
}

impl Effects for Counting {
    fn take(&self, load: &Load, cap: u32, per_second: Option<u32>, now: Duration) -> bool {
        match per_second {
            None => load.take(cap),
            Some(per_second) => load.take_in_time(cap, per_second, now),
        }
    }

    fn turn(&self, counters: &Counters) -> u64 {
        counters.turn()
    }

    fn stamp(&self, load: &Load) {
        load.stamp();
    }

    fn ranked<R: Clone, T>(&self, ranking: &Mutex<R>, work: impl FnOnce(&mut R) -> T) -> T {
        work(&mut ranking.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Effects for Peeking {
    fn take(&self, load: &Load, cap: u32, per_second: Option<u32>, now: Duration) -> bool {
        load.has_room(cap, per_second, now)
    }

    fn turn(&self, counters: &Counters) -> u64 {
        let ahead = self.turns.get();
        self.turns.set(ahead + 1);
        counters.next_turn().wrapping_add(ahead)
    }

    fn stamp(&self, _: &Load) {}

    fn ranked<R: Clone, T>(&self, ranking: &Mutex<R>, work: impl FnOnce(&mut R) -> T) -> T {
        let mut copy = ranking
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        work(&mut copy)
    }
}
