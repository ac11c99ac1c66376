//! The one store of metrics: gives out handles, and prints everything for Prometheus.
//!
//! A handle is shared by all who ask for the same name, and its series stay as long as somebody holds it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{IntCounter, TextEncoder};

use super::families::{Declared, Families};
use super::handles::{
    AlertMetrics, ListenerMetrics, Living, PeerMetrics, PoolMetrics, ServerMetrics, StateMetrics,
    VipMetrics,
};
use super::journal::Journal;
use super::process;
use super::timelines::Timelines;
use crate::base::word::{Label, words};
use crate::plan::{ListenerName, PoolName, ServerName, VipName};

/// All metrics of this process. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct Metrics {
    families: Arc<Families>,
    listeners: Arc<Living<ListenerName, ListenerMetrics>>,
    pools: Arc<Living<PoolName, PoolMetrics>>,
    servers: Arc<Living<(PoolName, ServerName), ServerMetrics>>,
    peers: Arc<Living<String, PeerMetrics>>,
    journal: Journal,
    timelines: Timelines,
}

words! {
    /// How a reload ended.
    pub enum ReloadResult {
        /// The new configuration runs.
        Applied = "applied",
        /// It was faulty: the old one runs on.
        Refused = "refused",
    }
}

words! {
    /// What became of a takeover.
    pub enum HandoverResult {
        /// This howdah took over: the other one drains.
        Taken = "taken",
        /// The same, and the other one did not answer any more.
        Alone = "alone",
        /// Another wanted to take over, and did not come to serve: everything is as it was.
        Failed = "failed",
        /// Another wanted to take over at a bad time.
        Refused = "refused",
    }
}

impl Metrics {
    /// An empty store; the reload time is now, the generation 1.
    pub fn new() -> Self {
        let families = Arc::new(Families::declare());
        families
            .build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        families.app_generation.set(1);
        families.app_last_reload.set(unix(SystemTime::now()));
        for task in ["keeper", "accept"] {
            families.app_panics.with_label_values(&[task]);
        }
        for result in [ReloadResult::Applied, ReloadResult::Refused] {
            families.app_reloads.with_label_values(&[result.as_str()]);
        }
        for result in <HandoverResult as Label>::ALL {
            families.handovers.with_label_values(&[result.as_str()]);
        }
        let told = families.journal_events.clone();
        let missed = families.journal_missed.with_label_values::<&str>(&[]);
        Self {
            journal: Journal::new(told, missed),
            timelines: Timelines::default(),
            families,
            listeners: Arc::default(),
            pools: Arc::default(),
            servers: Arc::default(),
            peers: Arc::default(),
        }
    }

    /// The counters of a listener.
    pub fn listener(&self, name: &ListenerName) -> Arc<ListenerMetrics> {
        let Self {
            families,
            listeners,
            ..
        } = self;
        listeners.handle(name.clone(), families, ListenerMetrics::new)
    }

    /// The counters of a pool.
    pub fn pool(&self, name: &PoolName) -> Arc<PoolMetrics> {
        let Self {
            families, pools, ..
        } = self;
        pools.handle(name.clone(), families, PoolMetrics::new)
    }

    /// The counters of a server.
    pub fn server(&self, pool: &PoolName, name: &ServerName) -> Arc<ServerMetrics> {
        let Self {
            families, servers, ..
        } = self;
        let name = (pool.clone(), name.clone());
        servers.handle(name, families, ServerMetrics::new)
    }

    /// The counters of an alert.
    pub fn alert(&self, name: &str) -> AlertMetrics {
        AlertMetrics::new(&self.families, name)
    }

    /// The counters of a virtual address.
    pub fn vip(&self, name: &VipName) -> VipMetrics {
        VipMetrics::new(&self.families, name.as_str())
    }

    /// The counters of a peer.
    pub fn peer(&self, name: &str) -> Arc<PeerMetrics> {
        let Self {
            families, peers, ..
        } = self;
        peers.handle(name.to_owned(), families, PeerMetrics::new)
    }

    /// A connection to the address of peers was refused: it is nobody's, or speaks something else.
    pub fn peer_refused(&self, reason: &'static str) {
        let family = &self.families.peers_refused;
        family.with_label_values(&[reason]).inc();
    }

    /// Of the state file.
    pub fn state(&self) -> StateMetrics {
        StateMetrics::new(&self.families)
    }

    /// What happened, in order.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What servers did in the last hour.
    pub fn timelines(&self) -> &Timelines {
        &self.timelines
    }

    /// A reload ended.
    pub fn reloaded(&self, result: ReloadResult) {
        let word = &[result.as_str()];
        self.families.app_reloads.with_label_values(word).inc();
        let last = match result {
            ReloadResult::Applied => &self.families.app_last_reload,
            ReloadResult::Refused => &self.families.app_last_refused_reload,
        };
        last.set(unix(SystemTime::now()));
    }

    /// Sessions that may be open at once.
    pub fn max_connections(&self, most: u32) {
        self.families.app_max_connections.set(most.into());
    }

    /// The number of the running configuration.
    pub fn generation(&self, generation: u64) {
        let shown = i64::try_from(generation).unwrap_or(i64::MAX);
        self.families.app_generation.set(shown);
    }

    /// The process began to stop.
    pub fn draining(&self) {
        self.families.app_draining.set(1);
    }

    /// A takeover ended.
    pub fn handed_over(&self, result: HandoverResult) {
        let word = &[result.as_str()];
        self.families.handovers.with_label_values(word).inc();
    }

    /// So long it took from asking another howdah until it drained.
    pub fn took_over_within(&self, time: Duration) {
        let took = &self.families.handover_took;
        took.with_label_values::<&str>(&[])
            .observe(time.as_secs_f64());
    }

    /// Howdahs that were taken over from and are still there, and their sessions.
    pub fn predecessors(&self, howdahs: usize, sessions: u64) {
        self.families.handover_predecessors.set(shown(howdahs));
        let sessions = i64::try_from(sessions).unwrap_or(i64::MAX);
        self.families.handover_sessions.set(sessions);
    }

    /// Whether there is a session with the ZooKeeper of `[cluster]`.
    pub fn cluster_connected(&self, connected: bool) {
        self.families.cluster_connected.set(connected.into());
    }

    /// Howdahs that were heard of, this one included.
    pub fn cluster_members(&self, members: usize) {
        self.families.cluster_members.set(shown(members));
    }

    /// Whether this howdah leads.
    pub fn cluster_leads(&self, leads: bool) {
        self.families.cluster_leads.set(leads.into());
    }

    /// Orders that are not in ZooKeeper yet.
    pub fn cluster_orders_waiting(&self, orders: usize) {
        self.families.cluster_orders_waiting.set(shown(orders));
    }

    /// Servers that others see otherwise.
    pub fn cluster_differences(&self, servers: usize) {
        self.families.cluster_differences.set(shown(servers));
    }

    /// Znodes that were ignored.
    pub fn cluster_junk(&self, znodes: usize) {
        let znodes = u64::try_from(znodes).unwrap_or(u64::MAX);
        self.families
            .cluster_junk
            .with_label_values::<&str>(&[])
            .inc_by(znodes);
    }

    /// A task of howdah had a fault, was caught, and goes on. The word names the task.
    pub fn panicked(&self, task: &'static str) {
        self.families.app_panics.with_label_values(&[task]).inc();
    }

    /// Sessions that are open now, also of listeners that left the file.
    pub fn sessions_active(&self) -> u64 {
        let families = self.families.session_active.collect();
        let children = families.iter().flat_map(|family| family.get_metric());
        let open = children.map(|child| child.get_gauge().get_value() as i64);
        u64::try_from(open.sum::<i64>()).unwrap_or(0)
    }

    /// Every certificate in use, by the path in the configuration; replaces the former list.
    pub fn certificates<'a>(&self, all: impl IntoIterator<Item = (&'a str, SystemTime)>) {
        self.families.tls_certificate_expiry.reset();
        for (path, not_after) in all {
            let gauge = &self.families.tls_certificate_expiry;
            gauge.with_label_values(&[path]).set(unix(not_after));
        }
    }

    /// Lines that could not be written, of `log`: access or process.
    pub(super) fn log_lines_lost(&self, log: &str) -> IntCounter {
        self.families.log_lines_lost.with_label_values(&[log])
    }

    /// Times that the history could not be written.
    pub fn history_failures(&self) -> IntCounter {
        let none: &[&str] = &[];
        self.families.history_failures.with_label_values(none)
    }

    /// A request to the admin address was answered.
    pub fn admin_answered(&self, code: u16) {
        let mut text = [0; 3];
        let code = three_digits(code, &mut text);
        self.families
            .admin_requests
            .with_label_values(&[code])
            .inc();
    }

    /// A connection to the admin address ended; the word is one of `admin`'s.
    pub fn admin_ended(&self, end: &'static str) {
        self.families
            .admin_connections
            .with_label_values(&[end])
            .inc();
    }

    /// Every family, in the order of the documentation.
    pub fn declared(&self) -> &[Declared] {
        &self.families.declared
    }

    /// The Prometheus text format, with fresh process figures.
    pub fn render(&self) -> String {
        process::refresh(&self.families);
        let gathered = self.families.registry.gather();
        // Families are valid by declaration; an encoder that fails still leaves what it wrote.
        let mut text = String::with_capacity(16 * 1024);
        let _ = TextEncoder::new().encode_utf8(&gathered, &mut text);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn shown(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
}

fn three_digits(code: u16, text: &mut [u8; 3]) -> &str {
    for (place, digit) in [(0, code / 100 % 10), (1, code / 10 % 10), (2, code % 10)] {
        text[place] = b'0' + u8::try_from(digit).unwrap_or(0);
    }
    std::str::from_utf8(text).unwrap_or("000")
}

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// Stands for the session's reasons.
        enum Reason {
            /// One.
            ClientClosed = "client-closed",
            /// Two.
            ServerReset = "server-reset",
        }
    }

    fn names() -> (ListenerName, PoolName, ServerName) {
        (
            ListenerName::new("front"),
            PoolName::new("hive"),
            ServerName::new("hs2-1:10000"),
        )
    }

    #[test]
    fn a_session_is_counted_once_in_every_family() {
        let metrics = Metrics::new();
        let (listener, pool, server) = names();
        let (front, hive, hs2) = (
            metrics.listener(&listener),
            metrics.pool(&pool),
            metrics.server(&pool, &server),
        );
        front.opened();
        hs2.leased();
        hive.picked(Reason::ClientClosed);
        front.bytes(10, 20);
        assert_eq!(front.sessions_active(), 1);
        front.ended(Reason::ServerReset, Duration::from_secs(3));
        hs2.returned();
        assert_eq!((front.sessions_active(), front.sessions_total()), (0, 1));
        let text = metrics.render();
        for line in [
            "howdah_session_opened_total{listener=\"front\"} 1",
            "howdah_session_active{listener=\"front\"} 0",
            "howdah_session_ended_total{listener=\"front\",reason=\"server-reset\"} 1",
            "howdah_session_ended_total{listener=\"front\",reason=\"client-closed\"} 0",
            "howdah_session_bytes_total{direction=\"from_server\",listener=\"front\"} 20",
            "howdah_session_duration_seconds_bucket{listener=\"front\",le=\"10\"} 1",
            "howdah_server_sessions_total{pool=\"hive\",server=\"hs2-1:10000\"} 1",
            "howdah_server_sessions_active{pool=\"hive\",server=\"hs2-1:10000\"} 0",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn what_nobody_holds_leaves_the_page() {
        let metrics = Metrics::new();
        let (listener, pool, server) = names();
        let held = (
            metrics.listener(&listener),
            metrics.pool(&pool),
            metrics.server(&pool, &server),
        );
        held.0.opened();
        held.0.ended(Reason::ClientClosed, Duration::ZERO);
        held.0.refused(Reason::ClientClosed);
        held.0.accept_failed(Reason::ClientClosed);
        held.1.picked(Reason::ClientClosed);
        held.1.no_server(Reason::ClientClosed);
        held.1.resolved(Reason::ClientClosed);
        held.2.health(Reason::ClientClosed);
        held.2.admin(Reason::ClientClosed);
        held.2.became(Reason::ClientClosed);
        held.2.probed(Reason::ClientClosed, Duration::ZERO);
        held.2.dial_failed(Reason::ClientClosed);
        held.2.faulted(Reason::ClientClosed);
        held.2.session_failed(Reason::ClientClosed);
        held.2.quarantined(Reason::ClientClosed);
        held.2.checker_failed();
        let second = metrics.listener(&listener);
        drop(held);
        let text = metrics.render();
        assert!(text.contains("howdah_session_opened_total{listener=\"front\"} 1"));
        assert!(!text.contains("hive"), "pool or server still in\n{text}");
        drop(second);
        let text = metrics.render();
        assert!(!text.contains("front"), "listener still in\n{text}");
    }

    #[test]
    fn a_newer_handle_of_the_same_name_keeps_the_series() {
        let metrics = Metrics::new();
        let (_, pool, server) = names();
        let old = metrics.server(&pool, &server);
        old.leased();
        // What happens when the last holder lets go while another thread asks for the name.
        metrics.servers.lock().named.clear();
        let new = metrics.server(&pool, &server);
        drop(old);
        new.leased();
        let line = "howdah_server_sessions_total{pool=\"hive\",server=\"hs2-1:10000\"} 2";
        assert!(metrics.render().contains(line));
    }

    #[test]
    fn a_peer_that_begins_anew_before_the_former_has_gone_keeps_its_series() {
        let metrics = Metrics::new();
        let former = metrics.peer("lb-2");
        former.know(&["lost"], &[]);
        let anew = metrics.peer("lb-2");
        drop(former);
        anew.connected(true);
        let text = metrics.render();
        assert!(text.contains("howdah_peers_connected{peer=\"lb-2\"} 1"));
        drop(anew);
        assert!(!metrics.render().contains("lb-2"), "still in");
    }

    #[test]
    fn exactly_one_state_is_set() {
        let metrics = Metrics::new();
        let (_, pool, server) = names();
        let hs2 = metrics.server(&pool, &server);
        hs2.health(Reason::ClientClosed);
        hs2.health(Reason::ServerReset);
        let text = metrics.render();
        assert!(text.contains("{health=\"client-closed\",pool=\"hive\",server=\"hs2-1:10000\"} 0"));
        assert!(text.contains("{health=\"server-reset\",pool=\"hive\",server=\"hs2-1:10000\"} 1"));
    }

    #[test]
    fn certificates_that_went_are_not_shown() {
        let metrics = Metrics::new();
        metrics.certificates([("a.crt", UNIX_EPOCH), ("b.crt", UNIX_EPOCH)]);
        metrics.certificates([("b.crt", UNIX_EPOCH + Duration::from_secs(7))]);
        let text = metrics.render();
        assert!(!text.contains("a.crt"));
        assert!(text.contains("{certificate=\"b.crt\"} 7"));
    }

    #[test]
    fn codes_are_three_digits() {
        let mut text = [0; 3];
        assert_eq!(three_digits(422, &mut text), "422");
    }
}
