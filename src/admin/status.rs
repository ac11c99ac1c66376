//! The status as `GET /api/v1/status` shows it and `howdah status` reads it: field by field part of the face
//! that users see.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ListenerView, Refusal, RuntimeView};
use crate::base::time::rfc3339;
use crate::cluster::ClusterStatus;
use crate::handover::predecessors::{Left, Predecessors};
use crate::peers::PeerView;
use crate::plan::{DiscoverPlan, Protocol};
use crate::pool::{LastProbe, Member, Order, Origin, Pool, Server};
use crate::state::StateView;
use crate::telemetry::Metrics;
use crate::vip;

/// Everything at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Of howdah.
    pub version: String,
    /// Its process, which is another one after a takeover; in a container as it sees itself.
    #[serde(default)]
    pub pid: u32,
    /// Since the process started.
    pub uptime_seconds: f64,
    /// Number of the running configuration.
    pub generation: u64,
    /// running or draining: then it takes no new sessions, and ends with the last.
    #[serde(default = "running")]
    #[schemars(extend("enum" = ["running", "draining"]))]
    pub state: String,
    /// While it drains: what is left.
    #[serde(default)]
    pub draining: Option<DrainStatus>,
    /// Settings of the file that wait for the next start, by their key.
    #[serde(default)]
    pub needs_restart: Vec<String>,
    /// The last reload, if it was refused.
    #[serde(default)]
    pub refused_reload: Option<RefusedStatus>,
    /// Addresses that this machine shares with others, by name; absent where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vips: Vec<vip::Status>,
    /// The howdahs that are one with this; absent without `[cluster]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Box<ClusterStatus>>,
    /// Whom sticky entries are shared with, in the order of the file; absent where with nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerStatus>,
    /// What outlives a restart; absent where nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_file: Option<StateFileStatus>,
    /// Howdahs that this one took over from, and that still have sessions, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predecessors: Vec<PredecessorStatus>,
    /// In the order of the file.
    pub listeners: Vec<ListenerStatus>,
    /// In the order of the file.
    pub pools: Vec<PoolStatus>,
}

/// One of those whom sticky entries are shared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PeerStatus {
    /// As it calls itself.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// away, connected, or syncing: one side tells the other everything.
    #[schemars(extend("enum" = ["away", "syncing", "connected"]))]
    pub state: String,
    /// When the connection was made, or was gone: RFC 3339, UTC.
    pub since: String,
    /// Entries that it was told, since the start.
    pub entries_sent: u64,
    /// Entries that were taken from it, since the start.
    pub entries_received: u64,
    /// Why it is away.
    pub why: Option<String>,
}

impl PeerStatus {
    fn of(peer: PeerView) -> Self {
        Self {
            name: peer.name.as_ref().into(),
            address: peer.address,
            state: peer.state.into(),
            since: rfc3339(peer.since).to_string(),
            entries_sent: peer.sent,
            entries_received: peer.received,
            why: peer.why,
        }
    }
}

/// A howdah that was taken over from, and drains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredecessorStatus {
    /// Its process.
    pub pid: u32,
    /// Of howdah.
    pub version: String,
    /// When it stopped accepting: RFC 3339, UTC.
    pub since: String,
    /// Open now.
    pub sessions: u64,
    /// Until those are ended.
    pub seconds_left: u64,
    /// Those that have some.
    #[serde(default)]
    pub pools: Vec<PredecessorPool>,
}

/// Sessions of a pool that a predecessor still has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredecessorPool {
    /// Its name.
    pub name: String,
    /// Those that have some.
    pub servers: Vec<PredecessorServer>,
}

/// Sessions of a server that a predecessor still has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredecessorServer {
    /// Its name.
    pub name: String,
    /// Held now.
    pub sessions_active: u64,
}

impl PredecessorStatus {
    /// Process 1 of a container that has nothing left is no news.
    fn all(predecessors: &Predecessors) -> Vec<Self> {
        let list = predecessors.list().into_iter();
        list.filter(|left| left.sessions > 0 || !left.stays)
            .map(Self::of)
            .collect()
    }

    fn of(left: Left) -> Self {
        let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(left.since));
        let server = |(name, sessions_active)| PredecessorServer {
            name,
            sessions_active,
        };
        let pools = left.pools.into_iter().map(|pool| PredecessorPool {
            name: pool.name,
            servers: pool.servers.into_iter().map(server).collect(),
        });
        Self {
            pid: left.pid,
            version: left.version,
            since: rfc3339(since.unwrap_or(SystemTime::UNIX_EPOCH)).to_string(),
            sessions: left.sessions,
            seconds_left: left.seconds_left,
            pools: pools.collect(),
        }
    }
}

/// A stop that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DrainStatus {
    /// Open now, on all listeners.
    pub sessions_left: u64,
    /// Until those are ended.
    pub seconds_left: f64,
}

/// A reload that changed nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedStatus {
    /// When: RFC 3339, UTC.
    pub at: String,
    /// One sentence.
    pub error: String,
    /// Each fault with its place.
    pub faults: Vec<String>,
}

impl RefusedStatus {
    fn of(refused: &Refusal) -> Self {
        Self {
            at: rfc3339(refused.at).to_string(),
            error: refused.why.error.clone(),
            faults: refused.why.told.clone(),
        }
    }
}

/// The file of `[state]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StateFileStatus {
    /// Where.
    pub file: String,
    /// When it was written last, by this howdah: RFC 3339, UTC; null before.
    pub saved_at: Option<String>,
    /// How large it was then.
    pub bytes: u64,
    /// Why it cannot be written; null: it can.
    pub error: Option<String>,
    /// Why what was there at the start could not be read; null: it could, or nothing was there.
    pub unread: Option<String>,
}

impl StateFileStatus {
    fn of(state: &StateView) -> Option<Self> {
        let shown = state.now();
        Some(Self {
            file: shown.file.as_ref()?.display().to_string(),
            saved_at: shown.saved_at.map(|at| rfc3339(at).to_string()),
            bytes: shown.size,
            error: shown.error.clone(),
            unread: shown.unread.clone(),
        })
    }
}

fn tcp() -> Vec<String> {
    vec![Protocol::Tcp.as_str().into()]
}

fn is_false(it: &bool) -> bool {
    !it
}

/// An older howdah does not tell.
fn yes() -> bool {
    true
}

fn running() -> String {
    RUNNING.into()
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListenerStatus {
    /// Unique.
    pub name: String,
    /// Where it really listens.
    pub bind: Vec<SocketAddr>,
    /// tcp, udp, or both.
    #[serde(default = "tcp")]
    pub protocol: Vec<String>,
    /// Open now.
    pub sessions_active: u64,
    /// Since start.
    pub sessions_total: u64,
    /// Sessions at once; null: no bound of its own.
    #[serde(default)]
    pub max_connections: Option<u32>,
    /// The pools that its sessions can go to.
    #[serde(default)]
    pub pools: Vec<String>,
}

/// One pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolStatus {
    /// Unique.
    pub name: String,
    /// hiveserver2, impala, hue or tcp.
    pub service: String,
    /// How servers are picked.
    pub balance: String,
    /// So few servers are up that those that are down take sessions too.
    #[serde(default)]
    pub panic: bool,
    /// Several servers say that they are the active one; the first has the sessions.
    #[serde(default)]
    pub conflict: bool,
    /// Sessions that wait while every server is full.
    #[serde(default)]
    pub queue: u64,
    /// Clients whose server is remembered; null where stickiness is off.
    #[serde(default)]
    pub sticky_entries: Option<u64>,
    /// Who lists servers beside the file; absent where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<DiscoveryStatus>,
    /// In the order of the file; those that are listed after them.
    pub servers: Vec<ServerStatus>,
    /// Servers that left the file, or are listed no more, and still have sessions; absent where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub departed: Vec<DepartedStatus>,
}

/// How old the list of a pool's servers is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiscoveryStatus {
    /// zookeeper, dns_srv, file or impala.
    pub source: String,
    /// live, or stale: then the last list is in force.
    #[schemars(extend("enum" = ["live", "stale"]))]
    pub state: String,
    /// Since the list was last known to be right; null before the first.
    pub age_seconds: Option<f64>,
    /// What is asked.
    #[serde(default)]
    pub target: String,
    /// Why it is stale.
    #[serde(default)]
    pub error: Option<String>,
}

/// A server that is no member any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepartedStatus {
    /// Which it had.
    pub name: String,
    /// Which it has.
    pub address: String,
    /// Held now.
    pub sessions_active: u64,
    /// Until those are ended; null: they are not.
    pub seconds_left: Option<f64>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerStatus {
    /// Unique in its pool.
    pub name: String,
    /// As configured.
    pub address: String,
    /// In force now.
    pub weight: u16,
    /// Stands by: takes sessions when no other server can.
    #[serde(default)]
    pub backup: bool,
    /// up, alive, down or unknown.
    #[schemars(extend("enum" = ["up", "alive", "down", "unknown"]))]
    pub health: String,
    /// When its health became that: RFC 3339, UTC; the clock's steps since the start are left out.
    #[serde(default)]
    pub since: Option<String>,
    /// active or standby, as the server says; null where it says nothing.
    #[serde(default)]
    pub role: Option<String>,
    /// What it says of its own load; not there where it is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadStatus>,
    /// It takes new sessions now, or would as a backup.
    #[serde(default = "yes")]
    pub on_offer: bool,
    /// ready, draining or maintenance.
    #[schemars(extend("enum" = ["ready", "draining", "maintenance"]))]
    pub admin: String,
    /// Sessions at once, the file's bound or its own word; null: unbounded.
    #[serde(default)]
    pub max_connections: Option<u32>,
    /// Held now.
    pub sessions_active: u64,
    /// Since the server became known.
    pub sessions_total: u64,
    /// The stable word of the last probe; null before it.
    pub reason: Option<String>,
    /// Its health, role and reason are those that a former howdah found: nobody has asked it since. Absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recalled: bool,
    /// Who gave the order that it is under; absent where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered: Option<OrderedStatus>,
    /// Null before the first, and without probes.
    pub last_probe: Option<ProbeStatus>,
}

/// Who gave an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderedStatus {
    /// As the journal has it.
    pub by: String,
    /// When: RFC 3339, UTC.
    pub at: String,
    /// Until the sessions that a drain leaves are ended; absent where they may stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
}

/// What a server says of its load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadStatus {
    /// Of its weight: above 0, at most 1.
    pub factor: f64,
    /// live or silent: then it has its whole weight again; waiting before the first answer.
    pub state: String,
    /// The word by which its agent wants no new sessions: drain, maint, down, fail, stopped or 0%.
    pub withdrawn: Option<String>,
    /// Sessions at once, if it says so.
    pub max_connections: Option<u32>,
    /// One sentence: what decided, or why there is no answer.
    pub detail: String,
}

/// What the last probe said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeStatus {
    /// up, alive or down.
    #[schemars(extend("enum" = ["up", "alive", "down"]))]
    pub verdict: String,
    /// One sentence.
    pub detail: String,
    /// How long it took.
    pub duration_seconds: f64,
    /// When it ended: RFC 3339, UTC.
    pub at: String,
}

impl Status {
    pub(super) fn of(view: &RuntimeView, metrics: &Metrics) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_seconds: seconds(view.started.elapsed()),
            generation: view.generation,
            state: view.draining.map_or(RUNNING, |_| DRAINING).into(),
            draining: view.draining.map(|draining| DrainStatus {
                sessions_left: metrics.sessions_active(),
                seconds_left: seconds(draining.until.saturating_duration_since(Instant::now())),
            }),
            needs_restart: view.needs_restart.iter().map(ToString::to_string).collect(),
            refused_reload: view.refused.as_deref().map(RefusedStatus::of),
            vips: view.vips.all(),
            cluster: view
                .cluster
                .as_ref()
                .map(|cluster| Box::new(cluster.status())),
            peers: (view.peers.load().iter())
                .map(|peer| PeerStatus::of(peer.look()))
                .collect(),
            state_file: StateFileStatus::of(&view.state),
            predecessors: PredecessorStatus::all(&view.predecessors),
            listeners: view.listeners.iter().map(ListenerStatus::of).collect(),
            pools: view.pools.iter().map(|pool| PoolStatus::of(pool)).collect(),
        }
    }
}

impl ListenerStatus {
    fn of(listener: &ListenerView) -> Self {
        Self {
            name: listener.name.to_string(),
            bind: listener.bound.clone(),
            protocol: (listener.protocols.iter())
                .map(|protocol| protocol.as_str().into())
                .collect(),
            sessions_active: listener.metrics.sessions_active(),
            sessions_total: listener.metrics.sessions_total(),
            max_connections: listener.max_connections,
            pools: listener.pools.iter().map(ToString::to_string).collect(),
        }
    }
}

impl PoolStatus {
    fn of(pool: &Pool) -> Self {
        let snapshot = pool.load();
        let plan = snapshot.plan();
        Self {
            name: pool.name().to_string(),
            service: plan.service.as_str().into(),
            balance: plan.balance.as_str().into(),
            panic: snapshot.is_panic(),
            conflict: snapshot.is_conflict(),
            queue: count(pool.queue_length()),
            sticky_entries: (plan.sticky.is_some()).then(|| count(pool.sticky_entries())),
            discovery: (plan.discover.as_ref()).map(|source| DiscoveryStatus::of(source, pool)),
            servers: (snapshot.members().iter())
                .map(|member| ServerStatus::of(member, plan.load.is_some()))
                .collect(),
            departed: (snapshot.departed())
                .map(|server| DepartedStatus::of(&server))
                .collect(),
        }
    }
}

impl DiscoveryStatus {
    fn of(source: &DiscoverPlan, pool: &Pool) -> Self {
        let freshness = pool.freshness();
        let known = freshness.as_deref();
        let live = known.is_some_and(|one| one.live);
        let age = known.and_then(|one| one.age(tokio::time::Instant::now()));
        Self {
            source: source.as_str().into(),
            state: if live { "live" } else { "stale" }.into(),
            age_seconds: age.map(seconds),
            target: source.target(),
            error: (known.filter(|one| !one.live)).map(|one| one.why.clone()),
        }
    }
}

impl DepartedStatus {
    fn of(server: &Server) -> Self {
        let left =
            |at: tokio::time::Instant| at.saturating_duration_since(tokio::time::Instant::now());
        Self {
            name: server.name().to_string(),
            address: server.address().to_string(),
            sessions_active: u64::from(server.sessions_active()),
            seconds_left: server.retire_at().map(|at| seconds(left(at))),
        }
    }
}

impl PoolStatus {
    /// How many servers take sessions now, and how many backups stand by.
    pub fn serving(&self) -> (usize, usize) {
        let able = |one: &&ServerStatus| one.health == "up" && one.admin == "ready" && one.on_offer;
        let able = self.servers.iter().filter(able);
        let (backups, first): (Vec<_>, Vec<_>) = able.partition(|one| one.backup);
        match first.len() {
            0 => (backups.len(), 0),
            some => (some, backups.len()),
        }
    }
}

impl ServerStatus {
    pub(super) fn of(member: &Member, says_load: bool) -> Self {
        let server = &member.server;
        let (last, recalled) = (server.last_probe(), member.recalled.as_deref());
        Self {
            name: server.name().to_string(),
            address: server.address().to_string(),
            weight: member.weight,
            backup: member.plan.backup,
            health: member.health.as_str().into(),
            since: Some(rfc3339(wall(member.since)).to_string()),
            role: member.role.map(|role| role.as_str().into()),
            load: says_load.then(|| LoadStatus::of(member)),
            on_offer: member.standing.is_on_offer(),
            admin: member.admin.as_str().into(),
            max_connections: member.max_connections(),
            sessions_active: u64::from(server.sessions_active()),
            sessions_total: server.sessions_total(),
            reason: match &last {
                Some(last) => Some(last.reason.into()),
                None => recalled.and_then(|recalled| recalled.reason.clone()),
            },
            recalled: recalled.is_some(),
            ordered: (member.ordered.as_deref())
                .filter(|_| member.admin != Order::Ready)
                .map(OrderedStatus::of),
            last_probe: last.as_deref().map(ProbeStatus::of),
        }
    }
}

impl OrderedStatus {
    fn of(given: &Origin) -> Self {
        let left =
            (given.until).map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
        Self {
            by: given.by.to_string(),
            at: rfc3339(given.at).to_string(),
            seconds_left: left.filter(|left| !left.is_zero()).map(seconds),
        }
    }
}

impl LoadStatus {
    fn of(member: &Member) -> Self {
        let last = member.server.last_load();
        let state = match last.as_deref() {
            None => "waiting",
            Some(last) if last.is_silent => "silent",
            Some(_) => "live",
        };
        Self {
            factor: f64::from(member.said.percent) / 100.0,
            state: state.into(),
            withdrawn: member.said.withdrawn.map(Into::into),
            max_connections: member.said.most,
            detail: last.map(|last| last.detail.clone()).unwrap_or_default(),
        }
    }
}

impl ProbeStatus {
    fn of(last: &LastProbe) -> Self {
        Self {
            verdict: last.verdict.as_str().into(),
            detail: last.detail.clone(),
            duration_seconds: seconds(last.took),
            at: rfc3339(last.at).to_string(),
        }
    }
}

/// To the microsecond: more digits say nothing.
pub(super) fn seconds(time: Duration) -> f64 {
    let micros = u32::try_from(time.as_micros() % 1_000_000).unwrap_or(0);
    time.as_secs() as f64 + f64::from(micros) / 1e6
}

fn count(some: usize) -> u64 {
    u64::try_from(some).unwrap_or(u64::MAX)
}

/// The same moment each time it is asked, which the difference to the present is not.
fn wall(moment: tokio::time::Instant) -> SystemTime {
    static ANCHOR: LazyLock<(tokio::time::Instant, SystemTime)> =
        LazyLock::new(|| (tokio::time::Instant::now(), SystemTime::now()));
    let (known, at) = *ANCHOR;
    let after = at.checked_add(moment.saturating_duration_since(known));
    let before = |time: SystemTime| time.checked_sub(known.saturating_duration_since(moment));
    after.and_then(before).unwrap_or(at)
}

const RUNNING: &str = "running";
const DRAINING: &str = "draining";
