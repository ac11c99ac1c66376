//! What a reload changes, a line each: for the log, for `howdah reload`, and for who asks beforehand.
//!
//! The plans say what is different; the words of the files say which key, from what to what. Servers are told by name, and
//! those that leave with the sessions that they have.

use std::sync::Arc;

use crate::config::Settings;
use crate::plan::diff::{Delta, ServerChange, servers};
use crate::plan::{ListenerName, Plan, PoolName, PoolPlan, ServerName};
use crate::pool::Pool;

/// Two configurations, the one that runs and the one that will.
pub(super) struct Change<'c> {
    pub(super) delta: &'c Delta,
    pub(super) plans: (&'c Plan, &'c Plan),
    pub(super) words: (&'c Settings, &'c Settings),
    /// Those that run, for their sessions.
    pub(super) pools: Vec<Arc<Pool>>,
}

impl Change<'_> {
    /// Nothing, where the new file says what runs already.
    pub(super) fn describe(&self) -> Vec<String> {
        let delta = self.delta;
        let mut lines = Vec::new();
        lines.extend(
            (delta.listeners_added.iter()).map(|one| format!("listener {} added", one.name)),
        );
        for listener in &delta.listeners_changed {
            lines.extend(self.listener(&listener.name));
        }
        lines.extend((delta.pools_added.iter()).map(|one| format!("pool {} added", one.name)));
        for pool in &delta.pools_changed {
            lines.extend(self.pool(pool));
        }
        lines.extend(
            (delta.listeners_removed.iter()).map(|name| format!("listener {name} removed")),
        );
        let removed = |name| format!("pool {name} removed{}", with(self.sessions(name, None)));
        lines.extend(delta.pools_removed.iter().map(removed));
        for key in &delta.settings {
            let told = self.key(key);
            let unseen = told.is_empty().then(|| format!("{key} changed"));
            lines.extend(told.into_iter().chain(unseen));
        }
        for key in &delta.needs_restart {
            let told = self.key(key).into_iter();
            let told = told.map(|told| told.replacen(&format!("{key} "), "", 1));
            let what: String = told.map(|what| format!(" ({what})")).collect();
            lines.push(format!("{key} needs a restart{what}"));
        }
        lines
    }

    fn listener(&self, name: &ListenerName) -> Vec<String> {
        let (was, is) = self.words;
        let keys = was.changes(is, &["listener", name.as_str()], 2);
        let unseen = keys.is_empty().then(|| format!("listener {name} changed"));
        let keys = keys
            .into_iter()
            .map(|key| format!("listener {name}: {key}"));
        keys.chain(unseen).collect()
    }

    fn pool(&self, new: &PoolPlan) -> Vec<String> {
        let name = &new.name;
        let Some(old) = self.plans.0.pool(name) else {
            return Vec::new();
        };
        let (was, is) = self.words;
        let place = ["pool", name.as_str()];
        let listed_alike = was.agree(is, &["pool", name.as_str(), "servers"]);
        // What each server gets from a key of the pool is told once, by that key.
        let own =
            |change: &ServerChange| !(listed_alike && matches!(change, ServerChange::Changed(..)));
        let changes = servers(old, new).into_iter().filter(own);
        let mut lines: Vec<String> = changes.map(|change| self.server(name, change)).collect();
        let keys = was.changes(is, &place, place.len());
        let keys = keys.iter().filter(|key| !key.starts_with("servers "));
        lines.extend(keys.map(|key| format!("pool {name}: {key}")));
        if lines.is_empty() && !old.differs_in_drain_timeout_alone(new) {
            lines.push(format!("pool {name} changed"));
        }
        lines
    }

    fn server(&self, pool: &PoolName, change: ServerChange) -> String {
        match change {
            ServerChange::Added(name) => format!("pool {pool}: server {name} added"),
            ServerChange::Left(name) => {
                let sessions = self.sessions(pool, Some(&name));
                format!("pool {pool}: server {name} left{}", with(sessions))
            }
            ServerChange::Changed(name, keys) => {
                format!("pool {pool}: server {name}: {}", keys.join(", "))
            }
        }
    }

    /// A key with dots, and all below it.
    fn key(&self, key: &str) -> Vec<String> {
        let place: Vec<&str> = key.split('.').collect();
        self.words.0.changes(self.words.1, &place, 0)
    }

    /// Of one server, or of all.
    fn sessions(&self, pool: &PoolName, server: Option<&ServerName>) -> u64 {
        let Some(pool) = self.pools.iter().find(|one| one.name() == pool) else {
            return 0;
        };
        let snapshot = pool.load();
        let named = |name: &ServerName| server.is_none_or(|server| server == name);
        let members = snapshot.members().iter().map(|one| &one.server);
        let of = members.filter(|one| named(one.name()));
        of.map(|one| u64::from(one.sessions_active())).sum()
    }
}

fn with(sessions: u64) -> String {
    match sessions {
        0 => String::new(),
        1 => " with 1 session".into(),
        many => format!(" with {many} sessions"),
    }
}
