//! What `howdah check --json` prints: for programs that judge a configuration before they send it somewhere.

use std::path::Path;

use serde::Serialize;

use super::connect::Connected;
use crate::config::{Fault, Severity};
use crate::plan::Plan;

#[derive(Serialize)]
struct Judged<'j> {
    file: String,
    /// Whether howdah would run with it.
    usable: bool,
    faults: Vec<Told<'j>>,
    listeners: Vec<Listener>,
    pools: Vec<Pool>,
    /// With `--connect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<&'j Connected>,
}

/// A fault, or a warning.
#[derive(Serialize)]
struct Told<'j> {
    severity: &'static str,
    what: &'j str,
    why: &'j str,
    fix: &'j [String],
    file: Option<&'j str>,
    line: Option<usize>,
    column: Option<usize>,
}

#[derive(Serialize)]
struct Listener {
    name: String,
    bind: Vec<String>,
    pool: Option<String>,
}

#[derive(Serialize)]
struct Pool {
    name: String,
    service: &'static str,
    servers: Vec<Server>,
    /// Who lists others.
    discover: Option<String>,
}

#[derive(Serialize)]
struct Server {
    name: String,
    address: String,
    weight: u16,
    max_connections: Option<u32>,
    max_per_second: Option<u32>,
    backup: bool,
}

/// One object, and a line's end. Without a plan the file cannot be used.
pub(super) fn json(
    file: &Path,
    faults: &[Fault],
    plan: Option<&Plan>,
    connected: Option<&Connected>,
) -> String {
    let judged = Judged {
        file: file.display().to_string(),
        usable: plan.is_some(),
        faults: faults.iter().map(Told::of).collect(),
        listeners: plan.map(listeners).unwrap_or_default(),
        pools: plan.map(pools).unwrap_or_default(),
        connected,
    };
    // Strings, numbers and lists of them always serialise.
    serde_json::to_string(&judged).unwrap_or_default() + "\n"
}

impl<'j> Told<'j> {
    fn of(fault: &'j Fault) -> Self {
        let place = fault.place.as_ref();
        Self {
            severity: match fault.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            what: &fault.what,
            why: &fault.why,
            fix: &fault.fix,
            file: place.map(|place| &*place.file),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        }
    }
}

fn listeners(plan: &Plan) -> Vec<Listener> {
    let one = |plan: &std::sync::Arc<crate::plan::ListenerPlan>| Listener {
        name: plan.name.to_string(),
        bind: plan.bind.iter().map(ToString::to_string).collect(),
        pool: plan.pool.as_ref().map(ToString::to_string),
    };
    plan.listeners.iter().map(one).collect()
}

fn pools(plan: &Plan) -> Vec<Pool> {
    let one = |plan: &std::sync::Arc<crate::plan::PoolPlan>| Pool {
        name: plan.name.to_string(),
        service: plan.service.as_str(),
        servers: plan
            .servers
            .iter()
            .map(|server| Server::of(server))
            .collect(),
        discover: plan.discover.as_ref().map(ToString::to_string),
    };
    plan.pools.iter().map(one).collect()
}

impl Server {
    fn of(plan: &crate::plan::ServerPlan) -> Self {
        Self {
            name: plan.name.to_string(),
            address: plan.address.to_string(),
            weight: plan.weight,
            max_connections: plan.max_connections,
            max_per_second: plan.max_per_second,
            backup: plan.backup,
        }
    }
}
