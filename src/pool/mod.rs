//! The shared truth about a set of servers: one immutable snapshot, one keeper that writes it.
//!
//! Sessions on every worker [`choose`](Pool::choose) from the present [`Snapshot`] without waiting for
//! anybody. Everything that changes a pool is a [`Change`], sent to its [`Keeper`], which alone makes
//! snapshots. Who discovers servers or probes them is unknown here: they come with changes.
//!
//! Invariants: a session is counted on its server from the moment of choice until its [`Lease`] is dropped;
//! a server that leaves the snapshot lives on with its sessions; counters, health, orders and sticky entries
//! of what a reload did not change stay.

mod affinity;
mod keeper;
mod lease;
mod observed;
mod server;
mod snapshot;
mod standing;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::affinity::Affinity;
pub use self::keeper::Keeper;
pub use self::lease::{Lease, Pick};
pub use self::observed::{DialFailure, Observed, Reach, SessionFault};
pub use self::server::{LastProbe, Server, ServerId};
use self::snapshot::Side;
pub use self::snapshot::{Member, Snapshot};
pub use self::standing::{Health, Order, Standing};
use crate::balance::Ask;
use crate::plan::{PoolName, PoolPlan, ServerName, StickyPlan};
use crate::telemetry::label::words;
use crate::telemetry::{Metrics, PoolMetrics};

/// A set of interchangeable servers.
pub struct Pool {
    name: PoolName,
    snapshot: ArcSwap<Snapshot>,
    affinity: Mutex<Affinity>,
    keeper: mpsc::Sender<keeper::Letter>,
    /// Where estimates count their time from.
    born: Instant,
    metrics: Arc<PoolMetrics>,
}

/// What can happen to a pool.
pub enum Change {
    /// A reload brought another plan of the same name.
    Plan(Arc<PoolPlan>),
    /// The pool left the file. A plan takes that back.
    Close {
        /// When sessions on its servers must be gone.
        by: Instant,
    },
    /// Stands for whatever a keeper cannot bear.
    #[cfg(test)]
    Panic,
    /// Probes came to another conclusion. A server that left meanwhile is no fault.
    Health {
        /// Whose.
        server: ServerId,
        /// The conclusion.
        health: Health,
    },
    /// The operator wants this.
    Order {
        /// Of which server.
        server: ServerName,
        /// What.
        order: Order,
    },
    /// The operator wants this weight, until the file names another one than it does now.
    Weight {
        /// Of which server.
        server: ServerName,
        /// 1 to [`crate::plan::WEIGHT_MAX`].
        weight: u16,
    },
}

/// Why a [`Change`] was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Operator: no such server.
    #[error("pool \"{pool}\" has no server \"{server}\"")]
    UnknownServer {
        /// Where it was looked for.
        pool: PoolName,
        /// What was looked for.
        server: ServerName,
    },
    /// Operator: no such weight.
    #[error("a weight is a number from 1 to {max}, not {0}", max = crate::plan::WEIGHT_MAX)]
    Weight(u16),
    /// Us: the keeper has ended, which happens only when howdah stops.
    #[error("pool \"{0}\" is stopping")]
    Stopping(PoolName),
}

words! {
    /// Why no server could be chosen.
    pub enum NoServer {
        /// All are down, in maintenance, draining or still without a verdict.
        NoneUp = "none-up",
        /// Those that are up have `max_connections` sessions.
        AllFull = "all-full",
        /// This session has tried all that are up.
        AllTried = "all-tried",
    }
}

impl std::error::Error for NoServer {}

impl Pool {
    /// A pool and its keeper, which somebody must [`run`](Keeper::run). Servers are without a verdict, unless
    /// the plan has no probe: then all count as up.
    pub fn new(plan: Arc<PoolPlan>, metrics: &Metrics) -> (Arc<Self>, Keeper) {
        keeper::open(plan, metrics)
    }

    /// Unique in the process.
    pub fn name(&self) -> &PoolName {
        &self.name
    }

    /// The present state. The guard is for reading now: do not hold it across an `await`.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Its counters.
    pub fn metrics(&self) -> &Arc<PoolMetrics> {
        &self.metrics
    }

    /// Picks a server for one attempt of a session of `client`, not among those `tried` before.
    ///
    /// # Errors
    /// See [`NoServer`]; each is counted.
    pub fn choose(
        self: &Arc<Self>,
        client: IpAddr,
        tried: &[ServerId],
        now: Instant,
    ) -> Result<Lease, NoServer> {
        let snapshot = self.snapshot.load();
        // One client, whether it came over a dual-stack socket or not.
        let client = client.to_canonical();
        let tried: Vec<u32> = tried.iter().filter_map(|id| snapshot.find(*id)).collect();
        let ask = Ask {
            client: crate::balance::hash_client(client),
            random: fastrand::u64(..),
            tried: &tried,
        };
        let picked = match &snapshot.plan.sticky {
            None => pick(&snapshot, &ask).map(|(member, pick)| (member, pick, None)),
            Some(sticky) => self.pick_sticky(&snapshot, &ask, client, sticky, now),
        };
        let (member, pick, holds) = picked.inspect_err(|why| self.metrics.no_server(*why))?;
        let server = Arc::clone(&snapshot.members[member as usize].server);
        server.leased();
        self.metrics.picked(pick);
        Ok(Lease {
            pool: Arc::clone(self),
            server,
            plan: Arc::clone(&snapshot.plan),
            pick,
            holds,
        })
    }

    /// A probe took this long: an estimate for a server that sessions say nothing about.
    pub fn probed(&self, server: &Server, took: Duration, now: Instant) {
        if server.load().seed(took, self.since(now)) {
            self.snapshot.load().refresh(server.id());
        }
    }

    /// Asks the keeper for a change and waits until it is in the snapshot.
    ///
    /// Dropping the future does not take the change back once it was sent.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn send(&self, change: Change) -> Result<(), Refused> {
        let stopping = || Refused::Stopping(self.name.clone());
        let (reply, answer) = oneshot::channel();
        let letter = keeper::Letter { change, reply };
        self.keeper.send(letter).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    /// The table is locked for the whole choice, so that two first sessions of a client go the same way.
    fn pick_sticky(
        &self,
        snapshot: &Snapshot,
        ask: &Ask<'_>,
        client: IpAddr,
        sticky: &StickyPlan,
        now: Instant,
    ) -> Result<(u32, Pick, Option<IpAddr>), NoServer> {
        let mut table = self.affinity();
        let side = snapshot.side();
        let bound = (table.find(client, sticky, now))
            .and_then(|server| snapshot.find(server))
            .filter(|member| side.field.offers(*member));
        if let Some(member) = bound
            && !ask.tried.contains(&member)
            && side.field.take(member)
        {
            side.balancer.refresh(&side.field, member);
            table.hold(client);
            return Ok((member, Pick::Sticky, Some(client)));
        }
        let (member, pick) = pick(snapshot, ask)?;
        let holds = match bound {
            // Full, or not to be reached by this session: elsewhere this once.
            Some(_) => table.hold(client),
            None => {
                let server = snapshot.members[member as usize].server.id();
                table.bind(client, server, sticky)
            }
        };
        self.show(&mut table);
        Ok((member, pick, holds.then_some(client)))
    }

    fn returned(&self, server: &Server, holds: Option<IpAddr>) {
        self.snapshot.load().refresh(server.id());
        if let Some(client) = holds {
            self.affinity().release(client, Instant::now());
        }
    }

    fn observe(&self, server: &Server, took: Duration, now: Instant) {
        if server.load().observe(took, self.since(now)) {
            self.snapshot.load().refresh(server.id());
        }
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.born)
    }

    fn bound_affinity(&self, sticky: Option<&StickyPlan>) {
        let mut table = self.affinity();
        table.bound(sticky, Instant::now());
        self.show(&mut table);
    }

    fn show(&self, table: &mut Affinity) {
        for _ in 0..table.take_evicted() {
            self.metrics.sticky_evicted();
        }
        self.metrics.sticky_entries(table.len());
    }

    fn affinity(&self) -> MutexGuard<'_, Affinity> {
        self.affinity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    /// Who takes sessions now: the first rank, or the backups when nobody else is up.
    fn side(&self) -> &Side {
        if self.first.is_empty() {
            &self.backup
        } else {
            &self.first
        }
    }
}

/// Counted on the load of the member that it returns.
fn pick(snapshot: &Snapshot, ask: &Ask<'_>) -> Result<(u32, Pick), NoServer> {
    let side = snapshot.side();
    if let Some(member) = side.balancer.pick(&side.field, ask) {
        let pick = if snapshot.first.is_empty() {
            Pick::Backup
        } else if side.field.candidates().len() == 1 {
            Pick::OnlyOne
        } else {
            Pick::from(snapshot.plan.balance)
        };
        return Ok((member, pick));
    }
    if side.is_empty() {
        return Err(NoServer::NoneUp);
    }
    let candidates = side.field.candidates();
    if !candidates.iter().all(|one| ask.tried.contains(&one.member)) {
        return Err(NoServer::AllFull);
    }
    // Probes have not noticed yet that nobody of the first rank can be reached; this session has.
    let backup = &snapshot.backup;
    match backup.balancer.pick(&backup.field, ask) {
        Some(member) => Ok((member, Pick::Backup)),
        None => Err(NoServer::AllTried),
    }
}
