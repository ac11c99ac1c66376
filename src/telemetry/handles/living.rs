//! Handles by name, for as long as somebody holds them.
//!
//! A handle is shared by all who ask for its name. When the last holder lets go, its series leave the page, unless a
//! newer handle of that name took them over: stamps tell the two apart.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::telemetry::families::Families;

/// All handles of one kind.
pub(in crate::telemetry) struct Living<K, H>(Mutex<Handles<K, H>>);

pub(in crate::telemetry) struct Handles<K, H> {
    stamp: u64,
    pub(in crate::telemetry) named: HashMap<K, (u64, Weak<H>)>,
}

/// A handle's tie to the others of its kind.
pub(in crate::telemetry) struct Registered<K, H> {
    pub(super) name: K,
    pub(super) families: Arc<Families>,
    stamp: u64,
    living: Arc<Living<K, H>>,
}

impl<K: Clone + Eq + Hash, H> Living<K, H> {
    /// The handle of this name; `make` makes it where nobody holds one.
    pub(in crate::telemetry) fn handle(
        self: &Arc<Self>,
        name: K,
        families: &Arc<Families>,
        make: impl FnOnce(Registered<K, H>) -> H,
    ) -> Arc<H> {
        let mut living = self.lock();
        let found = living.named.get(&name).map(|(_, weak)| weak.upgrade());
        if let Some(found) = found.flatten() {
            return found;
        }
        living.stamp += 1;
        let stamp = living.stamp;
        let made = Arc::new(make(Registered {
            name: name.clone(),
            families: Arc::clone(families),
            stamp,
            living: Arc::clone(self),
        }));
        living.named.insert(name, (stamp, Arc::downgrade(&made)));
        made
    }

    pub(in crate::telemetry) fn lock(&self) -> MutexGuard<'_, Handles<K, H>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, H> Default for Living<K, H> {
    fn default() -> Self {
        Self(Mutex::new(Handles {
            stamp: 0,
            named: HashMap::new(),
        }))
    }
}

impl<K: Clone + Eq + Hash, H> Registered<K, H> {
    /// Called once, when the handle goes; `remove` takes its series away.
    pub(super) fn leave(&self, remove: impl FnOnce(&Families)) {
        let mut living = self.living.lock();
        let latest = living.named.get(&self.name).map(|(stamp, _)| *stamp);
        if latest == Some(self.stamp) {
            living.named.remove(&self.name);
            remove(&self.families);
        }
    }
}
