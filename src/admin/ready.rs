//! Ready for new sessions? Yes, unless there is a reason against it.

use super::{ListenerView, RuntimeView};
use crate::base::word::Label;
use crate::cluster::Cluster;
use crate::pool::{Pool, Standing};

/// Why not; empty when ready. One sentence each.
pub(super) fn reasons(view: &RuntimeView) -> Vec<String> {
    let stopping = view
        .draining
        .map(|_| "howdah is stopping and takes no new sessions".to_owned());
    let standby = view.cluster.as_ref().and_then(Cluster::standby);
    if let Some(standby) = standby {
        return stopping.into_iter().chain([standby]).collect();
    }
    let listeners = view.listeners.iter();
    stopping
        .into_iter()
        .chain(listeners.filter_map(|one| one.why_not_ready(view)))
        .collect()
}

impl RuntimeView {
    /// Why it is not ready for new sessions, a sentence each; none: it is.
    pub fn unready(&self) -> Vec<String> {
        reasons(self)
    }
}

impl ListenerView {
    /// Why sessions at this listener would find no server; `None` when they would.
    pub fn why_not_ready(&self, view: &RuntimeView) -> Option<String> {
        let name = &self.name;
        if self.bound.is_empty() {
            return Some(format!("listener \"{name}\" is not bound"));
        }
        let pools: Vec<_> = (self.pools.iter())
            .filter_map(|pool| view.pool(pool))
            .collect();
        if pools.iter().any(|pool| pool.load().can_serve()) {
            return None;
        }
        let count: Vec<String> = pools.iter().map(|pool| census(pool)).collect();
        let count = count.join("; ");
        Some(format!(
            "listener \"{name}\" reaches no server that is up: {count}"
        ))
    }
}

/// Servers that disagree about which of them is the active one, as a note beside the answer.
pub(super) fn notes(view: &RuntimeView) -> Vec<String> {
    let conflicts = view.pools.iter().filter(|pool| pool.load().is_conflict());
    let told = conflicts.map(|pool| {
        let name = pool.name();
        format!("pool \"{name}\" has several servers that say they are the active one; the first keeps the sessions")
    });
    told.collect()
}

/// Like `pool "hive" has 2 down, 1 draining`.
fn census(pool: &Pool) -> String {
    let snapshot = pool.load();
    let members = snapshot.members();
    let counted = Standing::ALL.iter().filter_map(|standing| {
        let count = members
            .iter()
            .filter(|one| one.standing == *standing)
            .count();
        (count > 0).then(|| format!("{count} {standing}"))
    });
    let counted: Vec<String> = counted.collect();
    if members.is_empty() {
        return unlisted(pool);
    }
    format!("pool \"{}\" has {}", pool.name(), counted.join(", "))
}

/// Like `pool "hive" has no server yet, as zookeeper zk1:2181/hiveserver2 lists none: connection refused`.
fn unlisted(pool: &Pool) -> String {
    let name = pool.name();
    let snapshot = pool.load();
    let Some(source) = &snapshot.plan().discover else {
        return format!("pool \"{name}\" has no server");
    };
    let why = pool.freshness().map(|one| one.why.clone());
    let why = why.filter(|why| !why.is_empty());
    let why = why.unwrap_or_else(|| "not heard yet".to_owned());
    format!("pool \"{name}\" has no server yet, as {source} lists none: {why}")
}
