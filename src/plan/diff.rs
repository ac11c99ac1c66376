//! Plan × Plan → what changed, by name; pure.

use std::sync::Arc;

use super::{ListenerName, ListenerPlan, Plan, PoolName, PoolPlan, ServerName, ServerPlan};

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
            "global.max_per_second",
            was.max_per_second == is.max_per_second,
        ),
        (
            "global.drain_timeout",
            was.drain_timeout == is.drain_timeout,
        ),
        (
            "global.shutdown_delay",
            was.shutdown_delay == is.shutdown_delay,
        ),
        ("global.relay", was.relay == is.relay),
        ("admin.token_file", old.admin.token == new.admin.token),
        (
            "admin.reader_token_file",
            old.admin.reader_token == new.admin.reader_token,
        ),
        ("admin.tls", old.admin.tls == new.admin.tls),
        ("log.level", old.log.level == new.log.level),
        ("log.access", old.log.access == new.log.access),
        (
            "log.access_start",
            old.log.access_start == new.log.access_start,
        ),
        (
            "log.access_every",
            old.log.access_every == new.log.access_every,
        ),
        ("state.file", old.state == new.state),
        ("alert", old.alerts == new.alerts),
        ("cluster.peers", old.peers == new.peers),
        ("vip", old.vips == new.vips || the_first_vip(old, new)),
    ] {
        if !same {
            delta.settings.push(key);
        }
    }
    let differs = |setting: &&RestartOnly| !(setting.same)(old, new);
    let waiting = RESTART_ONLY.iter().filter(differs);
    delta.needs_restart = waiting.map(|setting| setting.key).collect();
    if old.cluster != new.cluster {
        delta.needs_restart.push("cluster");
    }
    if the_first_vip(old, new) {
        delta.needs_restart.push("vip");
    }
    delta
}

/// Makes `new` say what runs: what only a restart changes stays as `running` has it, so that a difference to the file
/// is found again by each reload until the file says the same as what runs.
pub fn keep_what_needs_a_restart(running: &Plan, new: &mut Plan) {
    for setting in RESTART_ONLY {
        (setting.keep)(running, new);
    }
    new.cluster.clone_from(&running.cluster);
    if the_first_vip(running, new) {
        new.vips.clear();
    }
}

/// The rights that it needs were given up at the start, and there is no thread for it.
fn the_first_vip(old: &Plan, new: &Plan) -> bool {
    old.vips.is_empty() && !new.vips.is_empty()
}

/// A setting that is read once, at the start.
struct RestartOnly {
    key: &'static str,
    same: fn(&Plan, &Plan) -> bool,
    keep: fn(&Plan, &mut Plan),
}

macro_rules! restart_only {
    ($($table:ident.$field:ident,)+) => {
        &[$(RestartOnly {
            key: concat!(stringify!($table), ".", stringify!($field)),
            same: |one, other| one.$table.$field == other.$table.$field,
            keep: |running, new| new.$table.$field.clone_from(&running.$table.$field),
        },)+]
    };
}

const RESTART_ONLY: &[RestartOnly] = restart_only! {
    global.workers,
    global.cpu_affinity,
    global.user,
    global.confine,
    admin.bind,
    admin.socket,
    log.format,
    log.target,
    history.file,
    history.flush,
};

impl Delta {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of one server of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerChange {
    /// It was not there.
    Added(ServerName),
    /// It is there no more.
    Left(ServerName),
    /// From what to what.
    Changed(ServerName, Vec<String>),
}

/// What becomes of the servers that the file lists, in its order; those that left come last.
pub fn servers(old: &PoolPlan, new: &PoolPlan) -> Vec<ServerChange> {
    let find = |pool: &PoolPlan, name: &ServerName| {
        let found = pool.servers.iter().find(|one| one.name == *name);
        found.map(Arc::clone)
    };
    let here = new.servers.iter().filter_map(|server| {
        let name = server.name.clone();
        let Some(was) = find(old, &name) else {
            return Some(ServerChange::Added(name));
        };
        (was != *server).then(|| ServerChange::Changed(name, was.changes(server)))
    });
    let gone = old.servers.iter().map(|server| server.name.clone());
    let gone = gone.filter(|name| find(new, name).is_none());
    here.chain(gone.map(ServerChange::Left)).collect()
}

impl ServerPlan {
    /// Like `weight 1 -> 3`.
    fn changes(&self, new: &Self) -> Vec<String> {
        // A new field is a change to tell of.
        let Self {
            name: _,
            address,
            weight,
            max_connections,
            max_per_second,
            backup,
        } = self;
        let bound = |bound: Option<u32>| bound.map_or("none".to_owned(), |bound| bound.to_string());
        let all = [
            ("address", address.to_string(), new.address.to_string()),
            ("weight", weight.to_string(), new.weight.to_string()),
            (
                "max_connections",
                bound(*max_connections),
                bound(new.max_connections),
            ),
            (
                "max_per_second",
                bound(*max_per_second),
                bound(new.max_per_second),
            ),
            ("backup", backup.to_string(), new.backup.to_string()),
        ];
        let differ = all.into_iter().filter(|(_, was, is)| was != is);
        differ
            .map(|(key, was, is)| format!("{key} {was} -> {is}"))
            .collect()
    }
}

impl PoolPlan {
    /// Which is told as a key of `[global]`.
    pub fn differs_in_drain_timeout_alone(&self, new: &Self) -> bool {
        let drain_timeout = new.drain_timeout;
        Self {
            drain_timeout,
            ..self.clone()
        } == *new
    }
}
