//! The task of one `[[alert]]`: hears the journal, and posts what the engine has to tell.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::backoff::pause;
use super::engine::Engine;
use super::post::{Outcome, post};
use super::template::render;
use crate::plan::AlertPlan;
use crate::telemetry::journal::{Follower, Page};
use crate::telemetry::{AlertMetrics, Journal};
use crate::tls::connect::Connector;

/// Whether a pool, or a server of it, is still configured.
pub type Exists = Arc<dyn Fn(&str, Option<&str>) -> bool + Send + Sync>;

/// See the module.
pub(super) struct Receiver {
    plan: Arc<AlertPlan>,
    changes: watch::Receiver<Arc<AlertPlan>>,
    follower: Follower,
    /// What happened before is another run's.
    since: SystemTime,
    engine: Engine,
    counters: AlertMetrics,
    exists: Exists,
    connector: Result<Option<Connector>, String>,
    /// Attempts that failed in a row, and when the next may be.
    failures: u32,
    not_before: Option<Instant>,
    warned: Option<Instant>,
}

impl Receiver {
    /// Knows what happened since `since`.
    pub(super) fn new(
        mut changes: watch::Receiver<Arc<AlertPlan>>,
        (journal, since): (&Journal, SystemTime),
        counters: AlertMetrics,
        exists: Exists,
    ) -> Self {
        let plan = Arc::clone(&changes.borrow_and_update());
        let before = journal.after(0, usize::MAX, |event| event.at >= since);
        let mut receiver = Self {
            engine: Engine::new(Arc::clone(&plan)),
            connector: connector(&plan),
            plan,
            changes,
            follower: journal.follow(before.last),
            since,
            counters,
            exists,
            failures: 0,
            not_before: None,
            warned: None,
        };
        receiver.hear(&before);
        receiver.engine.forget_what_is_over();
        receiver
    }

    /// Until nobody holds the plan's sender.
    pub(super) async fn run(mut self, mut flushes: mpsc::Receiver<oneshot::Sender<()>>) {
        // Nobody tells that a server left the configuration while nothing else happens.
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.counters.pending(self.engine.pending());
            self.counters.dropped(self.engine.dropped());
            let due = self.engine.due();
            let due = due.map(|due| self.not_before.map_or(due, |not| not.max(due)));
            tokio::select! {
                page = self.follower.next() => self.hear(&page),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.tell(false).await;
                }
                _ = looks.tick() => self.prune(),
                changed = self.changes.changed() => match changed {
                    Ok(()) => self.follow(),
                    Err(_) => return,
                },
                Some(done) = flushes.recv() => {
                    self.hear_the_rest().await;
                    self.tell(true).await;
                    let _ = done.send(());
                }
            }
        }
    }

    fn hear(&mut self, page: &Page) {
        let now = Instant::now();
        self.engine.missed(page.lost);
        for event in page.events.iter().filter(|event| event.at >= self.since) {
            self.engine.hear(event, now);
        }
    }

    async fn hear_the_rest(&mut self) {
        while let Ok(page) = timeout(Duration::ZERO, self.follower.next()).await {
            self.hear(&page);
        }
    }

    fn follow(&mut self) {
        let plan = Arc::clone(&self.changes.borrow_and_update());
        if plan.to != self.plan.to {
            // Whoever this is has refused nothing yet.
            self.connector = connector(&plan);
            (self.failures, self.not_before) = (0, None);
        }
        self.engine.follow(Arc::clone(&plan));
        self.plan = plan;
    }

    fn prune(&mut self) {
        let exists = &self.exists;
        let there = |pool: &str, server: Option<&str>| exists(pool, server);
        self.engine.prune(there, Instant::now());
    }

    /// One attempt, if there is something to tell.
    async fn tell(&mut self, hurry: bool) {
        self.prune();
        let Some(message) = self.engine.message(hurry, Instant::now()) else {
            return;
        };
        let (kind, body) = render(&self.plan.form, &message);
        let outcome = match &self.connector {
            Ok(connector) => post(&self.plan.to, connector.as_ref(), &kind, &body).await,
            Err(why) => Outcome::Later {
                why: why.clone(),
                wanted: None,
            },
        };
        let (alert, to) = (&self.plan.name, &self.plan.to);
        let now = Instant::now();
        match outcome {
            Outcome::Taken => {
                tracing::debug!(%alert, %to, entries = message.alerts.len(), "alert sent");
                if self.failures > 0 {
                    tracing::info!(%alert, %to, attempts = self.failures, "alerts are taken again");
                }
                self.counters.sent();
                self.settled(now);
            }
            Outcome::Refused(why) => {
                tracing::warn!(%alert, %to, why, "an alert was refused, and is dropped");
                self.counters.refused();
                self.settled(now);
            }
            Outcome::Later { why, wanted } => {
                self.failures = self.failures.saturating_add(1);
                self.counters.failed();
                let pause = pause(self.failures, fastrand::f64(), wanted);
                self.not_before = Some(now + pause);
                if self.warned.is_none_or(|at| now - at >= WARN_EVERY) {
                    self.warned = Some(now);
                    let next_seconds = pause.as_secs_f64();
                    tracing::warn!(%alert, %to, why, next_seconds, "an alert cannot be sent, and is tried again");
                }
            }
        }
    }

    fn settled(&mut self, now: Instant) {
        self.engine.settled(now);
        (self.failures, self.not_before, self.warned) = (0, None, None);
    }
}

fn connector(plan: &AlertPlan) -> Result<Option<Connector>, String> {
    let made = plan.to.tls.as_ref().map(Connector::new).transpose();
    made.map_err(|error| error.to_string())
}

const WARN_EVERY: Duration = Duration::from_secs(60);
/// How soon a server that left is no trouble any more.
const LOOK: Duration = Duration::from_secs(5);
