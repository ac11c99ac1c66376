//! The one writer of a pool: folds changes into the next snapshot.
//!
//! Changes that wait together are folded together, and a keeper whose snapshots are costly (thousands of
//! servers) pauses after each in proportion to its cost, so that ten thousand first verdicts become some
//! dozens of snapshots. A sender hears back when its change can be seen.
//!
//! Servers that leave the file take no new sessions, but for one case: while none of the file's servers is up and some
//! have no verdict yet, those that leave and were up serve on, so that a reload which replaces all servers has no moment
//! without one. They serve until one of the file's servers is up, until all of these have a verdict, or until a probe's
//! time is over. Those that make room for a source serve on in the same way while it has listed nobody yet; where it stays
//! silent, they go at the same bound, as the operator took them out.
//!
//! Those that a source lists no more take none either, and nobody ends what they have: who deregisters lets its work end.
//!
//! A keeper that panics in the middle of a change goes on from the last snapshot, which is whole.

mod compose;
mod departed;
mod members;
mod recall;
mod recollection;
mod roles;
mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use self::state::State;
use super::change::Request;
use super::line::Line;
use super::{Change, Pool};
use crate::plan::PoolPlan;
use crate::telemetry::Metrics;

/// See the module.
#[must_use = "a pool without its keeper never changes"]
pub struct Keeper {
    pool: Weak<Pool>,
    requests: mpsc::Receiver<Request>,
    state: State,
}

fn open(plan: Arc<PoolPlan>, metrics: &Metrics) -> (Arc<Pool>, Keeper) {
    let (keeper, requests) = mpsc::channel(REQUESTS);
    let (falls, told_of_falls) = mpsc::channel(REQUESTS);
    let mut state = State::new(plan, metrics.clone());
    let pool = Arc::new(Pool {
        name: state.plan.name.clone(),
        snapshot: ArcSwap::from_pointee(state.snapshot()),
        freshness: ArcSwapOption::empty(),
        newest: watch::Sender::new(state.generation),
        affinity: std::sync::Mutex::default(),
        line: Line::default(),
        keeper,
        falls,
        told_of_falls: std::sync::Mutex::new(Some(told_of_falls)),
        created_at: state.created_at,
        metrics: metrics.pool(&state.plan.name),
        journal: metrics.journal().clone(),
    });
    let keeper = Keeper {
        pool: Arc::downgrade(&pool),
        requests,
        state,
    };
    (pool, keeper)
}

impl Pool {
    /// A pool and its keeper, which somebody must [`run`](Keeper::run). Servers are without a verdict, unless
    /// the plan has no probe: then all count as up.
    pub fn new(plan: Arc<PoolPlan>, metrics: &Metrics) -> (Arc<Self>, Keeper) {
        open(plan, metrics)
    }
}

impl Keeper {
    /// Works until the pool is gone. Run it on the control thread; stop it by dropping the pool, or the task.
    pub async fn run(mut self) {
        let mut requests = Vec::new();
        loop {
            let due = self.state.due();
            tokio::select! {
                count = self.requests.recv_many(&mut requests, REQUESTS) => if count == 0 {
                    return;
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            let Some(pool) = self.pool.upgrade() else {
                return;
            };
            let began = Instant::now();
            self.fold_or_recover(&pool, &mut requests);
            drop(pool);
            let pause = began.elapsed().saturating_mul(REST).min(LONGEST_REST);
            if pause > SHORTEST_REST {
                sleep(pause).await;
            }
        }
    }

    fn fold_or_recover(&mut self, pool: &Pool, requests: &mut Vec<Request>) {
        // What a panic leaves half done is thrown away.
        let folded = catch_unwind(AssertUnwindSafe(|| self.fold(pool, requests)));
        if folded.is_err() {
            tracing::error!(pool = %pool.name, "a change of the pool panicked and is lost: report this");
            self.state.metrics.panicked("keeper");
            requests.clear();
            self.state.recover(&pool.snapshot.load());
        }
    }

    fn fold(&mut self, pool: &Pool, requests: &mut Vec<Request>) {
        let mut changed = false;
        let mut answers = Vec::with_capacity(requests.len());
        for Request { change, reply } in requests.drain(..) {
            let replan = matches!(change, Change::Plan(_));
            let outcome = self.state.apply(change);
            changed |= outcome == Ok(true);
            if replan {
                pool.bound_affinity(self.state.plan.sticky.as_ref());
            }
            answers.push((reply, outcome.map(|_| ())));
        }
        let now = Instant::now();
        self.learn(pool, now);
        self.state.end_drains(now);
        changed |= self.state.forget_recalled(now);
        changed |= self.state.dismiss_leavers(now);
        self.state.departed.forget(now);
        changed |= self.state.grows_at.is_some_and(|at| at <= now);
        changed |= self.state.hold.due().is_some_and(|at| at <= now);
        if changed {
            pool.snapshot.store(Arc::new(self.state.snapshot()));
            let present = pool.snapshot.load();
            // Sessions that came or went while the snapshot was made counted in the one before.
            present.first.refresh_all();
            present.backup.refresh_all();
            drop(present);
            pool.newest.send_replace(self.state.generation);
            pool.serve_queue();
        }
        self.tell_falls(pool);
        for (reply, outcome) in answers {
            let _ = reply.send(outcome);
        }
    }

    /// Sticky entries of servers that are known now.
    fn learn(&mut self, pool: &Pool, now: Instant) {
        let entries = std::mem::take(&mut self.state.recollection.learned);
        if !entries.is_empty() {
            pool.learn_all(entries, self.state.plan.sticky.as_ref(), now);
        }
    }

    fn tell_falls(&mut self, pool: &Pool) {
        for fall in self.state.falls.drain(..) {
            if pool.falls.try_send(fall).is_err() && !pool.falls.is_closed() {
                tracing::error!(pool = %pool.name, "too many servers fall at once: on_down is not obeyed");
            }
        }
    }
}

/// Changes that may wait; a sender waits beyond.
const REQUESTS: usize = 1024;

/// The keeper rests this many times as long as it worked: at most a tenth of the control thread.
const REST: u32 = 9;

/// Work of a few tens of microseconds is not worth a timer.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// No change waits longer than this for the sake of others.
const LONGEST_REST: Duration = Duration::from_millis(100);
