//! The admin address: what runs, for people, programs and Prometheus; and orders while it runs.
//!
//! What there is to ask for stands in one table, in `api/`: each [`endpoint::Endpoint`] says its path, who may ask, what it
//! takes and what it answers, and `GET /api/v1/openapi.json` shows the table. [`routes`] judges a request by it.
//!
//! Faults are `{"error": "..."}`. The server runs on a thread of its own, below all others in priority: nothing here
//! touches a session or a probe, however many ask. No client of this address, however slow or malformed, holds more
//! than one of a bounded number of connections for a bounded time. What runs is seen through the [`RuntimeView`], which `app` replaces as a whole after each reload;
//! what only `app` can do is asked of it by a [`Command`].

mod answer;
mod api;
mod audit;
mod body;
mod call;
mod connection;
mod connections;
mod endpoint;
mod guard;
mod handler;
mod live;
mod lookup;
mod openapi;
mod page;
mod path;
mod peer;
mod query;
mod ready;
mod reserve;
mod routes;
mod server;
pub mod sessions;
mod shared;
mod socket;
pub mod status;
#[cfg(test)]
mod tests;
mod turns;
mod write_timeout;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

pub use self::connection::serve_stream;
pub use self::path::encode;
pub use self::server::{AdminServer, AdminThread, BindError};
use crate::availability::Availability;
use crate::cluster::Cluster;
use crate::handover::predecessors::Predecessors;
use crate::listener::Listener;
use crate::listener::sessions::SessionTable;
use crate::peers::PeersView;
use crate::plan::{AdminPlan, Identity, ListenerName, Plan, PoolName, Protocol};
use crate::pool::Pool;
use crate::state::StateView;
use crate::telemetry::{ListenerMetrics, Metrics};
use crate::vip;

/// What runs now, as the admin server shows it.
#[derive(Clone)]
pub struct RuntimeView {
    /// When the process started.
    pub started: Instant,
    /// Number of the running configuration: 1 at start.
    pub generation: u64,
    /// In the order of the file.
    pub listeners: Vec<ListenerView>,
    /// In the order of the file.
    pub pools: Vec<Arc<Pool>>,
    /// Set while the process stops and waits for its sessions.
    pub draining: Option<Draining>,
    /// Settings of the file that wait for the next start, by their key.
    pub needs_restart: Vec<&'static str>,
    /// The last reload, if it was refused; none as soon as one is taken.
    pub refused: Option<Arc<Refusal>>,
    /// The file that runs, and what became of it.
    pub configuration: Configuration,
    /// Those that are in use.
    pub certificates: Vec<CertificateView>,
    /// Who may look and command.
    pub admin: AdminPlan,
    /// What this machine is to its virtual addresses.
    pub vips: vip::Board,
    /// Who is one with this howdah, where the configuration says so.
    pub cluster: Option<Cluster>,
    /// Whom sticky entries are shared with.
    pub peers: PeersView,
    /// Of the file that outlives the process.
    pub state: StateView,
    /// All of the configuration that runs; `None` before the first.
    pub plan: Option<Arc<Plan>>,
    /// Howdahs that this one took over from, and that still have sessions.
    pub predecessors: Predecessors,
}

/// A stop that is under way. How many sessions are left, [`Metrics::sessions_active`] says.
#[derive(Clone, Copy, Debug)]
pub struct Draining {
    /// When sessions that are left will be ended.
    pub until: Instant,
}

/// A reload that changed nothing.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// When.
    pub at: SystemTime,
    /// Why.
    pub why: Rejected,
}

/// The file that runs.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// `None` where a program made the configuration (the demo).
    pub file: Option<PathBuf>,
    /// When it was taken.
    pub loaded_at: SystemTime,
    /// Its text, secrets masked.
    pub text: Arc<str>,
    /// The last reloads, newest last.
    pub reloads: VecDeque<Arc<ReloadView>>,
}

/// A reload that was done, or refused.
#[derive(Clone, Debug)]
pub struct ReloadView {
    /// When.
    pub at: SystemTime,
    /// Who wanted it.
    pub by: String,
    /// What came of it: a line a change, or why not.
    pub outcome: Result<Vec<String>, String>,
}

/// A certificate in use.
#[derive(Clone, Debug)]
pub struct CertificateView {
    /// Like `listener "hive"`.
    pub place: String,
    /// Itself.
    pub identity: Arc<Identity>,
}

impl Configuration {
    /// Which runs from now on.
    pub fn of(file: Option<PathBuf>, text: &str) -> Self {
        Self {
            file,
            loaded_at: SystemTime::now(),
            text: text.into(),
            reloads: VecDeque::new(),
        }
    }

    /// Notes a reload; the oldest is forgotten.
    pub fn note(&mut self, reload: ReloadView) {
        if self.reloads.len() == REMEMBERED {
            self.reloads.pop_front();
        }
        self.reloads.push_back(Arc::new(reload));
    }
}

/// Reloads.
const REMEMBERED: usize = 20;

/// One listener that runs.
#[derive(Clone)]
pub struct ListenerView {
    /// Unique.
    pub name: ListenerName,
    /// Where it really listens; empty while it is not bound.
    pub bound: Vec<SocketAddr>,
    /// What is spoken there.
    pub protocols: Vec<Protocol>,
    /// The pools that its sessions can go to: its own first, then those of its routes.
    pub pools: Vec<PoolName>,
    /// Sessions at once; `None`: no bound of its own.
    pub max_connections: Option<u32>,
    /// Its counters.
    pub metrics: Arc<ListenerMetrics>,
    /// What its sessions follow; `None` while it was never open.
    pub listener: Option<Arc<Listener>>,
}

/// What only `app` can do.
#[derive(Debug)]
pub enum Command {
    /// Read the file again.
    Reload {
        /// Who wants it.
        by: String,
        /// Say what would change, and change nothing.
        dry_run: bool,
        /// Answered when it is done, or refused.
        reply: oneshot::Sender<Result<Reloaded, Rejected>>,
    },
}

/// A reload that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The new number.
    pub generation: u64,
    /// One line a change; none when the file says what runs already.
    pub changes: Vec<String>,
    /// What the file could say better.
    pub warnings: Vec<String>,
}

/// A reload that left everything as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// One sentence.
    pub error: String,
    /// Each fault as `howdah check` prints it, with its place.
    pub faults: Vec<String>,
    /// The same for all who may look, and for the log: place and fact of each, without the file's text.
    pub told: Vec<String>,
}

/// What a request needs of the running program.
#[derive(Clone)]
pub struct HandlerContext {
    /// What runs now.
    pub view: Arc<ArcSwap<RuntimeView>>,
    /// All counters.
    pub metrics: Metrics,
    /// To `app`.
    pub commands: mpsc::Sender<Command>,
    /// Who is there.
    pub sessions: SessionTable,
    /// Writes the JSON Schema of the configuration.
    pub schema: fn() -> String,
    /// How available pools and listeners were.
    pub availability: Availability,
}

impl RuntimeView {
    /// The pool of that name.
    pub fn pool(&self, name: &PoolName) -> Option<&Arc<Pool>> {
        self.pools.iter().find(|pool| pool.name() == name)
    }
}
