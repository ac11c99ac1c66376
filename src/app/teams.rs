//! Pools and what belongs to them: keepers, probes, names, TLS, and the servers that leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::error::ReloadError;
use super::{App, Team};
use crate::plan::{PoolName, PoolPlan, ServerPlan};
use crate::pool::{Change, Health, Member, Pool, Server, Snapshot};
use crate::session::registry::Who;
use crate::session::{Destination, Reason};
use crate::tls::connect::Connector;

impl App {
    pub(super) fn add_pool(&mut self, plan: &Arc<PoolPlan>, connector: Option<Connector>) {
        let (pool, keeper) = Pool::new(Arc::clone(plan), &self.metrics);
        self.tasks.spawn(keeper.run());
        self.attend(&pool);
        self.pools
            .insert(plan.name.clone(), Team { pool, connector });
    }

    /// Servers that stay keep everything. When none of those can serve, the old ones go on until the new have
    /// had their first verdict, so that there is no moment without a server.
    pub(super) async fn change_pool(&mut self, plan: &Arc<PoolPlan>, connector: Option<Connector>) {
        let Some(team) = self.pools.get_mut(&plan.name) else {
            return;
        };
        team.connector = connector;
        let pool = Arc::clone(&team.pool);
        let before = Arc::clone(&pool.load());
        if let Some(both) = with_leavers(plan, &before) {
            self.tell(&pool, both).await;
            self.attend(&pool);
            verdicts(std::slice::from_ref(&pool)).await;
        }
        self.tell(&pool, Arc::clone(plan)).await;
        self.attend(&pool);
        self.retire(&before, &pool.load());
    }

    async fn tell(&self, pool: &Pool, plan: Arc<PoolPlan>) {
        if let Err(refused) = pool.send(Change::Plan(plan)).await {
            tracing::error!(pool = %pool.name(), %refused, "the pool did not change");
        }
    }

    pub(super) fn remove_pool(&mut self, name: &PoolName) {
        let Some(team) = self.pools.remove(name) else {
            return;
        };
        self.checkers.forget(name);
        self.names.forget(name);
        let last = Arc::clone(&team.pool.load());
        let deadline = Instant::now() + last.plan().drain_timeout;
        for member in last.members() {
            self.end_sessions_at(&member.server, deadline);
        }
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
                self.end_sessions_at(&member.server, deadline);
            }
        }
    }

    /// Ends what is left on `server` at `deadline`, unless the server has come back into the file by then.
    pub(super) fn end_sessions_at(&self, server: &Arc<Server>, deadline: Instant) {
        let (server, crew) = (Arc::downgrade(server), self.crew.clone());
        self.tasks.spawn(async move {
            sleep_until(deadline).await;
            let Some(server) = server.upgrade() else {
                return;
            };
            if server.sessions_active() > 0
                && server.retire_at().is_none_or(|at| at <= Instant::now())
            {
                crew.cut(Who::On(server.id()), Reason::Drained).await;
            }
        });
    }

    /// New pools get their first verdicts before the first session asks for a server.
    pub(super) async fn first_verdicts(&self, added: &[Arc<PoolPlan>]) {
        let teams = added.iter().filter_map(|plan| self.pools.get(&plan.name));
        let pools: Vec<_> = teams.map(|team| Arc::clone(&team.pool)).collect();
        verdicts(&pools).await;
    }

    pub(super) fn destination(&self, pool: &PoolName) -> Option<Destination> {
        self.pools.get(pool).map(|team| Destination {
            pool: Arc::clone(&team.pool),
            connector: team.connector.clone(),
            metrics: Arc::clone(team.pool.metrics()),
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

/// The new plan and the old servers that it leaves out, where none that stays can serve.
fn with_leavers(plan: &PoolPlan, before: &Snapshot) -> Option<Arc<PoolPlan>> {
    let stays = |member: &&Member| plan.servers.iter().any(|new| is_same(new, &member.plan));
    let stays_up = before
        .members()
        .iter()
        .filter(stays)
        .any(|member| member.standing.is_on_offer());
    if stays_up || !before.can_serve() {
        return None;
    }
    let mut both = plan.clone();
    let leavers = before
        .members()
        .iter()
        .filter(|member| !plan.servers.iter().any(|new| new.name == member.plan.name));
    both.servers
        .extend(leavers.map(|member| Arc::clone(&member.plan)));
    Some(Arc::new(both))
}

fn is_same(new: &ServerPlan, old: &ServerPlan) -> bool {
    new.name == old.name && new.address == old.address
}

/// Until every pool can serve, or knows that it cannot; bounded by the time that a probe may take.
async fn verdicts(pools: &[Arc<Pool>]) {
    let decided = |pool: &Arc<Pool>| {
        let now = pool.load();
        now.can_serve()
            || now
                .members()
                .iter()
                .all(|member| member.health != Health::Unknown)
    };
    let patience = |pool: &Arc<Pool>| pool.load().plan().probe.as_ref().map(|probe| probe.timeout);
    let longest = pools.iter().filter_map(patience).max().unwrap_or_default();
    let deadline = Instant::now() + longest + GLANCE;
    while !pools.iter().all(decided) && Instant::now() < deadline {
        sleep(GLANCE).await;
    }
}

/// How often verdicts are looked for while a reload waits for them.
const GLANCE: Duration = Duration::from_millis(5);
