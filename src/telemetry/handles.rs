//! What the road holds: the counters of one listener, pool or server, looked up before the first session.
//!
//! Each method is a few relaxed atomic adds; none looks a label up or allocates, except the first use of a
//! counter that is kept by reason, which makes all children of that enum at once. When the last clone of a
//! handle goes, its series leave `/metrics`: a removed server is seen until its last session ended.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::label::Label;
use super::metrics::{Key, Registered};
use crate::plan::{ListenerName, PoolName, ServerName};

/// One listener's counters.
pub struct ListenerMetrics {
    name: ListenerName,
    opened: IntCounter,
    active: IntGauge,
    ended: ByWord,
    refused: ByWord,
    accept_errors: ByWord,
    duration: Histogram,
    from_client: IntCounter,
    from_server: IntCounter,
    tls_handshake: Histogram,
    registered: Registered,
}

/// One pool's counters.
pub struct PoolMetrics {
    name: PoolName,
    picks: ByWord,
    no_server: ByWord,
    answers: ByWord,
    retries: IntCounter,
    sticky_entries: IntGauge,
    sticky_evicted: IntCounter,
    tls_handshake: Histogram,
    registered: Registered,
}

/// One server's counters.
pub struct ServerMetrics {
    pool: PoolName,
    name: ServerName,
    sessions: IntCounter,
    active: IntGauge,
    from_client: IntCounter,
    from_server: IntCounter,
    connect: Histogram,
    first_byte: Histogram,
    dial_failures: ByWord,
    weight: IntGauge,
    health: OneOf,
    admin: OneOf,
    probes: ByWord,
    probe: Histogram,
    transitions: ByWord,
    registered: Registered,
}

impl ListenerMetrics {
    pub(super) fn new(name: &ListenerName, registered: Registered) -> Self {
        let all = &registered.families;
        let own = &[name.as_str()];
        let bytes = |direction| {
            all.session_bytes
                .with_label_values(&[name.as_str(), direction])
        };
        Self {
            name: name.clone(),
            opened: all.session_opened.with_label_values(own),
            active: all.session_active.with_label_values(own),
            ended: ByWord::new(&all.session_ended, own),
            refused: ByWord::new(&all.listener_refused, own),
            accept_errors: ByWord::new(&all.listener_accept_errors, own),
            duration: all.session_duration.with_label_values(own),
            from_client: bytes(FROM_CLIENT),
            from_server: bytes(FROM_SERVER),
            tls_handshake: all.listener_tls_handshake.with_label_values(own),
            registered,
        }
    }

    /// A connection was accepted.
    pub fn opened(&self) {
        self.opened.inc();
        self.active.inc();
    }

    /// The session that [`Self::opened`] counted is over.
    pub fn ended<L: Label>(&self, reason: L, duration: Duration) {
        self.active.dec();
        self.ended.inc(reason);
        self.duration.observe(duration.as_secs_f64());
    }

    /// Shows every reason with 0 before the first one happens, so that rates see the first.
    pub fn show_reasons<L: Label>(&self) {
        self.ended.children::<L>();
    }

    /// Turned away before a server was chosen.
    pub fn refused<L: Label>(&self, reason: L) {
        self.refused.inc(reason);
    }

    /// `accept` failed; no session came of it.
    pub fn accept_failed<L: Label>(&self, reason: L) {
        self.accept_errors.inc(reason);
    }

    /// Bytes relayed since the last call; for long sessions, call this now and then, not only at the end.
    pub fn bytes(&self, from_client: u64, from_server: u64) {
        add(&self.from_client, from_client);
        add(&self.from_server, from_server);
    }

    /// A TLS handshake with a client succeeded.
    pub fn tls_handshake(&self, took: Duration) {
        self.tls_handshake.observe(took.as_secs_f64());
    }

    /// Whose these are.
    pub fn name(&self) -> &ListenerName {
        &self.name
    }

    /// Sessions open now.
    pub fn sessions_active(&self) -> u64 {
        u64::try_from(self.active.get()).unwrap_or(0)
    }

    /// Sessions since start.
    pub fn sessions_total(&self) -> u64 {
        self.opened.get()
    }
}

impl Drop for ListenerMetrics {
    fn drop(&mut self) {
        let name = self.name.as_str();
        self.registered
            .leave(&Key::Listener(self.name.clone()), |all| {
                let _ = all.session_opened.remove_label_values(&[name]);
                let _ = all.session_active.remove_label_values(&[name]);
                let _ = all.session_duration.remove_label_values(&[name]);
                let _ = all.listener_tls_handshake.remove_label_values(&[name]);
                for direction in [FROM_CLIENT, FROM_SERVER] {
                    let _ = all.session_bytes.remove_label_values(&[name, direction]);
                }
                self.ended.remove();
                self.refused.remove();
                self.accept_errors.remove();
            });
    }
}

impl PoolMetrics {
    pub(super) fn new(name: &PoolName, registered: Registered) -> Self {
        let all = &registered.families;
        let own = &[name.as_str()];
        Self {
            name: name.clone(),
            picks: ByWord::new(&all.pool_picks, own),
            no_server: ByWord::new(&all.pool_no_server, own),
            answers: ByWord::new(&all.discovery_answers, own),
            retries: all.session_retries.with_label_values(own),
            sticky_entries: all.pool_sticky_entries.with_label_values(own),
            sticky_evicted: all.pool_sticky_evicted.with_label_values(own),
            tls_handshake: all.pool_tls_handshake.with_label_values(own),
            registered,
        }
    }

    /// A server was chosen, and this decided which.
    pub fn picked<L: Label>(&self, pick: L) {
        self.picks.inc(pick);
    }

    /// A choice found no server.
    pub fn no_server<L: Label>(&self, why: L) {
        self.no_server.inc(why);
    }

    /// A session goes on to a further server.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// How many clients the sticky table holds now.
    pub fn sticky_entries(&self, count: usize) {
        self.sticky_entries
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// An entry left the sticky table because it was full.
    pub fn sticky_evicted(&self) {
        self.sticky_evicted.inc();
    }

    /// A TLS handshake with a server succeeded.
    pub fn tls_handshake(&self, took: Duration) {
        self.tls_handshake.observe(took.as_secs_f64());
    }

    /// A name of one of the servers was looked up.
    pub fn resolved<L: Label>(&self, result: L) {
        self.answers.inc(result);
    }

    /// Whose these are.
    pub fn name(&self) -> &PoolName {
        &self.name
    }
}

impl Drop for PoolMetrics {
    fn drop(&mut self) {
        let own = &[self.name.as_str()];
        self.registered.leave(&Key::Pool(self.name.clone()), |all| {
            let _ = all.session_retries.remove_label_values(own);
            let _ = all.pool_sticky_entries.remove_label_values(own);
            let _ = all.pool_sticky_evicted.remove_label_values(own);
            let _ = all.pool_tls_handshake.remove_label_values(own);
            self.picks.remove();
            self.no_server.remove();
            self.answers.remove();
        });
    }
}

impl ServerMetrics {
    pub(super) fn new(pool: &PoolName, name: &ServerName, registered: Registered) -> Self {
        let all = &registered.families;
        let own = &[pool.as_str(), name.as_str()];
        let bytes = |direction| {
            all.server_bytes
                .with_label_values(&[pool.as_str(), name.as_str(), direction])
        };
        Self {
            pool: pool.clone(),
            name: name.clone(),
            sessions: all.server_sessions.with_label_values(own),
            active: all.server_sessions_active.with_label_values(own),
            from_client: bytes(FROM_CLIENT),
            from_server: bytes(FROM_SERVER),
            connect: all.session_connect.with_label_values(own),
            first_byte: all.session_first_byte.with_label_values(own),
            dial_failures: ByWord::new(&all.server_dial_failures, own),
            weight: all.server_weight.with_label_values(own),
            health: OneOf::new(&all.server_health, own),
            admin: OneOf::new(&all.server_admin, own),
            probes: ByWord::new(&all.health_probes, own),
            probe: all.health_probe.with_label_values(own),
            transitions: ByWord::new(&all.health_transitions, own),
            registered,
        }
    }

    /// A session was given to this server.
    pub fn leased(&self) {
        self.sessions.inc();
        self.active.inc();
    }

    /// The session that [`Self::leased`] counted went away.
    pub fn returned(&self) {
        self.active.dec();
    }

    /// Bytes relayed since the last call.
    pub fn bytes(&self, from_client: u64, from_server: u64) {
        add(&self.from_client, from_client);
        add(&self.from_server, from_server);
    }

    /// A connect succeeded.
    pub fn connected(&self, took: Duration) {
        self.connect.observe(took.as_secs_f64());
    }

    /// A session's connect failed.
    pub fn dial_failed<L: Label>(&self, reason: L) {
        self.dial_failures.inc(reason);
    }

    /// The server's first byte came.
    pub fn first_byte(&self, took: Duration) {
        self.first_byte.observe(took.as_secs_f64());
    }

    /// The weight from now on.
    pub fn weight(&self, weight: u16) {
        self.weight.set(i64::from(weight));
    }

    /// The health from now on; not a transition by itself.
    pub fn health<L: Label>(&self, health: L) {
        self.health.set(health);
    }

    /// The order from now on.
    pub fn admin<L: Label>(&self, order: L) {
        self.admin.set(order);
    }

    /// A probe came to a verdict.
    pub fn probed<L: Label>(&self, verdict: L, took: Duration) {
        self.probes.inc(verdict);
        self.probe.observe(took.as_secs_f64());
    }

    /// The health changed to this.
    pub fn became<L: Label>(&self, health: L) {
        self.transitions.inc(health);
    }
}

impl Drop for ServerMetrics {
    fn drop(&mut self) {
        let (pool, name) = (self.pool.as_str(), self.name.as_str());
        let own = &[pool, name];
        let key = Key::Server(self.pool.clone(), self.name.clone());
        self.registered.leave(&key, |all| {
            let _ = all.server_sessions.remove_label_values(own);
            let _ = all.server_sessions_active.remove_label_values(own);
            let _ = all.session_connect.remove_label_values(own);
            let _ = all.session_first_byte.remove_label_values(own);
            let _ = all.server_weight.remove_label_values(own);
            let _ = all.health_probe.remove_label_values(own);
            for direction in [FROM_CLIENT, FROM_SERVER] {
                let _ = all
                    .server_bytes
                    .remove_label_values(&[pool, name, direction]);
            }
            self.dial_failures.remove();
            self.probes.remove();
            self.transitions.remove();
            self.health.remove();
            self.admin.remove();
        });
    }
}

/// Counters of one owner, one for each word of an enum, found by its index.
struct ByWord {
    family: IntCounterVec,
    own: Box<[String]>,
    children: OnceLock<Box<[(&'static str, IntCounter)]>>,
}

impl ByWord {
    fn new(family: &IntCounterVec, own: &[&str]) -> Self {
        Self {
            family: family.clone(),
            own: own.iter().copied().map(str::to_owned).collect(),
            children: OnceLock::new(),
        }
    }

    fn children<L: Label>(&self) -> &[(&'static str, IntCounter)] {
        self.children.get_or_init(|| {
            let word = |label: &L| {
                let word = label.as_str();
                (word, self.family.with_label_values(&self.with(word)))
            };
            L::ALL.iter().map(word).collect()
        })
    }

    fn inc<L: Label>(&self, label: L) {
        let found = self.children::<L>().get(label.index());
        debug_assert!(found.is_some_and(|(word, _)| *word == label.as_str()));
        if let Some((_, counter)) = found {
            counter.inc();
        }
    }

    fn with<'a>(&'a self, word: &'a str) -> Vec<&'a str> {
        self.own.iter().map(String::as_str).chain([word]).collect()
    }

    fn remove(&self) {
        for (word, _) in self.children.get().into_iter().flatten() {
            let _ = self.family.remove_label_values(&self.with(word));
        }
    }
}

/// Gauges of one owner of which one is 1 and the others are 0.
struct OneOf {
    family: IntGaugeVec,
    own: Box<[String]>,
    children: OnceLock<Box<[(&'static str, IntGauge)]>>,
}

impl OneOf {
    fn new(family: &IntGaugeVec, own: &[&str]) -> Self {
        Self {
            family: family.clone(),
            own: own.iter().copied().map(str::to_owned).collect(),
            children: OnceLock::new(),
        }
    }

    fn set<L: Label>(&self, label: L) {
        let children = self.children.get_or_init(|| {
            let word = |label: &L| {
                let word = label.as_str();
                (word, self.family.with_label_values(&self.with(word)))
            };
            L::ALL.iter().map(word).collect()
        });
        for (word, gauge) in children {
            gauge.set(i64::from(*word == label.as_str()));
        }
    }

    fn with<'a>(&'a self, word: &'a str) -> Vec<&'a str> {
        self.own.iter().map(String::as_str).chain([word]).collect()
    }

    fn remove(&self) {
        for (word, _) in self.children.get().into_iter().flatten() {
            let _ = self.family.remove_label_values(&self.with(word));
        }
    }
}

fn add(counter: &IntCounter, bytes: u64) {
    if bytes > 0 {
        counter.inc_by(bytes);
    }
}

const FROM_CLIENT: &str = "from_client";
const FROM_SERVER: &str = "from_server";

/// Handles are shared by all workers.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<ListenerMetrics>>();
    shared::<Arc<PoolMetrics>>();
    shared::<Arc<ServerMetrics>>();
};
