//! Counters of one server: its sessions, its probes, its state.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::by_word::{Counters, OneOf, Rare};
use super::bytes::Bytes;
use super::living::Registered;
use crate::base::word::Label;
use crate::plan::{PoolName, ServerName};
use crate::telemetry::timelines::Figures;

/// One server's counters.
pub struct ServerMetrics {
    sessions: IntCounter,
    active: IntGauge,
    bytes: Bytes,
    connect: Histogram,
    first_byte: Histogram,
    dial_failures: Counters,
    session_faults: Rare,
    quarantines: Rare,
    weight: IntGauge,
    health: OneOf,
    role: OneOf,
    admin: OneOf,
    probes: Counters,
    probe: Histogram,
    faults: Rare,
    transitions: Counters,
    registered: Registered<(PoolName, ServerName), Self>,
}

impl ServerMetrics {
    pub(in crate::telemetry) fn new(registered: Registered<(PoolName, ServerName), Self>) -> Self {
        let all = &registered.families;
        let (pool, name) = &registered.name;
        let own = &[pool.as_str(), name.as_str()];
        Self {
            sessions: all.server_sessions.with_label_values(own),
            active: all.server_sessions_active.with_label_values(own),
            bytes: Bytes::new(&all.server_bytes, own),
            connect: all.session_connect.with_label_values(own),
            first_byte: all.session_first_byte.with_label_values(own),
            dial_failures: Counters::new(&all.server_dial_failures, own),
            session_faults: Rare::new(&all.server_session_faults, own),
            quarantines: Rare::new(&all.health_quarantines, own),
            weight: all.server_weight.with_label_values(own),
            health: OneOf::new(&all.server_health, own),
            role: OneOf::new(&all.server_role, own),
            admin: OneOf::new(&all.server_admin, own),
            probes: Counters::new(&all.health_probes, own),
            probe: all.health_probe.with_label_values(own),
            faults: Rare::new(&all.health_faults, own),
            transitions: Counters::new(&all.health_transitions, own),
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
        self.bytes.add(from_client, from_server);
    }

    /// A connect succeeded.
    pub fn connected(&self, took: Duration) {
        self.connect.observe(took.as_secs_f64());
    }

    /// A session's connect failed.
    pub fn dial_failed<L: Label>(&self, reason: L) {
        self.dial_failures.inc(reason);
    }

    /// A connected session was not served.
    pub fn session_failed<L: Label>(&self, fault: L) {
        self.session_faults.inc(fault);
    }

    /// Kept out although probes find it up, or spared that.
    pub fn quarantined<L: Label>(&self, cause: L) {
        self.quarantines.inc(cause);
    }

    /// The server's first byte came.
    pub fn first_byte(&self, took: Duration) {
        self.first_byte.observe(took.as_secs_f64());
    }

    /// The weight from now on.
    pub fn weight(&self, weight: u16) {
        self.weight.set(i64::from(weight));
    }

    /// By what it says of its load, so many percent of its weight from now on; `None`: it is not asked.
    pub fn share(&self, percent: Option<u8>) {
        let (pool, name) = &self.registered.name;
        let own = &[pool.as_str(), name.as_str()];
        let shares = &self.registered.families.server_load_share;
        match percent {
            Some(percent) => shares
                .with_label_values(own)
                .set(f64::from(percent) / 100.0),
            None => drop(shares.remove_label_values(own)),
        }
    }

    /// It did not say how loaded it is.
    pub fn load_missed(&self) {
        let (pool, name) = &self.registered.name;
        let own = &[pool.as_str(), name.as_str()];
        let misses = &self.registered.families.server_load_misses;
        misses.with_label_values(own).inc();
    }

    /// The health from now on; not a transition by itself.
    pub fn health<L: Label>(&self, health: L) {
        self.health.set(health);
    }

    /// What it says that it is from now on, if it says anything.
    pub fn role<L: Label>(&self, role: Option<L>) {
        match role {
            Some(role) => self.role.set(role),
            None => self.role.clear(),
        }
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

    /// A probe's verdict was not up, for this reason.
    pub fn faulted<L: Label>(&self, reason: L) {
        self.faults.inc(reason);
    }

    /// The checker panicked.
    pub fn checker_failed(&self) {
        let (pool, name) = &self.registered.name;
        let own = &[pool.as_str(), name.as_str()];
        let panics = &self.registered.families.health_panics;
        panics.with_label_values(own).inc();
    }

    /// Where its counters stand, for its time line.
    pub fn figures(&self) -> Figures {
        let times = |all: &Histogram| (all.get_sample_count(), all.get_sample_sum());
        let (from_client, from_server) = self.bytes.both();
        Figures {
            active: u64::try_from(self.active.get()).unwrap_or(0),
            opened: self.sessions.get(),
            failed: self.dial_failures.total() + self.session_faults.total(),
            from_client,
            from_server,
            connect: times(&self.connect),
            first_byte: times(&self.first_byte),
        }
    }

    /// The health changed to this.
    pub fn became<L: Label>(&self, health: L) {
        self.transitions.inc(health);
    }
}

impl Drop for ServerMetrics {
    fn drop(&mut self) {
        let (pool, name) = &self.registered.name;
        let own = &[pool.as_str(), name.as_str()];
        self.registered.leave(|all| {
            let _ = all.server_sessions.remove_label_values(own);
            let _ = all.server_sessions_active.remove_label_values(own);
            let _ = all.session_connect.remove_label_values(own);
            let _ = all.session_first_byte.remove_label_values(own);
            let _ = all.server_weight.remove_label_values(own);
            let _ = all.server_load_share.remove_label_values(own);
            let _ = all.server_load_misses.remove_label_values(own);
            let _ = all.health_probe.remove_label_values(own);
            let _ = all.health_panics.remove_label_values(own);
            self.bytes.remove();
            self.dial_failures.remove();
            self.session_faults.remove();
            self.quarantines.remove();
            self.probes.remove();
            self.faults.remove();
            self.transitions.remove();
            self.health.remove();
            self.role.remove();
            self.admin.remove();
        });
    }
}
