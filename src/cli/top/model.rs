//! What is shown of a status: a row for each pool and server, with rates from the sample before. Pure.

use std::collections::HashMap;
use std::time::Instant;

use serde::Deserialize;

use crate::admin::sessions::SessionList;
use crate::admin::status::{PoolStatus, ServerStatus, Status};

/// A pool, or one server of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) pool: String,
    pub(super) server: Option<String>,
}

/// What runs, at one moment.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) status: Status,
    /// Both ways, since the start.
    pub(super) bytes: HashMap<Target, u64>,
}

/// What is known of the target that is looked at closely.
#[derive(Default)]
pub(super) struct Focus {
    pub(super) sessions: Option<SessionList>,
    pub(super) history: Option<History>,
}

/// As the API tells it; what is not shown is not read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct History {
    #[serde(default)]
    pub(super) probes: Vec<ProbeSeen>,
    #[serde(default)]
    pub(super) transitions: Vec<Transition>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProbeSeen {
    pub(super) verdict: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Transition {
    pub(super) at: String,
    pub(super) text: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// One line of the overview.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) target: Target,
    pub(super) health: String,
    pub(super) admin: String,
    pub(super) weight: Option<u16>,
    pub(super) sessions: u64,
    /// Sessions at once; none: unbounded.
    pub(super) limit: Option<u64>,
    /// New sessions a second.
    pub(super) opened: Option<f64>,
    /// Bytes a second.
    pub(super) moved: Option<f64>,
    pub(super) reason: String,
}

/// A pool and its servers, in the order of the file.
pub(super) struct PoolRows {
    pub(super) pool: Row,
    pub(super) servers: Vec<Row>,
}

/// The rows of `now`; `before` gives them their rates.
pub(super) fn rows(now: &Sample, before: Option<&Sample>) -> Vec<PoolRows> {
    let pools = now.status.pools.iter();
    pools.map(|pool| pool_rows(pool, now, before)).collect()
}

fn pool_rows(pool: &PoolStatus, now: &Sample, before: Option<&Sample>) -> PoolRows {
    let old = before.and_then(|before| {
        let mut pools = before.status.pools.iter();
        pools.find(|one| one.name == pool.name)
    });
    let servers: Vec<Row> = pool
        .servers
        .iter()
        .map(|server| {
            let mut old = old.iter().flat_map(|old| &old.servers);
            let old = old.find(|one| one.name == server.name);
            server_row(pool, server, old, now, before)
        })
        .collect();
    // What is known of some is said of all.
    let sum = |of: fn(&Row) -> Option<f64>| servers.iter().filter_map(of).reduce(|a, b| a + b);
    let (taking, _) = pool.serving();
    let reason = match (pool.conflict, pool.panic, pool.queue) {
        (true, _, _) => "CONFLICT: several say that they are active".into(),
        (_, true, _) => "panic: those that are down take sessions too".into(),
        (_, _, 0) => format!("{taking} of {} serving", pool.servers.len()),
        (_, _, waiting) => format!("full: {waiting} wait"),
    };
    let pool = Row {
        target: Target {
            pool: pool.name.clone(),
            server: None,
        },
        health: String::new(),
        admin: String::new(),
        weight: None,
        sessions: servers.iter().map(|row| row.sessions).sum(),
        limit: servers.iter().map(|row| row.limit).sum(),
        opened: sum(|row| row.opened),
        moved: sum(|row| row.moved),
        reason,
    };
    PoolRows { pool, servers }
}

fn server_row(
    pool: &PoolStatus,
    server: &ServerStatus,
    old: Option<&ServerStatus>,
    now: &Sample,
    before: Option<&Sample>,
) -> Row {
    let target = Target {
        pool: pool.name.clone(),
        server: Some(server.name.clone()),
    };
    let passed = before.map(|before| now.at.duration_since(before.at).as_secs_f64());
    let rate = |new: u64, old: u64| {
        let passed = passed.filter(|passed| *passed > 0.0)?;
        // A counter that fell began anew.
        Some(new.saturating_sub(old) as f64 / passed)
    };
    let bytes = |sample: &Sample| sample.bytes.get(&target).copied();
    let moved = match (bytes(now), before.and_then(bytes)) {
        (Some(new), Some(old)) => rate(new, old),
        _ => None,
    };
    Row {
        health: server.health.clone(),
        admin: server.admin.clone(),
        weight: Some(server.weight),
        sessions: server.sessions_active,
        limit: server.max_connections.map(u64::from),
        opened: old.and_then(|old| rate(server.sessions_total, old.sessions_total)),
        moved,
        reason: reason(server),
        target,
    }
}

/// Why it is as it is, in a few words.
fn reason(server: &ServerStatus) -> String {
    let word = server.reason.clone().unwrap_or_default();
    let detail = server.last_probe.as_ref().map(|last| last.detail.as_str());
    match detail.filter(|detail| server.health != "up" && !detail.is_empty()) {
        Some(detail) => format!("{word}: {detail}"),
        None if server.backup => format!("{word} (backup)"),
        None => word,
    }
}

/// Bytes by server, of the text at `/metrics`.
pub(super) fn bytes_of(metrics: &str) -> HashMap<Target, u64> {
    let mut all = HashMap::new();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix("howdah_server_bytes_total{") else {
            continue;
        };
        let (Some(pool), Some(server)) = (label(rest, "pool"), label(rest, "server")) else {
            continue;
        };
        let value = rest
            .rsplit(' ')
            .next()
            .and_then(|value| value.parse::<f64>().ok());
        let target = Target {
            pool,
            server: Some(server),
        };
        // Counters are whole and far below 2^53.
        *all.entry(target).or_default() += value.unwrap_or(0.0) as u64;
    }
    all
}

fn label(labels: &str, name: &str) -> Option<String> {
    let begin = labels.find(&format!("{name}=\""))? + name.len() + 2;
    let mut value = String::new();
    let mut rest = labels.get(begin..)?.chars();
    loop {
        match rest.next()? {
            '"' => return Some(value),
            '\\' => value.push(match rest.next()? {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_by_server_both_ways_together() {
        let text = "# TYPE howdah_server_bytes_total counter\n\
            howdah_server_bytes_total{direction=\"from_client\",pool=\"hive\",server=\"a \\\"b\"} 5\n\
            howdah_server_bytes_total{direction=\"from_server\",pool=\"hive\",server=\"a \\\"b\"} 7\n\
            howdah_server_weight{pool=\"hive\",server=\"a\"} 1\n";
        let target = Target {
            pool: "hive".into(),
            server: Some("a \"b".into()),
        };
        assert_eq!(bytes_of(text), HashMap::from([(target, 12)]));
    }
}
