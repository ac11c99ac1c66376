//! The cluster, as it is shown.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Cluster;
use super::answer::{
    ClusterAnswer, ClusterDifference, ClusterGiven, ClusterMember, ClusterOrder, ClusterSeen,
    ClusterStatus, ClusterView,
};
use super::book::Key;
use super::member::{Member, Seen};
use super::register::{Entry, Given};
use super::shared::State;
use crate::base::time::{of_millis, rfc3339};

impl Cluster {
    /// Who is there.
    pub fn status(&self) -> ClusterStatus {
        let shared = &self.0;
        let now = Instant::now();
        let leads = shared.lead.holds(now);
        let state = shared.state();
        let own = Member {
            leads,
            ..state.own.clone()
        };
        let others = state.others.values().map(|word| {
            let age = now.saturating_duration_since(word.heard);
            member(&word.member, false, age)
        });
        let mut members: Vec<_> = others.chain([member(&own, true, Duration::ZERO)]).collect();
        members.sort_by(|one, other| one.name.cmp(&other.name));
        ClusterStatus {
            name: shared.name.clone(),
            state: if state.connected.is_some() {
                "connected"
            } else {
                "alone"
            }
            .into(),
            since: rfc3339(state.since).to_string(),
            why: state.why.clone(),
            zookeeper: state.connected.clone(),
            path: shared.plan.zookeeper.path.clone(),
            mode: shared.plan.mode.as_str().into(),
            leader: state.leader.clone().filter(|_| self.is_exclusive()),
            leads,
            members,
            differences: differences(&state, now),
            orders: count(state.book.entries().count()),
            orders_waiting: count(state.waiting),
        }
    }

    /// Everything that is shared.
    pub fn answer(&self) -> ClusterAnswer {
        let cluster = self.status();
        let state = self.0.state();
        let others = state.others.values().map(|word| &word.member);
        let mut views: BTreeMap<Key, BTreeMap<String, ClusterSeen>> = BTreeMap::new();
        for member in others.chain([&state.own]) {
            for (pool, servers) in &member.pools {
                for (server, Seen(health, admin, sessions)) in servers {
                    let seen = ClusterSeen {
                        health: health.clone(),
                        admin: admin.clone(),
                        sessions: *sessions,
                    };
                    let key = (pool.clone(), server.clone());
                    views
                        .entry(key)
                        .or_default()
                        .insert(member.name.clone(), seen);
                }
            }
        }
        let views =
            views
                .into_iter()
                .map(|((pool, server), seen)| ClusterView { pool, server, seen });
        ClusterAnswer {
            cluster,
            views: views.collect(),
            orders: state
                .book
                .entries()
                .map(|(key, entry)| order(key, entry))
                .collect(),
        }
    }
}

fn member(member: &Member, here: bool, age: Duration) -> ClusterMember {
    let servers = || member.pools.values().flat_map(BTreeMap::values);
    ClusterMember {
        name: member.name.clone(),
        here,
        pid: member.pid,
        version: member.version.clone(),
        since: rfc3339(of_millis(member.since)).to_string(),
        admin: member.admin.clone(),
        ready: member.unready.is_empty(),
        why: member.unready.clone(),
        leads: member.leads,
        sessions: servers()
            .map(|Seen(_, _, sessions)| u64::from(*sessions))
            .sum(),
        servers_up: count(
            servers()
                .filter(|Seen(health, _, _)| health == "up")
                .count(),
        ),
        servers: count(servers().count() + member.untold),
        age_seconds: (age.as_secs_f64() * 1000.0).round() / 1000.0,
    }
}

fn differences(state: &State, now: Instant) -> Vec<ClusterDifference> {
    let told = state
        .differences
        .told()
        .map(|(place, one)| ClusterDifference {
            pool: place.pool.clone(),
            server: place.server.clone(),
            here: one.here.clone(),
            member: place.other.clone(),
            there: one.there.clone(),
            seconds: now
                .saturating_duration_since(one.since)
                .as_secs_f64()
                .round(),
        });
    told.collect()
}

fn order((pool, server): &Key, entry: &Entry) -> ClusterOrder {
    ClusterOrder {
        pool: pool.clone(),
        server: server.clone(),
        order: entry
            .order
            .as_ref()
            .map(|one| given(one, one.value.clone())),
        weight: entry
            .weight
            .as_ref()
            .map(|one| given(one, one.value.weight.to_string())),
    }
}

fn given<T>(given: &Given<T>, value: String) -> ClusterGiven {
    let shown = |millis: u64| -> String { rfc3339(time(millis)).to_string() };
    ClusterGiven {
        value,
        by: given.by.clone(),
        from: given.from.clone(),
        at: shown(given.stamp),
        until: given.until.map(shown),
    }
}

fn time(millis: u64) -> SystemTime {
    of_millis(millis)
}

fn count(some: usize) -> u64 {
    u64::try_from(some).unwrap_or(u64::MAX)
}
