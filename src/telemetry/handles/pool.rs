//! Counters of one pool.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{Histogram, IntCounter, IntGauge};

use super::by_word::Counters;
use super::living::Registered;
use super::served::{Served, SessionResult};
use super::shown::Shown;
use crate::base::word::Label;
use crate::plan::PoolName;
use crate::telemetry::families::Families;
use crate::telemetry::sketch::{LiveSketch, Sketch};

/// What is measured of a pool's servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times<S> {
    /// Connects that succeeded.
    pub connect: S,
    /// Of each session: from its first bytes to the server until the first bytes back.
    pub first_byte: S,
    /// The same of every question of every session.
    pub turn: S,
}

/// One pool's counters.
pub struct PoolMetrics {
    served: Served,
    shown: Shown,
    times: Times<LiveSketch>,
    picks: Counters,
    no_server: Counters,
    answers: Counters,
    listings: Counters,
    queue_length: IntGauge,
    queue_ends: Counters,
    queue_wait: Histogram,
    retries: IntCounter,
    panic: IntGauge,
    conflict: IntGauge,
    conflicts: IntCounter,
    sticky_entries: IntGauge,
    sticky_evicted: IntCounter,
    tls_handshake: Histogram,
    registered: Registered<PoolName, Self>,
}

impl PoolMetrics {
    pub(in crate::telemetry) fn new(registered: Registered<PoolName, Self>) -> Self {
        let all = &registered.families;
        let own = &[registered.name.as_str()];
        Self {
            served: Served::new(&all.pool_sessions, own),
            shown: Shown::new(&all.pool_shown, registered.name.as_str()),
            times: Times::default(),
            picks: Counters::new(&all.pool_picks, own),
            no_server: Counters::new(&all.pool_no_server, own),
            answers: Counters::new(&all.discovery_answers, own),
            listings: Counters::new(&all.discovery_listings, own),
            queue_length: all.pool_queue_length.with_label_values(own),
            queue_ends: Counters::new(&all.pool_queue_ends, own),
            queue_wait: all.pool_queue_wait.with_label_values(own),
            retries: all.session_retries.with_label_values(own),
            panic: all.pool_panic.with_label_values(own),
            conflict: all.pool_conflict.with_label_values(own),
            conflicts: all.pool_conflicts.with_label_values(own),
            sticky_entries: all.pool_sticky_entries.with_label_values(own),
            sticky_evicted: all.pool_sticky_evicted.with_label_values(own),
            tls_handshake: all.pool_tls_handshake.with_label_values(own),
            registered,
        }
    }

    /// A session that ended got a server, or not.
    pub fn served(&self, result: SessionResult) {
        self.served.count(result);
    }

    /// Sessions since start that got a server, and that did not.
    pub fn served_total(&self) -> (u64, u64) {
        self.served.totals()
    }

    /// A connect to a server took this long.
    pub fn connected(&self, took: Duration) {
        self.times.connect.observe(took);
    }

    /// A server answered a turn with its first byte after so long; `first` is a session's first turn.
    pub fn answered(&self, took: Duration, first: bool) {
        self.times.turn.observe(took);
        if first {
            self.times.first_byte.observe(took);
        }
    }

    /// What was measured since the last call.
    pub fn take_times(&self) -> Times<Sketch> {
        Times {
            connect: self.times.connect.take(),
            first_byte: self.times.first_byte.take(),
            turn: self.times.turn.take(),
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

    /// How many sessions wait now.
    pub fn queue_length(&self, count: usize) {
        self.queue_length
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A session has waited, and this came of it.
    pub fn queue_ended<L: Label>(&self, end: L, waited: Duration) {
        self.queue_ends.inc(end);
        self.queue_wait.observe(waited.as_secs_f64());
    }

    /// A session goes on to a further server.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// Further servers that sessions went on to, since start.
    pub fn retries_total(&self) -> u64 {
        self.retries.get()
    }

    /// Servers that are down take sessions too, or no more.
    pub fn panic(&self, panic: bool) {
        self.panic.set(i64::from(panic));
    }

    /// Several servers say that they are the active one, or no more.
    pub fn conflict(&self, conflict: bool) {
        self.conflict.set(i64::from(conflict));
        self.conflicts.inc_by(u64::from(conflict));
    }

    /// 1 while there is a conflict.
    #[cfg(test)]
    pub fn conflicts_now(&self) -> i64 {
        self.conflict.get()
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

    /// Who lists the servers answered, or did not.
    pub fn listed<L: Label>(&self, result: L) {
        self.listings.inc(result);
    }

    /// How many servers are listed now, and since when that is known; `stale`: it may be so no more. Only pools with a
    /// source have these series.
    pub fn roster(&self, count: usize, stale: bool, heard: Option<SystemTime>) {
        let (all, own) = (&self.registered.families, &[self.registered.name.as_str()]);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        all.discovery_members.with_label_values(own).set(count);
        let stale = i64::from(stale);
        all.discovery_stale.with_label_values(own).set(stale);
        let heard = heard.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        if let Some(heard) = heard {
            let heard = heard.as_secs_f64();
            all.discovery_heard.with_label_values(own).set(heard);
        }
    }

    /// No source is asked any more.
    pub fn no_roster(&self) {
        let (all, own) = (&self.registered.families, &[self.registered.name.as_str()]);
        forget_roster(all, own);
    }

    /// How available it is.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// Whose these are.
    pub fn name(&self) -> &PoolName {
        &self.registered.name
    }
}

impl Drop for PoolMetrics {
    fn drop(&mut self) {
        let own = &[self.registered.name.as_str()];
        self.registered.leave(|all| {
            let _ = all.pool_queue_length.remove_label_values(own);
            let _ = all.pool_queue_wait.remove_label_values(own);
            let _ = all.session_retries.remove_label_values(own);
            let _ = all.pool_panic.remove_label_values(own);
            let _ = all.pool_conflict.remove_label_values(own);
            let _ = all.pool_conflicts.remove_label_values(own);
            let _ = all.pool_sticky_entries.remove_label_values(own);
            let _ = all.pool_sticky_evicted.remove_label_values(own);
            let _ = all.pool_tls_handshake.remove_label_values(own);
            self.served.remove();
            self.shown.remove();
            self.queue_ends.remove();
            self.picks.remove();
            self.no_server.remove();
            self.answers.remove();
            self.listings.remove();
            forget_roster(all, own);
        });
    }
}

fn forget_roster(all: &Families, own: &[&str]) {
    let _ = all.discovery_members.remove_label_values(own);
    let _ = all.discovery_stale.remove_label_values(own);
    let _ = all.discovery_heard.remove_label_values(own);
}
