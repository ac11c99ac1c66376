//! Shares sticky entries with other load balancers, howdahs and HAProxies, by HAProxy's peers protocol.
//!
//! ```text
//!  sessions ──► sticky table of a pool ──► feed ──► peer's task ──► telling ──► connection ──► the peer
//!                        ▲                             │ ▲
//!                        └──── learn ◄── conversation ◄┘ └── accept: hello, status    dial: hello, status
//! ```
//!
//! Each peer has a task, and at most one connection, whoever made it. What is said on it is decided by pure parts: the
//! `conversation` reads, `telling` writes, the `lesson` knows whom to ask for everything. Everything runs on the control
//! thread, and a session never waits for it: it puts a client into the feed of its pool's table, where the peers' tasks look
//! some twenty times a second, and where nobody looks while there are no peers.
//!
//! Invariants: what a peer says is never passed on to another (all know each other); what a peer is told is what is so when it is
//! told, never a backlog; memory is bounded whatever a peer sends and however long it is away.

mod accept;
mod bond;
mod conversation;
mod dial;
mod error;
mod lesson;
mod link;
mod mesh;
mod peer;
mod prefer;
mod reason;
mod session;
mod table;
mod telling;
#[cfg(test)]
mod tests;
mod view;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use self::bond::Bond;
pub use self::error::PeersError;
use self::link::Link;
use self::mesh::{Connectors, Mesh};
use self::peer::Peer;
pub use self::reason::{Closed, Ignored};
use self::table::Table;
pub use self::view::{PeerState, PeerView, PeersView};
use crate::plan::{PeerPlan, PeersPlan};
use crate::pool::Pool;
use crate::telemetry::Metrics;

/// All peers of this howdah.
pub struct Peers {
    mesh: Arc<Mesh>,
    plan: Option<Arc<PeersPlan>>,
    accepting: Option<Accepting>,
    running: HashMap<Arc<str>, Running>,
    view: PeersView,
}

/// What a plan needs that may fail.
#[derive(Default)]
pub struct Staged {
    /// Where another address is wanted than before.
    socket: Option<std::net::TcpListener>,
    connectors: Option<Connectors>,
}

struct Accepting {
    address: SocketAddr,
    task: AbortHandle,
}

struct Running {
    plan: PeerPlan,
    /// With what it connects and is known.
    of: Arc<PeersPlan>,
    state: Arc<PeerState>,
    task: AbortHandle,
}

impl Peers {
    /// Nobody yet.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            mesh: Arc::new(Mesh::new(metrics)),
            plan: None,
            accepting: None,
            running: HashMap::new(),
            view: PeersView::new(ArcSwap::from_pointee(Vec::new())),
        }
    }

    /// Opens the address, and builds TLS. Nothing of it is seen from outside but the address, where connections wait.
    ///
    /// # Errors
    /// See [`PeersError`].
    pub fn prepare(&self, plan: Option<&PeersPlan>) -> Result<Staged, PeersError> {
        let Some(plan) = plan else {
            return Ok(Staged::default());
        };
        let same = self.plan.as_ref().is_some_and(|own| own.bind == plan.bind);
        Ok(Staged {
            socket: (!same).then(|| accept::open(plan.bind)).transpose()?,
            connectors: plan.tls.as_ref().map(Connectors::new).transpose()?,
        })
    }

    /// From now on these are the peers, and these the pools. Who stays as it was keeps its connection.
    pub fn commit(&mut self, plan: Option<&Arc<PeersPlan>>, staged: Staged, pools: &[Arc<Pool>]) {
        self.mesh.share(tables(plan, pools));
        let Some(plan) = plan else {
            self.end();
            self.plan = None;
            return;
        };
        let changed = self.plan.as_ref() != Some(plan);
        if changed {
            self.mesh.set(Arc::clone(plan), staged.connectors);
            self.reconcile(plan);
        }
        if let Some(socket) = staged.socket {
            self.listen(socket);
        }
        self.plan = Some(Arc::clone(plan));
    }

    /// Who they are, and what is known of each, whenever it is asked.
    pub fn view(&self) -> PeersView {
        Arc::clone(&self.view)
    }

    /// Ends all connections, for a howdah that drains: the sessions that are left tell nobody anything new.
    pub fn end(&mut self) {
        self.running.clear();
        self.accepting = None;
        self.mesh.forget_all();
        self.view.store(Arc::default());
    }

    fn reconcile(&mut self, plan: &Arc<PeersPlan>) {
        let same = |running: &Running| {
            let entry = plan.peers.iter().find(|one| one.name == running.plan.name);
            let of = &running.of;
            entry == Some(&running.plan) && of.name == plan.name && of.tls == plan.tls
        };
        self.running.retain(|_, running| same(running));
        self.mesh.retain(|name| self.running.contains_key(name));
        for entry in &plan.peers {
            if !self.running.contains_key(&entry.name) {
                let running = self.start(entry, plan);
                self.running.insert(Arc::clone(&entry.name), running);
            }
        }
        let states = plan.peers.iter();
        let states = states.filter_map(|entry| self.running.get(&entry.name));
        let states = states.map(|running| Arc::clone(&running.state)).collect();
        self.view.store(Arc::new(states));
    }

    fn start(&self, entry: &PeerPlan, of: &Arc<PeersPlan>) -> Running {
        // A second connection within a moment replaces the first; a third may wait.
        let (sender, incoming) = mpsc::channel::<Link>(1);
        self.mesh.expect(&entry.name, sender);
        let counters = self.mesh.metrics.peer(&entry.name);
        let state = Arc::new(PeerState::new(entry, counters));
        let bond = Bond {
            plan: entry.clone(),
            mesh: Arc::clone(&self.mesh),
            state: Arc::clone(&state),
            incoming,
            feeds: Vec::new(),
        };
        let task = tokio::spawn(Peer::new(bond).run());
        Running {
            plan: entry.clone(),
            of: Arc::clone(of),
            state,
            task: task.abort_handle(),
        }
    }

    fn listen(&mut self, socket: std::net::TcpListener) {
        self.accepting = None;
        let Ok(address) = socket.local_addr() else {
            return;
        };
        let task = tokio::spawn(accept::accept(socket, Arc::clone(&self.mesh)));
        tracing::info!(%address, "peers listening");
        self.accepting = Some(Accepting {
            address,
            task: task.abort_handle(),
        });
    }

    /// Where peers connect to, as the system gave it.
    pub fn address(&self) -> Option<SocketAddr> {
        self.accepting.as_ref().map(|one| one.address)
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sticky pools, each under the name that peers know.
fn tables(plan: Option<&Arc<PeersPlan>>, pools: &[Arc<Pool>]) -> Vec<Table> {
    let Some(plan) = plan else {
        return Vec::new();
    };
    let sticky = pools
        .iter()
        .filter(|pool| pool.load().plan().sticky.is_some());
    let table = |pool: &Arc<Pool>| Table::new(plan.table(pool.name()), pool);
    sticky.map(table).collect()
}
