//! Who is asked for its load: starts and stops a reader for each server of each pool.

use std::collections::HashMap;
use std::sync::Arc;

use super::reader::{Reader, Source};
use crate::base::caught::caught;
use crate::health::pace;
use crate::health::tasks::Tasks;
use crate::plan::{Ask, LoadPlan, ObservePlan, PoolName, ProbePlan};
use crate::pool::{Member, Pool, Server};
use crate::tls::connect::Connector;

/// All readers of this process. To drop it is to stop them.
#[derive(Default)]
pub struct LoadReaders(HashMap<PoolName, Watch>);

/// The readers of one pool, all under the same plan.
struct Watch {
    pool: Arc<Pool>,
    source: Arc<Source>,
    tasks: Tasks,
}

impl LoadReaders {
    /// Nobody is asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Brings the readers in line with the present snapshot: call it when a pool is new, and whenever its plan or its servers
    /// are others. Readers of servers and sources that did not change go on undisturbed. Needs a tokio runtime.
    pub fn reconcile(&mut self, pool: &Arc<Pool>) {
        let snapshot = pool.load();
        let Some(plan) = &snapshot.plan().load else {
            self.forget(pool.name());
            return;
        };
        let alike = |watch: &Watch| Arc::ptr_eq(&watch.pool, pool) && watch.source.plan == *plan;
        if !self.0.get(pool.name()).is_some_and(alike) {
            self.0.insert(pool.name().clone(), Watch::new(pool, plan));
        }
        if let Some(watch) = self.0.get_mut(pool.name()) {
            watch.follow(snapshot.members());
        }
    }

    /// Stops the readers of a pool.
    pub fn forget(&mut self, pool: &PoolName) {
        self.0.remove(pool);
    }
}

impl Watch {
    fn new(pool: &Arc<Pool>, plan: &LoadPlan) -> Self {
        let tls = plan.tls.as_ref().map(Connector::new).transpose();
        let source = Source {
            plan: plan.clone(),
            probe: as_probe(plan),
            tls: tls.map_err(|error| error.to_string()),
        };
        Self {
            pool: Arc::clone(pool),
            source: Arc::new(source),
            tasks: Tasks::default(),
        }
    }

    fn follow(&mut self, members: &[Member]) {
        let (pool, source) = (&self.pool, &self.source);
        self.tasks.follow(members, |member, count| {
            let server = Arc::clone(&member.server);
            watch(Arc::clone(pool), server, Arc::clone(source), count)
        });
    }
}

/// Until the pool stops. A reader that panics is a fault of ours; another goes on from what the pool knows.
async fn watch(pool: Arc<Pool>, server: Arc<Server>, source: Arc<Source>, count: usize) {
    let mut delay = pace::first(count, fastrand::f64());
    loop {
        let reader = Reader::new(Arc::clone(&pool), Arc::clone(&server), Arc::clone(&source));
        let Err(panic) = caught(reader.run(delay)).await else {
            return;
        };
        let (pool, server) = (pool.name(), server.name());
        tracing::error!(%pool, %server, %panic, "a reader of load failed; another takes over");
        delay = source.plan.interval;
    }
}

/// How to connect. The question is put elsewhere.
fn as_probe(plan: &LoadPlan) -> ProbePlan {
    ProbePlan {
        ask: Ask::Tcp,
        port: Some(plan.port),
        tls: plan.tls.clone(),
        kerberos: None,
        interval: plan.interval,
        fast_interval: plan.interval,
        deep_interval: plan.interval,
        timeout: plan.interval,
        rise: 1,
        fall: 1,
        observe: ObservePlan::DEFAULT,
    }
}
