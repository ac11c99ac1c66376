//! Every metric family, declared once with its help text.
//!
//! The names are `howdah_<room>_<what>_<unit>[_total]`, and `docs/metrics.md` lists them all; a test compares
//! the two. Families without a label here are the process's own; the others get their children from
//! [`super::handles`].

mod declarer;

use prometheus::{
    Counter, Gauge, GaugeVec, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};

pub use self::declarer::Declared;
use self::declarer::Declarer;
use super::handles::ShownFamilies;

/// The families by room. Fields carry the name without `howdah_`.
pub(super) struct Families {
    pub(super) session_opened: IntCounterVec,
    pub(super) session_ended: IntCounterVec,
    pub(super) session_active: IntGaugeVec,
    pub(super) session_duration: HistogramVec,
    pub(super) session_bytes: IntCounterVec,
    pub(super) session_connect: HistogramVec,
    pub(super) session_first_byte: HistogramVec,
    pub(super) session_retries: IntCounterVec,
    pub(super) listener_sessions: IntCounterVec,
    pub(super) listener_shown: ShownFamilies,
    pub(super) listener_refused: IntCounterVec,
    pub(super) listener_accept_errors: IntCounterVec,
    pub(super) listener_datagrams: IntCounterVec,
    pub(super) listener_datagrams_dropped: IntCounterVec,
    pub(super) listener_tls_handshake: HistogramVec,
    pub(super) pool_tls_handshake: HistogramVec,
    pub(super) pool_sessions: IntCounterVec,
    pub(super) pool_shown: ShownFamilies,
    pub(super) pool_picks: IntCounterVec,
    pub(super) pool_no_server: IntCounterVec,
    pub(super) pool_queue_length: IntGaugeVec,
    pub(super) pool_queue_ends: IntCounterVec,
    pub(super) pool_queue_wait: HistogramVec,
    pub(super) pool_panic: IntGaugeVec,
    pub(super) pool_conflict: IntGaugeVec,
    pub(super) pool_conflicts: IntCounterVec,
    pub(super) pool_sticky_entries: IntGaugeVec,
    pub(super) pool_sticky_evicted: IntCounterVec,
    pub(super) server_sessions: IntCounterVec,
    pub(super) server_sessions_active: IntGaugeVec,
    pub(super) server_bytes: IntCounterVec,
    pub(super) server_dial_failures: IntCounterVec,
    pub(super) server_session_faults: IntCounterVec,
    pub(super) server_weight: IntGaugeVec,
    pub(super) server_load_share: GaugeVec,
    pub(super) server_load_misses: IntCounterVec,
    pub(super) server_health: IntGaugeVec,
    pub(super) server_role: IntGaugeVec,
    pub(super) server_admin: IntGaugeVec,
    pub(super) health_probes: IntCounterVec,
    pub(super) health_probe: HistogramVec,
    pub(super) health_faults: IntCounterVec,
    pub(super) health_quarantines: IntCounterVec,
    pub(super) health_panics: IntCounterVec,
    pub(super) health_transitions: IntCounterVec,
    pub(super) discovery_answers: IntCounterVec,
    pub(super) discovery_listings: IntCounterVec,
    pub(super) discovery_members: IntGaugeVec,
    pub(super) discovery_stale: IntGaugeVec,
    pub(super) discovery_heard: GaugeVec,
    pub(super) app_reloads: IntCounterVec,
    pub(super) app_last_reload: Gauge,
    pub(super) app_last_refused_reload: Gauge,
    pub(super) app_max_connections: IntGauge,
    pub(super) app_generation: IntGauge,
    pub(super) app_draining: IntGauge,
    pub(super) app_panics: IntCounterVec,
    pub(super) cluster_connected: IntGauge,
    pub(super) cluster_members: IntGauge,
    pub(super) cluster_leads: IntGauge,
    pub(super) cluster_orders_waiting: IntGauge,
    pub(super) cluster_differences: IntGauge,
    pub(super) cluster_junk: IntCounterVec,
    pub(super) handovers: IntCounterVec,
    pub(super) handover_took: HistogramVec,
    pub(super) handover_predecessors: IntGauge,
    pub(super) handover_sessions: IntGauge,
    pub(super) tls_certificate_expiry: GaugeVec,
    pub(super) log_lines_lost: IntCounterVec,
    pub(super) history_failures: IntCounterVec,
    pub(super) state_writes: IntCounterVec,
    pub(super) state_kept: IntGauge,
    pub(super) state_saved: Gauge,
    pub(super) state_size: IntGauge,
    pub(super) state_took: HistogramVec,
    pub(super) state_recalled: IntCounterVec,
    pub(super) journal_events: IntCounterVec,
    pub(super) journal_missed: IntCounterVec,
    pub(super) alerts_messages: IntCounterVec,
    pub(super) alerts_dropped: IntCounterVec,
    pub(super) alerts_pending: IntGaugeVec,
    pub(super) vip_state: IntGaugeVec,
    pub(super) vip_changes: IntCounterVec,
    pub(super) vip_adverts: IntCounterVec,
    pub(super) vip_faults: IntCounterVec,
    pub(super) peers_connected: IntGaugeVec,
    pub(super) peers_sent: IntCounterVec,
    pub(super) peers_received: IntCounterVec,
    pub(super) peers_ignored: IntCounterVec,
    pub(super) peers_closed: IntCounterVec,
    pub(super) peers_refused: IntCounterVec,
    pub(super) admin_requests: IntCounterVec,
    pub(super) admin_connections: IntCounterVec,
    pub(super) build_info: IntGaugeVec,
    pub(super) process_cpu: Counter,
    pub(super) process_resident: IntGauge,
    pub(super) process_open_fds: IntGauge,
    pub(super) process_max_fds: IntGauge,
    pub(super) process_threads: IntGauge,
    pub(super) process_start: Gauge,
    pub(super) registry: Registry,
    pub(super) declared: Vec<Declared>,
}

const LISTENER: &[&str] = &["listener"];
const POOL: &[&str] = &["pool"];
const SERVER: &[&str] = &["pool", "server"];

impl Families {
    pub(super) fn declare() -> Self {
        let mut to = Declarer::default();
        Self {
            session_opened: to.counters(
                "howdah_session_opened_total",
                "Connections that a listener took.",
                LISTENER,
            ),
            session_ended: to.counters(
                "howdah_session_ended_total",
                "Sessions that ended, by the reason that the access log names.",
                &["listener", "reason"],
            ),
            session_active: to.gauges(
                "howdah_session_active",
                "Sessions open now.",
                LISTENER,
            ),
            session_duration: to.histograms(
                "howdah_session_duration_seconds",
                "From accept to the end of a session.",
                LISTENER,
                LIFETIMES,
            ),
            session_bytes: to.counters(
                "howdah_session_bytes_total",
                "Bytes relayed, by the side that sent them (from_client, from_server).",
                &["listener", "direction"],
            ),
            session_connect: to.histograms(
                "howdah_session_connect_seconds",
                "Time to connect to a server, for connects that succeeded.",
                SERVER,
                NETWORK,
            ),
            session_first_byte: to.histograms(
                "howdah_session_first_byte_seconds",
                "From the client's first byte going out to the server's first byte back.",
                SERVER,
                ANSWERS,
            ),
            session_retries: to.counters(
                "howdah_session_retries_total",
                "Connects to a further server after one failed.",
                POOL,
            ),
            listener_sessions: to.counters(
                "howdah_listener_sessions_total",
                "Sessions that ended, by whether they got a server (served, failed); what their client spoiled is in neither.",
                &["listener", "result"],
            ),
            listener_shown: ShownFamilies {
                available: to.gauges(
                    "howdah_listener_available",
                    "1 while it is bound and a pool behind it can serve, 0 while it cannot be reached.",
                    LISTENER,
                ),
                ratio: to.gauges_float(
                    "howdah_listener_available_ratio",
                    "Share of the last 30 days in which it could be reached; planned and unwatched time counts neither way.",
                    LISTENER,
                ),
                budget_left: to.gauges_float(
                    "howdah_listener_budget_left_ratio",
                    "Share that is left of what `slo` lets it be down in 30 days; below 0: the promise is broken.",
                    LISTENER,
                ),
                outages: to.counters(
                    "howdah_listener_outages_total",
                    "Times that it could not be reached any more, by kind: failure or planned.",
                    &["listener", "kind"],
                ),
            },
            listener_refused: to.counters(
                "howdah_listener_refused_total",
                "Connections that were turned away before a server was chosen, by reason.",
                &["listener", "reason"],
            ),
            listener_accept_errors: to.counters(
                "howdah_listener_accept_errors_total",
                "Accept calls that failed, by reason; the listener goes on.",
                &["listener", "reason"],
            ),
            listener_datagrams: to.counters(
                "howdah_listener_datagrams_total",
                "Datagrams relayed, by the side that sent them (from_client, from_server).",
                &["listener", "direction"],
            ),
            listener_datagrams_dropped: to.counters(
                "howdah_listener_datagrams_dropped_total",
                "Datagrams that were not passed on, by reason.",
                &["listener", "reason"],
            ),
            listener_tls_handshake: to.histograms(
                "howdah_listener_tls_handshake_seconds",
                "TLS handshakes with clients that succeeded.",
                LISTENER,
                NETWORK,
            ),
            pool_tls_handshake: to.histograms(
                "howdah_pool_tls_handshake_seconds",
                "TLS handshakes with servers that succeeded.",
                POOL,
                NETWORK,
            ),
            pool_sessions: to.counters(
                "howdah_pool_sessions_total",
                "Sessions that ended, by whether they got a server of the pool (served, failed); what their client spoiled is in neither.",
                &["pool", "result"],
            ),
            pool_shown: ShownFamilies {
                available: to.gauges(
                    "howdah_pool_available",
                    "1 while at least one server may take sessions, 0 while it cannot be reached.",
                    POOL,
                ),
                ratio: to.gauges_float(
                    "howdah_pool_available_ratio",
                    "Share of the last 30 days in which it could be reached; planned and unwatched time counts neither way.",
                    POOL,
                ),
                budget_left: to.gauges_float(
                    "howdah_pool_budget_left_ratio",
                    "Share that is left of what `slo` lets it be down in 30 days; below 0: the promise is broken.",
                    POOL,
                ),
                outages: to.counters(
                    "howdah_pool_outages_total",
                    "Times that it could not be reached any more, by kind: failure or planned.",
                    &["pool", "kind"],
                ),
            },
            pool_picks: to.counters(
                "howdah_pool_picks_total",
                "Servers chosen, by what decided.",
                &["pool", "pick"],
            ),
            pool_no_server: to.counters(
                "howdah_pool_no_server_total",
                "Choices that found no server, by reason.",
                &["pool", "reason"],
            ),
            pool_queue_length: to.gauges(
                "howdah_pool_queue_length",
                "Sessions that wait now for a server that is not full.",
                POOL,
            ),
            pool_queue_ends: to.counters(
                "howdah_pool_queue_ended_total",
                "Sessions that waited for a server that is not full, by how that ended: served, no-server, timeout, left.",
                &["pool", "end"],
            ),
            pool_queue_wait: to.histograms(
                "howdah_pool_queue_wait_seconds",
                "How long sessions waited for a server that is not full, however that ended.",
                POOL,
                ANSWERS,
            ),
            pool_panic: to.gauges(
                "howdah_pool_panic",
                "1 while so few servers are up that those that are down take sessions too.",
                POOL,
            ),
            pool_conflict: to.gauges(
                "howdah_pool_conflict",
                "1 while several servers say that they are the active one, in a pool that wants it alone.",
                POOL,
            ),
            pool_conflicts: to.counters(
                "howdah_pool_conflicts_total",
                "How often that began.",
                POOL,
            ),
            pool_sticky_entries: to.gauges(
                "howdah_pool_sticky_entries",
                "Clients that the sticky table remembers.",
                POOL,
            ),
            pool_sticky_evicted: to.counters(
                "howdah_pool_sticky_evicted_total",
                "Entries that left the sticky table before their time because it was full.",
                POOL,
            ),
            server_sessions: to.counters(
                "howdah_server_sessions_total",
                "Sessions given to a server, counted at the moment of choice.",
                SERVER,
            ),
            server_sessions_active: to.gauges(
                "howdah_server_sessions_active",
                "Sessions that a server holds now.",
                SERVER,
            ),
            server_bytes: to.counters(
                "howdah_server_bytes_total",
                "Bytes relayed to and from a server, by the side that sent them.",
                &["pool", "server", "direction"],
            ),
            server_dial_failures: to.counters(
                "howdah_server_dial_failures_total",
                "Connects of sessions to a server that failed, by reason.",
                &["pool", "server", "reason"],
            ),
            server_session_faults: to.counters(
                "howdah_server_session_faults_total",
                "Connected sessions that a server did not serve to their end, by reason.",
                &["pool", "server", "reason"],
            ),
            server_weight: to.gauges(
                "howdah_server_weight",
                "Weight of a server in its pool's balance.",
                SERVER,
            ),
            server_load_share: to.gauges_float(
                "howdah_server_load_share",
                "Share of its weight that a server bears by what it says of its load: above 0, at most 1.",
                SERVER,
            ),
            server_load_misses: to.counters(
                "howdah_server_load_misses_total",
                "Questions for the load of a server that had no answer, or none of use.",
                SERVER,
            ),
            server_health: to.gauges(
                "howdah_server_health",
                "1 for the health that a server has now: up, alive, down or unknown.",
                &["pool", "server", "health"],
            ),
            server_role: to.gauges(
                "howdah_server_role",
                "1 for the role that a server claims now: active or standby; there once it has claimed one, 0 for both when it does no more.",
                &["pool", "server", "role"],
            ),
            server_admin: to.gauges(
                "howdah_server_admin",
                "1 for the order that a server is under now: ready, draining or maintenance.",
                &["pool", "server", "admin"],
            ),
            health_probes: to.counters(
                "howdah_health_probes_total",
                "Probes, by their verdict: up, alive or down.",
                &["pool", "server", "verdict"],
            ),
            health_probe: to.histograms(
                "howdah_health_probe_seconds",
                "Time that a probe took, whatever its verdict.",
                SERVER,
                ANSWERS,
            ),
            health_faults: to.counters(
                "howdah_health_faults_total",
                "Probes whose verdict was not up, by reason.",
                &["pool", "server", "reason"],
            ),
            health_quarantines: to.counters(
                "howdah_health_quarantines_total",
                "Times that a server was kept out although its probes found it up, by cause; or was spared that.",
                &["pool", "server", "cause"],
            ),
            health_panics: to.counters(
                "howdah_health_panics_total",
                "Checkers that failed by a fault of howdah; another took over. Report it.",
                SERVER,
            ),
            health_transitions: to.counters(
                "howdah_health_transitions_total",
                "Changes of a server's health, by what it became.",
                &["pool", "server", "health"],
            ),
            discovery_answers: to.counters(
                "howdah_discovery_answers_total",
                "Name resolutions of a pool's servers, by result.",
                &["pool", "result"],
            ),
            discovery_listings: to.counters(
                "howdah_discovery_listings_total",
                "Answers of who lists a pool's servers, by result (changed, same, empty, silent).",
                &["pool", "result"],
            ),
            discovery_members: to.gauges(
                "howdah_discovery_members",
                "Servers that are listed, and that the file does not name.",
                POOL,
            ),
            discovery_stale: to.gauges(
                "howdah_discovery_stale",
                "1 while who lists the servers is silent or lists none: the last list is in force.",
                POOL,
            ),
            discovery_heard: to.gauges_float(
                "howdah_discovery_heard_timestamp_seconds",
                "When the list of servers was last known to be right, as Unix time.",
                POOL,
            ),
            app_reloads: to.counters(
                "howdah_app_reloads_total",
                "Reloads, by result: applied or refused.",
                &["result"],
            ),
            app_last_reload: to.gauge_float(
                "howdah_app_last_good_reload_timestamp_seconds",
                "When the running configuration was taken, as Unix time.",
            ),
            app_last_refused_reload: to.gauge_float(
                "howdah_app_last_refused_reload_timestamp_seconds",
                "When a reload was refused last, as Unix time; 0: never.",
            ),
            app_max_connections: to.gauge(
                "howdah_app_max_connections",
                "Sessions that may be open at once (global.max_connections).",
            ),
            app_generation: to.gauge(
                "howdah_app_generation",
                "Number of the running configuration: 1 at start, one more with each reload.",
            ),
            app_draining: to.gauge(
                "howdah_app_draining",
                "1 while howdah stops and waits for its sessions.",
            ),
            app_panics: to.counters(
                "howdah_app_panics_total",
                "Faults of howdah itself that it caught and went on from, by the task that had one: keeper, accept, alert.",
                &["task"],
            ),
            cluster_connected: to.gauge(
                "howdah_cluster_connected",
                "1 while howdah has a session with the ZooKeeper of [cluster].",
            ),
            cluster_members: to.gauge(
                "howdah_cluster_members",
                "Howdahs of [cluster] that were heard of in the last seconds, this one included; 0 without [cluster].",
            ),
            cluster_leads: to.gauge(
                "howdah_cluster_leads",
                "1 while this howdah leads, in mode active-standby.",
            ),
            cluster_orders_waiting: to.gauge(
                "howdah_cluster_orders_waiting",
                "Orders that were given here and are not in ZooKeeper yet.",
            ),
            cluster_differences: to.gauge(
                "howdah_cluster_differences",
                "Servers that are up here and down at another howdah, or the other way round, for a while.",
            ),
            cluster_junk: to.counters(
                "howdah_cluster_junk_total",
                "Znodes below the path of [cluster] that were ignored: of another form, of a newer howdah.",
                &[],
            ),
            handovers: to.counters(
                "howdah_handover_total",
                "Takeovers: from another howdah that drains now (taken), or did not answer any more (alone); of this one by another that did not come to serve (failed), or came at a bad time (refused).",
                &["result"],
            ),
            handover_took: to.histograms(
                "howdah_handover_seconds",
                "From asking another howdah for its sockets until it drained.",
                &[],
                ANSWERS,
            ),
            handover_predecessors: to.gauge(
                "howdah_handover_predecessors",
                "Howdahs that were taken over from and have not ended yet.",
            ),
            handover_sessions: to.gauge(
                "howdah_handover_predecessor_sessions",
                "Sessions that those still have.",
            ),
            tls_certificate_expiry: to.gauges_float(
                "howdah_tls_certificate_expiry_timestamp_seconds",
                "When a certificate ends to be valid, as Unix time.",
                &["certificate"],
            ),
            log_lines_lost: to.counters(
                "howdah_log_lines_lost_total",
                "Lines of the access log, or of the log (process), that could not be written: the queue was full or the write failed.",
                &["log"],
            ),
            journal_events: to.counters(
                "howdah_journal_events_total",
                "Events told to the journal, by kind and severity.",
                &["kind", "severity"],
            ),
            journal_missed: to.counters(
                "howdah_journal_missed_total",
                "Events that left the journal before somebody who follows it had read them.",
                &[],
            ),
            alerts_messages: to.counters(
                "howdah_alerts_messages_total",
                "Messages to the webhook of an alert: sent, refused by it (and dropped), failed (attempts that are made again).",
                &["alert", "result"],
            ),
            alerts_dropped: to.counters(
                "howdah_alerts_dropped_total",
                "Events that no message of this alert will tell of: there were too many.",
                &["alert"],
            ),
            alerts_pending: to.gauges(
                "howdah_alerts_pending",
                "Groups of events of which this alert still has to tell.",
                &["alert"],
            ),
            peers_connected: to.gauges(
                "howdah_peers_connected",
                "Whether there is a connection to this peer: 1 or 0.",
                &["peer"],
            ),
            peers_sent: to.counters(
                "howdah_peers_entries_sent_total",
                "Sticky entries that this peer was told, repetitions included.",
                &["peer"],
            ),
            peers_received: to.counters(
                "howdah_peers_entries_received_total",
                "Sticky entries that were taken from this peer.",
                &["peer"],
            ),
            peers_ignored: to.counters(
                "howdah_peers_entries_ignored_total",
                "Sticky entries that this peer told and that were not taken: of an unknown table, by another key, of an unknown server, for want of room.",
                &["peer", "reason"],
            ),
            peers_closed: to.counters(
                "howdah_peers_closed_total",
                "Connections to this peer that ended, and attempts that failed, by reason.",
                &["peer", "reason"],
            ),
            peers_refused: to.counters(
                "howdah_peers_refused_total",
                "Connections to the address of peers that no peer made, by reason.",
                &["reason"],
            ),
            history_failures: to.counters(
                "howdah_availability_write_failures_total",
                "Times that the history could not be written; it waits in memory and is tried again.",
                &[],
            ),
            vip_state: to.gauges(
                "howdah_vip_state",
                "1 for what this howdah is to a virtual address now: init, backup, master or fault.",
                &["vip", "state"],
            ),
            vip_changes: to.counters(
                "howdah_vip_changes_total",
                "How often it became that.",
                &["vip", "state"],
            ),
            vip_adverts: to.counters(
                "howdah_vip_adverts_total",
                "Advertisements of VRRP that were sent, or received and counted.",
                &["vip", "direction"],
            ),
            vip_faults: to.counters(
                "howdah_vip_faults_total",
                "Packets of VRRP with something wrong, by what; all but addresses and owner are ignored.",
                &["vip", "reason"],
            ),
            state_writes: to.counters(
                "howdah_state_writes_total",
                "Times that the state file was written, or could not be (failed).",
                &["result"],
            ),
            state_kept: to.gauge(
                "howdah_state_kept",
                "1 where the state file could be written when it was due last; 0 where it could not, where another howdah writes it, and without one.",
            ),
            state_saved: to.gauge_float(
                "howdah_state_saved_timestamp_seconds",
                "When the state file was written last, as Unix time; 0 before the first time.",
            ),
            state_size: to.gauge(
                "howdah_state_size_bytes",
                "Size of the state file when it was written last.",
            ),
            state_took: to.histograms(
                "howdah_state_write_seconds",
                "How long it took to write the state file, the disk included.",
                &[],
                NETWORK,
            ),
            state_recalled: to.counters(
                "howdah_state_recalled_total",
                "What was recalled at the start: orders (with weights), verdicts, clients, and what belonged to nobody here (ignored); files that could not be read (unread).",
                &["what"],
            ),
            admin_requests: to.counters(
                "howdah_admin_requests_total",
                "Requests to the admin address, by status code.",
                &["code"],
            ),
            admin_connections: to.counters(
                "howdah_admin_connections_total",
                "Connections to the admin address, by how they ended.",
                &["end"],
            ),
            build_info: to.gauges(
                "howdah_build_info",
                "Always 1; the label carries the version.",
                &["version"],
            ),
            process_cpu: to.counter_float(
                "howdah_process_cpu_seconds_total",
                "User and system time used.",
            ),
            process_resident: to.gauge(
                "howdah_process_resident_memory_bytes",
                "Memory held in RAM.",
            ),
            process_open_fds: to.gauge(
                "howdah_process_open_fds",
                "Open file descriptors.",
            ),
            process_max_fds: to.gauge(
                "howdah_process_max_fds",
                "Most file descriptors that may be open (soft limit).",
            ),
            process_threads: to.gauge(
                "howdah_process_threads",
                "Threads.",
            ),
            process_start: to.gauge_float(
                "howdah_process_start_time_seconds",
                "Start of the process, as Unix time.",
            ),
            registry: to.registry,
            declared: to.declared,
        }
    }
}

/// Sessions last from one look-up to a working day.
const LIFETIMES: &[f64] = &[
    0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 14_400.0, 43_200.0, 86_400.0,
];
/// Connects and handshakes: within a rack to a third of the default deadline and a lost SYN.
const NETWORK: &[f64] = &[
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 3.0,
];
/// Answers of servers that may think for a while.
const ANSWERS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn row(of: &Declared) -> String {
        let labels: Vec<String> = of.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = labels.join(", ");
        format!("| `{}` | {} | {labels} | {} |", of.name, of.kind, of.help)
    }

    #[test]
    fn the_document_and_the_code_list_the_same_families() {
        let document = include_str!("../../../docs/metrics.md");
        let written = document
            .lines()
            .filter(|line| line.starts_with("| `howdah_"));
        let written: BTreeSet<String> = written.map(str::to_owned).collect();
        let declared: BTreeSet<String> = Families::declare().declared.iter().map(row).collect();
        let missing: Vec<_> = declared.difference(&written).collect();
        let stale: Vec<_> = written.difference(&declared).collect();
        assert!(
            missing.is_empty() && stale.is_empty(),
            "docs/metrics.md lacks:\n{missing:#?}\nand has what is not in the code:\n{stale:#?}"
        );
    }

    #[test]
    fn names_follow_the_rule() {
        for family in &Families::declare().declared {
            let name = family.name;
            assert!(name.starts_with("howdah_"), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == "counter", "{name}");
            assert_eq!(name.ends_with("_seconds"), is_time(family), "{name}");
            assert!(family.help.ends_with('.'), "{name}: {}", family.help);
        }
    }

    /// Histograms are all of time here; so are the gauges that say so.
    fn is_time(family: &Declared) -> bool {
        family.kind == "histogram"
            || family.name.contains("_timestamp_")
            || family.name.contains("_start_")
    }
}
