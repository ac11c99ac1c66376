//! Tells people of what happens, by webhooks: few messages, and each true when it arrives.
//!
//! ```text
//!  journal ──► engine: what is wrong, and what of it was told ──► message ──► template ──► post
//!                ▲         pure, bounded                                                    │
//!                └──────────────── told, refused, or not yet: then the next attempt says what is so by then
//! ```
//!
//! Each `[[alert]]` has a task of its own, which follows the journal. Three invariants: nothing here makes a session, a probe or
//! the control thread wait; what a receiver is told is the state when it is told, never a backlog; memory is bounded however
//! long a receiver is away.

mod backoff;
mod engine;
mod group;
mod message;
mod post;
mod receiver;
mod template;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

pub use self::receiver::Exists;
use self::receiver::Receiver;
use crate::base::caught::caught;
use crate::plan::{AlertName, AlertPlan};
use crate::telemetry::Metrics;

/// Every receiver that runs.
pub struct Alerts {
    metrics: Metrics,
    exists: Exists,
    /// What happened before is another run's.
    since: SystemTime,
    running: HashMap<AlertName, Running>,
}

struct Running {
    plan: watch::Sender<Arc<AlertPlan>>,
    flush: mpsc::Sender<oneshot::Sender<()>>,
}

impl Alerts {
    /// Nobody is told yet.
    pub fn new(metrics: &Metrics, exists: Exists) -> Self {
        Self {
            metrics: metrics.clone(),
            exists,
            // Events are told to the millisecond.
            since: SystemTime::now() - Duration::from_secs(1),
            running: HashMap::new(),
        }
    }

    /// From now on these are told. One that is new is told of what is wrong now; one that changed goes on with what it was
    /// told before.
    pub fn reconcile(&mut self, plans: &[Arc<AlertPlan>]) {
        self.running
            .retain(|name, _| plans.iter().any(|plan| plan.name == *name));
        for plan in plans {
            match self.running.get(&plan.name) {
                Some(running) => {
                    let changed = *running.plan.borrow() != *plan;
                    if changed {
                        running.plan.send_replace(Arc::clone(plan));
                    }
                }
                None => {
                    let running = self.start(plan);
                    self.running.insert(plan.name.clone(), running);
                }
            }
        }
    }

    fn start(&self, plan: &Arc<AlertPlan>) -> Running {
        let (sender, changes) = watch::channel(Arc::clone(plan));
        let (flush, flushes) = mpsc::channel(1);
        let journal = self.metrics.journal().clone();
        let counters = self.metrics.alert(plan.name.as_str());
        let exists = Arc::clone(&self.exists);
        let receiver = Receiver::new(changes, (&journal, self.since), counters, exists);
        let (metrics, name) = (self.metrics.clone(), plan.name.clone());
        tokio::spawn(async move {
            if let Err(panic) = caught(receiver.run(flushes)).await {
                metrics.panicked("alert");
                tracing::error!(alert = %name, panic, "an alert's task panicked, and tells nothing more: report this");
            }
        });
        Running {
            plan: sender,
            flush,
        }
    }

    /// What is still to be told is told now, as far as that is a matter of moments.
    pub async fn flush(self) {
        let mut answers = Vec::new();
        for running in self.running.values() {
            let (done, answer) = oneshot::channel();
            if running.flush.try_send(done).is_ok() {
                answers.push(answer);
            }
        }
        let all = async {
            for answer in answers {
                let _ = answer.await;
            }
        };
        let _ = timeout(LAST_WORDS, all).await;
    }
}

/// How long the end of the process waits for receivers.
const LAST_WORDS: Duration = Duration::from_secs(2);
