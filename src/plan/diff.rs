//! Plan × Plan → what changed, by name; pure.

use std::sync::Arc;

use super::{ListenerName, ListenerPlan, Plan, PoolName, PoolPlan};

/// What a reload will do. Everything not named here stays untouched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// New listeners.
    pub listeners_added: Vec<Arc<ListenerPlan>>,
    /// Same name, something else is different.
    pub listeners_changed: Vec<Arc<ListenerPlan>>,
    /// No longer in the file.
    pub listeners_removed: Vec<ListenerName>,
    /// New pools.
    pub pools_added: Vec<Arc<PoolPlan>>,
    /// Same name, something else is different.
    pub pools_changed: Vec<Arc<PoolPlan>>,
    /// No longer in the file: their servers drain.
    pub pools_removed: Vec<PoolName>,
    /// Settings of the process that are taken at once, by their key.
    pub settings: Vec<&'static str>,
    /// Settings that need a restart, by their key.
    pub needs_restart: Vec<&'static str>,
}

/// Compares two plans by name and by value.
pub fn diff(old: &Plan, new: &Plan) -> Delta {
    let mut delta = Delta::default();
    for listener in &new.listeners {
        match old
            .listeners
            .iter()
            .find(|other| other.name == listener.name)
        {
            None => delta.listeners_added.push(Arc::clone(listener)),
            Some(other) if other != listener => delta.listeners_changed.push(Arc::clone(listener)),
            Some(_) => {}
        }
    }
    for pool in &new.pools {
        match old.pool(&pool.name) {
            None => delta.pools_added.push(Arc::clone(pool)),
            Some(other) if other != pool => delta.pools_changed.push(Arc::clone(pool)),
            Some(_) => {}
        }
    }
    let gone =
        |listener: &&Arc<ListenerPlan>| !new.listeners.iter().any(|n| n.name == listener.name);
    delta.listeners_removed = old
        .listeners
        .iter()
        .filter(gone)
        .map(|l| l.name.clone())
        .collect();
    let gone = |pool: &&Arc<PoolPlan>| new.pool(&pool.name).is_none();
    delta.pools_removed = old
        .pools
        .iter()
        .filter(gone)
        .map(|p| p.name.clone())
        .collect();
    let (was, is) = (&old.global, &new.global);
    for (key, same) in [
        (
            "global.max_connections",
            was.max_connections == is.max_connections,
        ),
        (
            "global.drain_timeout",
            was.drain_timeout == is.drain_timeout,
        ),
        ("admin.token_file", old.admin.token == new.admin.token),
        ("log.level", old.log.level == new.log.level),
        ("log.access", old.log.access == new.log.access),
    ] {
        if !same {
            delta.settings.push(key);
        }
    }
    for (key, same) in [
        ("global.workers", old.global.workers == new.global.workers),
        ("global.relay", old.global.relay == new.global.relay),
        (
            "global.cpu_affinity",
            old.global.cpu_affinity == new.global.cpu_affinity,
        ),
        ("global.user", old.global.user == new.global.user),
        ("global.confine", old.global.confine == new.global.confine),
        ("admin.bind", old.admin.bind == new.admin.bind),
        ("log.format", old.log.format == new.log.format),
    ] {
        if !same {
            delta.needs_restart.push(key);
        }
    }
    delta
}

impl Delta {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// One line a change, for the log and for `howdah reload`.
    pub fn describe(&self) -> Vec<String> {
        let listeners = [
            ("added", &self.listeners_added),
            ("changed", &self.listeners_changed),
        ]
        .into_iter()
        .flat_map(|(what, all)| {
            all.iter()
                .map(move |one| format!("listener {} {what}", one.name))
        });
        let pools = [
            ("added", &self.pools_added),
            ("changed", &self.pools_changed),
        ]
        .into_iter()
        .flat_map(|(what, all)| {
            all.iter()
                .map(move |one| format!("pool {} {what}", one.name))
        });
        let gone = self
            .listeners_removed
            .iter()
            .map(|name| format!("listener {name} removed"));
        let gone = gone.chain(
            self.pools_removed
                .iter()
                .map(|name| format!("pool {name} removed")),
        );
        let settings = self.settings.iter().map(|key| format!("{key} changed"));
        let restart = self
            .needs_restart
            .iter()
            .map(|key| format!("{key} needs a restart"));
        listeners
            .chain(pools)
            .chain(gone)
            .chain(settings)
            .chain(restart)
            .collect()
    }
}
