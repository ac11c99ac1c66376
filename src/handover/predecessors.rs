//! Who was here before and still has sessions: what they tell, and what they are told.
//!
//! Each predecessor keeps a connection to the one that has the control socket's path, whoever that is by now, and tells once
//! a second what is left. So several generations are seen by the newest one, and by no chain of those between.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What a predecessor still has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its number, as it sees itself.
    pub pid: u32,
    /// Of howdah.
    pub version: String,
    /// When it stopped accepting, in seconds since 1970.
    pub since: u64,
    /// Until it ends them, in seconds.
    pub seconds_left: u64,
    /// Open now.
    pub sessions: u64,
    /// Of each pool that has some.
    #[serde(default)]
    pub pools: Vec<PoolLeft>,
    /// Process 1 of a container: it stays until its successor has ended, and nobody waits for it.
    #[serde(default)]
    pub stays: bool,
}

/// Sessions of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolLeft {
    /// Its name.
    pub name: String,
    /// Of each server that has some.
    pub servers: Vec<(String, u64)>,
}

/// The handle: cheap to clone, and all clones are the same.
#[derive(Clone, Debug)]
pub struct Predecessors(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    list: Mutex<List>,
    hurry: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct List {
    next: u64,
    known: BTreeMap<u64, Option<Left>>,
}

/// A predecessor's place among them; its drop ends it.
pub struct Entry {
    of: Predecessors,
    number: u64,
}

impl Default for Predecessors {
    fn default() -> Self {
        Self(Arc::new(Shared {
            list: Mutex::default(),
            hurry: watch::Sender::new(false),
        }))
    }
}

impl Predecessors {
    /// What each has, the oldest first.
    pub fn list(&self) -> Vec<Left> {
        let mut list: Vec<Left> = self.0.lock().known.values().flatten().cloned().collect();
        list.sort_by_key(|one| (one.since, one.pid));
        list
    }

    /// How many they are, without a process 1 that has nothing left: it stays as long as its successor.
    pub fn count(&self) -> usize {
        let list = self.0.lock();
        let all = list.known.values().flatten();
        all.filter(|one| one.sessions > 0 || !one.stays).count()
    }

    /// Sessions of all of them.
    pub fn sessions(&self) -> u64 {
        let list = self.0.lock();
        let all = list.known.values().flatten();
        all.fold(0, |sum, one| sum.saturating_add(one.sessions))
    }

    /// Whether nobody is there who has to end before its successor may.
    pub fn have_ended(&self) -> bool {
        let list = self.0.lock();
        let mut all = list.known.values();
        all.all(|one| {
            one.as_ref()
                .is_some_and(|one| one.stays && one.sessions == 0)
        })
    }

    /// From now on they end their sessions, those to come included.
    pub fn hurry(&self) {
        self.0.hurry.send_replace(true);
    }

    /// Turns true when they are to hurry.
    pub(super) fn hurried(&self) -> watch::Receiver<bool> {
        self.0.hurry.subscribe()
    }

    /// One more, who has said nothing yet. `None`: there are too many.
    pub(super) fn enter(&self) -> Option<Entry> {
        let mut list = self.0.lock();
        if list.known.len() >= MOST {
            return None;
        }
        let number = list.next;
        list.next += 1;
        list.known.insert(number, None);
        drop(list);
        Some(Entry {
            of: self.clone(),
            number,
        })
    }
}

impl Left {
    /// Of a process that stopped accepting just now.
    pub fn now() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            since: now.map_or(0, |since| since.as_secs()),
            ..Self::default()
        }
    }
}

impl Entry {
    pub(super) fn says(&self, left: Left) {
        self.of.0.lock().known.insert(self.number, Some(left));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.of.0.lock().known.remove(&self.number);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At once. An upgrade an hour, and sessions that last a day, make half of it.
const MOST: usize = 64;
