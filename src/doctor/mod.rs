//! What goes wrong in practice, and how to mend it.
//!
//! Findings come from three places, each a function of what it is given: the plan alone, the plan and this machine
//! ([`System`]), and the pools of a running howdah. Who asks (the admin server, `howdah doctor`) chooses among them. What
//! `howdah check` warns of is not said again: a file's warnings come as they are, under the code `check`.

mod access;
mod budget;
mod cluster;
mod finding;
mod names;
mod probes;
mod running;
mod servers;
mod system;
mod timeouts;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

pub use self::budget::{Budget, is_short, over_udp};
pub use self::finding::{Code, Finding, Findings, Level};
pub use self::system::System;
use crate::cluster::ClusterStatus;
use crate::plan::Plan;
use crate::pool::Pool;

/// What the plan alone shows.
pub fn of_plan(plan: &Plan) -> Vec<Finding> {
    let mut found = access::of(&plan.admin);
    for listener in &plan.listeners {
        found.extend(names::of_listener(listener));
    }
    for pool in &plan.pools {
        found.extend(servers::of(pool));
        found.extend(probes::of(pool));
        found.extend(timeouts::of(pool, plan.global.drain_timeout));
        found.extend(names::of_pool(pool));
    }
    found.extend(servers::one_source(plan));
    found.extend(plan.cluster.as_deref().and_then(cluster::of));
    found
}

/// What a running howdah knows of those that are one with it.
pub fn of_cluster(status: &ClusterStatus) -> Vec<Finding> {
    cluster::running(status)
}

/// What this machine cannot give.
pub fn of_system(plan: &Plan, system: &System) -> Vec<Finding> {
    system::of(plan, system)
}

/// What the names of a file stand for.
pub fn of_names(plan: &Plan, resolve: impl Fn(&str) -> Vec<IpAddr>) -> Vec<Finding> {
    let pools = plan.pools.iter();
    pools
        .flat_map(|pool| servers::resolved(pool, &servers::look_up(pool, &resolve)))
        .collect()
}

/// How the pools stand that run, and the certificates in use.
pub fn of_running(plan: &Plan, pools: &[Arc<Pool>], now: Instant) -> Vec<Finding> {
    let mut found = names::certificates(plan, SystemTime::now());
    for pool in pools {
        found.extend(running::of(pool, now));
    }
    found
}

/// What the reloads of a running howdah left undone.
pub fn of_reloads(needs_restart: &[&str], refused: Option<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(error) = refused {
        found.push(Finding::new(
            (Level::Warning, Code::ReloadRefused),
            "the configuration",
            format!("the last reload was refused: {error}"),
            "what runs is not what the file says, and a restart would fail",
            "`howdah check` shows every fault; mend them, and `howdah reload`",
        ));
    }
    if !needs_restart.is_empty() {
        found.push(Finding::new(
            (Level::Note, Code::RestartNeeded),
            "the configuration",
            format!("changed in the file, and waiting for a restart: {}", needs_restart.join(", ")),
            "until then the old values hold",
            "restart howdah when it suits: sessions end with it, after global.drain_timeout at most",
        ));
    }
    found
}

/// A warning of `howdah check`.
pub fn of_check(place: &str, what: &str, why: &str, fix: &str) -> Finding {
    Finding::new((Level::Warning, Code::Check), place, what, why, fix)
}
