//! Availability: the share of time in which pools and listeners could be reached, the share of sessions that got a server,
//! outages with their causes, and how long servers took; kept for years.
//!
//! ```text
//! pools, listeners ──► look ──► Model (ledgers) ──► Batch ──► store (a thread, redb) ──► rows of hours, days, months
//! control thread       pure     pure, exact         a mark                  │
//!                                                   now and then            └──► Report, for those who ask
//! ```
//!
//! The [`Model`](model::Model) is told what each target is at the moment at which that changes, and counts the time between by the hour. A
//! mark hands what was counted to the store, which adds it to the rows of its hour, day and month. Whoever asks for a report
//! gets rows, what waits to be written, and what was counted since.
//!
//! Nothing here is on the way of a session: those add to counters, which a mark reads. A disk that is slow, full or gone
//! costs figures at most, and never a start, a session or a probe.

mod calendar;
mod clock;
mod ledger;
mod look;
mod model;
mod period;
mod present;
mod report;
mod store;
mod target;
#[cfg(test)]
mod tests;
mod watch;
mod watched;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

pub use self::calendar::{Moment, Step};
use self::present::Present;
pub use self::report::{
    LatencyReport, NoReport, OutageReport, PercentileReport, PeriodReport, Question, Report,
    TargetReport,
};
use self::report::{Window, build};
use self::store::{Message, Query, Store};
pub use self::target::{Kind, Target};
pub use self::watched::{Subject, Watched};
use crate::plan::HistoryPlan;
use crate::telemetry::Metrics;

/// The handle: cheap to clone, and all clones are the same.
#[derive(Clone)]
pub struct Availability(Arc<Shared>);

struct Shared {
    present: Mutex<Present>,
    /// A pool is not what it was, or others are watched from now on.
    changed: Arc<Notify>,
    store: Store,
    flush: Duration,
    /// Opens the file, which a predecessor has until it is told to drain.
    gate: Mutex<Option<oneshot::Sender<()>>>,
}

impl Availability {
    /// Opens the history on a thread of its own, which nobody waits for, and begins to count. [`Self::run`] does the rest.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(plan: &HistoryPlan, metrics: &Metrics) -> std::io::Result<Self> {
        Self::start_behind(plan, metrics, None, None)
    }

    /// The same, while another howdah has the file: until [`Self::begin`], what is asked and written waits.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start_later(plan: &HistoryPlan, metrics: &Metrics) -> std::io::Result<Self> {
        let (gate, opened) = oneshot::channel();
        Self::start_behind(plan, metrics, Some(gate), Some(opened))
    }

    fn start_behind(
        plan: &HistoryPlan,
        metrics: &Metrics,
        gate: Option<oneshot::Sender<()>>,
        opened: Option<oneshot::Receiver<()>>,
    ) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            present: Mutex::new(Present::new(SystemTime::now(), Instant::now(), metrics)),
            changed: Arc::new(Notify::new()),
            store: Store::start(plan.file.clone(), metrics, opened)?,
            flush: plan.flush,
            gate: Mutex::new(gate),
        })))
    }

    /// Nobody else has the file any more: what was counted by two so far is counted by this one from now on.
    pub fn begin(&self) {
        let gate = self.gate().take();
        if let Some(gate) = gate {
            self.0.lock().begin_again(SystemTime::now(), Instant::now());
            // The thread waits for it.
            let _ = gate.send(());
        }
    }

    fn gate(&self) -> MutexGuard<'_, Option<oneshot::Sender<()>>> {
        self.0.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on these are watched, and no others.
    pub fn follow(&self, watched: Vec<Watched>) {
        self.0.lock().follow(watched);
        self.0.changed.notify_one();
    }

    /// The listeners are closed by order: from now on their time is planned work.
    pub fn stopping(&self) {
        self.0.lock().stop();
    }

    /// The last word, which tells the next start that this was a stop by order. Waits for the disk, at most `patience`.
    pub async fn stop(&self, patience: Duration) {
        // It is another's, or was given up.
        if self.gate().is_some() || self.0.lock().has_stopped() {
            return;
        }
        let written = async {
            let place = self.0.store.reserve().await?;
            let (reply, done) = oneshot::channel();
            let batch = self.0.lock().batch();
            place.send(Message::Close { batch, reply });
            done.await.ok()
        };
        if timeout(patience, written).await.ok().flatten().is_none() {
            tracing::warn!("the last of the history was not written");
        }
    }

    /// How the window that ends now went.
    ///
    /// # Errors
    /// See [`NoReport`].
    pub async fn report(&self, question: Question) -> Result<Report, NoReport> {
        let asked = async {
            let place = self.0.store.reserve().await.ok_or(NoReport::Silent)?;
            let (reply, answer) = oneshot::channel();
            let (batch, goals) = {
                let mut present = self.0.lock();
                (present.batch(), present.goals())
            };
            let window = Window::ending(batch.at, question.window, self.0.store.keep());
            let targets = match question.targets.is_empty() {
                true => goals.iter().map(|(target, _)| target.clone()).collect(),
                false => question.targets,
            };
            let query = Query {
                targets,
                step: window.rows,
                from: window.from,
                to: window.to,
            };
            place.send(Message::Ask {
                query,
                batch,
                reply,
            });
            let found = answer.await.map_err(|_| NoReport::Silent)?;
            build(window, &goals, found)
        };
        let report = timeout(PATIENCE, asked).await;
        report.unwrap_or(Err(NoReport::Silent))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asks for a report waits no longer for a disk.
const PATIENCE: Duration = Duration::from_secs(5);
