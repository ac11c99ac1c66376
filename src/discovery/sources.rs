//! Who is asked: one task for each pool that has a source. To drop them is to stop them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::file::{self, ReadMembers};
use super::hearer::Hearer;
use super::{Listing, Reports, impala, srv, zookeeper};
use crate::base::caught::caught;
use crate::plan::{DiscoverPlan, PoolName, PoolPlan};
use crate::pool::Pool;

/// See the module.
pub struct Sources {
    tasks: HashMap<PoolName, Task>,
    changed: mpsc::Sender<PoolName>,
    read: ReadMembers,
}

struct Task {
    pool: Arc<Pool>,
    plan: Arc<PoolPlan>,
    handle: AbortHandle,
}

impl Sources {
    /// Nobody is asked yet. What comes back names each pool whose members are others now. `read` knows how servers stand
    /// in a file.
    pub fn new(read: ReadMembers) -> (Self, mpsc::Receiver<PoolName>) {
        let (changed, told) = mpsc::channel(TOLD);
        let tasks = HashMap::new();
        let sources = Self {
            tasks,
            changed,
            read,
        };
        (sources, told)
    }

    /// Asks whom the pool's present plan names: call it when a pool is new, and after each reload that changed it. A source
    /// whose part of the plan did not change is not disturbed. Needs a tokio runtime.
    pub fn reconcile(&mut self, pool: &Arc<Pool>) {
        let plan = Arc::clone(pool.load().plan());
        if plan.discover.is_none() {
            self.forget(pool.name());
            pool.forget_freshness();
            return;
        }
        let same = |task: &Task| Arc::ptr_eq(&task.pool, pool) && asks_alike(&task.plan, &plan);
        if !self.tasks.get(pool.name()).is_some_and(same) {
            let follow = follow(
                Arc::clone(pool),
                Arc::clone(&plan),
                self.changed.clone(),
                self.read,
            );
            let task = Task {
                pool: Arc::clone(pool),
                plan,
                handle: tokio::spawn(follow).abort_handle(),
            };
            self.tasks.insert(pool.name().clone(), task);
        }
    }

    /// Asks nobody for that pool's servers any more.
    pub fn forget(&mut self, pool: &PoolName) {
        if let Some(task) = self.tasks.remove(pool) {
            task.pool.metrics().no_roster();
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Whether two plans have the same source, and make the same of what it says.
fn asks_alike(one: &PoolPlan, other: &PoolPlan) -> bool {
    one.discover == other.discover
        && one.server_defaults == other.server_defaults
        && one.service == other.service
        && one.tls == other.tls
        && one.probe == other.probe
}

/// Until the pool's source is another. One that panics is a fault of ours, and begins anew; the list stays meanwhile.
async fn follow(
    pool: Arc<Pool>,
    plan: Arc<PoolPlan>,
    changed: mpsc::Sender<PoolName>,
    read: ReadMembers,
) {
    let (reports, mut listings) = mpsc::channel(REPORTS);
    let mut hearer = Hearer::new(Arc::clone(&pool), Arc::clone(&plan), changed);
    let asking = async {
        while let Err(panic) = caught(Box::pin(ask(&plan, reports.clone(), read))).await {
            tracing::error!(pool = %plan.name, %panic, "a source of servers failed; it is asked anew");
            let why = format!("it failed: {panic}");
            let _ = reports.send(Listing::Silent { why }).await;
            sleep(AFTER_PANIC).await;
        }
    };
    let hearing = async {
        while let Some(listing) = listings.recv().await {
            if let Err(panic) = caught(hearer.hear(listing)).await {
                tracing::error!(pool = %plan.name, %panic, "a list of servers failed and is lost: report this");
            }
        }
    };
    tokio::join!(asking, hearing);
}

async fn ask(plan: &Arc<PoolPlan>, reports: Reports, read: ReadMembers) {
    match &plan.discover {
        Some(DiscoverPlan::File { path }) => file::watch(path, plan, &reports, read).await,
        Some(DiscoverPlan::ZooKeeper(from)) => zookeeper::watch(from, plan, &reports).await,
        Some(DiscoverPlan::DnsSrv { name }) => srv::watch(name, plan, &reports).await,
        Some(DiscoverPlan::Impala { coordinators }) => {
            impala::watch(coordinators, plan, &reports).await;
        }
        None => {}
    }
}

/// Pools whose members changed and whom nobody has looked after yet; a source waits beyond.
const TOLD: usize = 64;
/// Of one source.
const REPORTS: usize = 4;
const AFTER_PANIC: Duration = Duration::from_secs(10);
