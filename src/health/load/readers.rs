//! Who is asked for its load: starts and stops a reader for each server of each pool.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::AbortHandle;

use super::reader::{Reader, Source};
use crate::base::caught::caught;
use crate::health::pace;
use crate::plan::{Ask, LoadPlan, ObservePlan, PoolName, ProbePlan};
use crate::pool::{Member, Pool, ServerId};
use crate::tls::connect::Connector;

/// All readers of this process. To drop it is to stop them.
#[derive(Default)]
pub struct LoadReaders(HashMap<PoolName, Watch>);

/// The readers of one pool, all under the same plan.
struct Watch {
    pool: Arc<Pool>,
    source: Arc<Source>,
    tasks: HashMap<ServerId, Task>,
}

/// Ends with its owner.
struct Task(AbortHandle);

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
            tasks: HashMap::new(),
        }
    }

    fn follow(&mut self, members: &[Member]) {
        let present = members.iter().map(|member| (member.server.id(), member));
        let present: HashMap<ServerId, &Member> = present.collect();
        self.tasks.retain(|id, _| present.contains_key(id));
        let count = present.len() - self.tasks.len();
        for (id, member) in present {
            self.tasks.entry(id).or_insert_with(|| {
                let watch = watch(
                    Arc::clone(&self.pool),
                    member.clone(),
                    Arc::clone(&self.source),
                    count,
                );
                Task(tokio::spawn(watch).abort_handle())
            });
        }
    }
}

/// Until the pool stops. A reader that panics is a fault of ours; another goes on from nothing.
async fn watch(pool: Arc<Pool>, member: Member, source: Arc<Source>, count: usize) {
    let mut delay = pace::first(count, fastrand::f64());
    loop {
        let (pool, source) = (Arc::clone(&pool), Arc::clone(&source));
        let name = pool.name().clone();
        let interval = source.plan.interval;
        let reader = Reader::new(pool, Arc::clone(&member.server), source, member.said);
        match caught(reader.run(delay)).await {
            Ok(()) => return,
            Err(panic) => {
                let server = member.server.name();
                tracing::error!(pool = %name, %server, %panic, "a reader of load failed; another takes over");
            }
        }
        delay = interval;
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

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
