//! Counters of one listener and its sessions.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::by_word::Counters;
use super::bytes::Bytes;
use super::living::Registered;
use super::served::{Served, SessionResult};
use super::shown::Shown;
use crate::base::word::{Label, words};
use crate::plan::ListenerName;

words! {
    /// The side that sent a datagram.
    enum Direction {
        /// On its way to a server.
        FromClient = "from_client",
        /// On its way back.
        FromServer = "from_server",
    }
}

/// One listener's counters.
pub struct ListenerMetrics {
    opened: IntCounter,
    active: IntGauge,
    ended: Counters,
    served: Served,
    shown: Shown,
    refused: Counters,
    accept_errors: Counters,
    datagrams: Counters,
    dropped: Counters,
    duration: Histogram,
    bytes: Bytes,
    tls_handshake: Histogram,
    registered: Registered<ListenerName, Self>,
}

impl ListenerMetrics {
    pub(in crate::telemetry) fn new(registered: Registered<ListenerName, Self>) -> Self {
        let all = &registered.families;
        let own = &[registered.name.as_str()];
        Self {
            opened: all.session_opened.with_label_values(own),
            active: all.session_active.with_label_values(own),
            ended: Counters::new(&all.session_ended, own),
            served: Served::new(&all.listener_sessions, own),
            shown: Shown::new(&all.listener_shown, registered.name.as_str()),
            refused: Counters::new(&all.listener_refused, own),
            accept_errors: Counters::new(&all.listener_accept_errors, own),
            datagrams: Counters::new(&all.listener_datagrams, own),
            dropped: Counters::new(&all.listener_datagrams_dropped, own),
            duration: all.session_duration.with_label_values(own),
            bytes: Bytes::new(&all.session_bytes, own),
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

    /// A session that ended got a server, or not.
    pub fn served(&self, result: SessionResult) {
        self.served.count(result);
    }

    /// Sessions since start that got a server, and that did not.
    pub fn served_total(&self) -> (u64, u64) {
        self.served.totals()
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
        self.bytes.add(from_client, from_server);
    }

    /// Datagrams relayed since the last call, as [`Self::bytes`] for bytes.
    pub fn datagrams(&self, from_client: u64, from_server: u64) {
        self.datagrams.add(Direction::FromClient, from_client);
        self.datagrams.add(Direction::FromServer, from_server);
    }

    /// A datagram was not passed on.
    pub fn dropped<L: Label>(&self, reason: L) {
        self.dropped.inc(reason);
    }

    /// A TLS handshake with a client succeeded.
    pub fn tls_handshake(&self, took: Duration) {
        self.tls_handshake.observe(took.as_secs_f64());
    }

    /// Accepting had a fault of ours, and goes on.
    pub fn accept_panicked(&self) {
        let panics = &self.registered.families.app_panics;
        panics.with_label_values(&["accept"]).inc();
    }

    /// How available it is.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// Whose these are.
    pub fn name(&self) -> &ListenerName {
        &self.registered.name
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
        let own = &[self.registered.name.as_str()];
        self.registered.leave(|all| {
            let _ = all.session_opened.remove_label_values(own);
            let _ = all.session_active.remove_label_values(own);
            let _ = all.session_duration.remove_label_values(own);
            let _ = all.listener_tls_handshake.remove_label_values(own);
            self.bytes.remove();
            self.ended.remove();
            self.served.remove();
            self.shown.remove();
            self.refused.remove();
            self.accept_errors.remove();
            self.datagrams.remove();
            self.dropped.remove();
        });
    }
}
