//! Pools and what belongs to them: keepers, probes, names, TLS, and the servers that leave.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::error::ReloadError;
use super::{App, PoolRuntime, falls};
use crate::plan::{PoolName, PoolPlan};
use crate::pool::{Change, Pool, Server, Snapshot};
use crate::session::{Destination, Reason};
use crate::tls::connect::Connector;

impl App {
    /// A pool that left the file and still has sessions is the same one when it comes back.
    pub(super) async fn add_pool(&mut self, plan: &Arc<PoolPlan>, connector: Option<Connector>) {
        let pool = match self.revive(plan).await {
            Some(pool) => pool,
            None => {
                let (pool, keeper) = Pool::new(Arc::clone(plan), &self.metrics);
                self.tasks.spawn(keeper.run());
                self.recall(&pool).await;
                pool
            }
        };
        if let Some(falls) = pool.falls() {
            let watch = falls::watch(Arc::downgrade(&pool), falls, self.handles.clone());
            self.tasks.spawn(watch);
        }
        self.attend(&pool);
        self.pools
            .insert(plan.name.clone(), PoolRuntime { pool, connector });
    }

    async fn revive(&mut self, plan: &Arc<PoolPlan>) -> Option<Arc<Pool>> {
        let pool = self.gone.remove(&plan.name)?.upgrade()?;
        let revived = pool.send(Change::Plan(Arc::clone(plan))).await;
        revived.ok().map(|()| pool)
    }

    /// Servers that stay keep everything; those that leave drain.
    pub(super) async fn change_pool(&mut self, plan: &Arc<PoolPlan>, connector: Option<Connector>) {
        let Some(runtime) = self.pools.get_mut(&plan.name) else {
            return;
        };
        runtime.connector = connector;
        let pool = Arc::clone(&runtime.pool);
        let before = Arc::clone(&pool.load());
        let unbounded: Vec<_> = (before.departed())
            .filter(|server| server.retire_at().is_none())
            .collect();
        self.tell(&pool, Change::Plan(Arc::clone(plan))).await;
        self.attend(&pool);
        self.retire(&before, &pool.load());
        // Those that a source listed no more had no deadline while the file named a source.
        for server in unbounded {
            if let Some(deadline) = server.retire_at() {
                self.end_sessions_at(&plan.name, &server, deadline);
            }
        }
    }

    async fn tell(&self, pool: &Pool, change: Change) {
        if let Err(refused) = pool.send(change).await {
            tracing::error!(pool = %pool.name(), %refused, "the pool did not change");
        }
    }

    pub(super) async fn remove_pool(&mut self, name: &PoolName) {
        let Some(runtime) = self.pools.remove(name) else {
            return;
        };
        self.checkers.forget(name);
        self.load_readers.forget(name);
        self.names.forget(name);
        self.sources.forget(name);
        let last = Arc::clone(&runtime.pool.load());
        let by = Instant::now() + last.plan().drain_timeout;
        self.tell(&runtime.pool, Change::Close { by }).await;
        for member in last.members() {
            self.end_sessions_at(name, &member.server, by);
        }
        for server in last.departed() {
            self.end_sessions_at(name, &server, by);
        }
        self.gone.retain(|_, pool| pool.strong_count() > 0);
        self.gone
            .insert(name.clone(), Arc::downgrade(&runtime.pool));
    }

    /// Servers that left the snapshot drain; their time is bounded.
    fn retire(&self, before: &Snapshot, after: &Snapshot) {
        for member in before.members() {
            if let Some(deadline) = member.server.retire_at()
                && !after
                    .members()
                    .iter()
                    .any(|other| other.server.id() == member.server.id())
            {
                tracing::info!(
                    pool = %after.plan().name, server = %member.server.name(),
                    sessions = member.server.sessions_active(), "removed, draining"
                );
                self.end_sessions_at(&after.plan().name, &member.server, deadline);
            }
        }
    }

    /// Ends what is left on `server` at `deadline`, unless the server is a member again by then, or has left once more and
    /// has more time.
    fn end_sessions_at(&self, pool: &PoolName, server: &Arc<Server>, deadline: Instant) {
        let (server, handles) = (Arc::downgrade(server), self.handles.clone());
        let (pool, journal) = (pool.clone(), self.metrics.journal().clone());
        self.tasks.spawn(async move {
            sleep_until(deadline).await;
            let Some(server) = server.upgrade() else {
                return;
            };
            if server.retire_at().is_some_and(|at| at <= Instant::now()) {
                let of = (&pool, &journal);
                falls::end_sessions(of, &server, &handles, Reason::Drained).await;
            }
        });
    }

    pub(super) fn destination(&self, pool: &PoolName) -> Option<Destination> {
        self.pools.get(pool).map(|runtime| Destination {
            pool: Arc::clone(&runtime.pool),
            connector: runtime.connector.clone(),
            metrics: Arc::clone(runtime.pool.metrics()),
        })
    }
}

/// TLS towards the servers of a pool, if it asks for any.
pub(super) fn connector(pool: &PoolPlan) -> Result<Option<Connector>, ReloadError> {
    let made = pool.tls.as_ref().map(Connector::new).transpose();
    made.map_err(|source| ReloadError::Tls {
        owner: format!("pool \"{}\"", pool.name),
        source: Box::new(source),
    })
}
