//! One task for each server: wait, ask, conclude, tell the pool.
//!
//! Checkers run on the control thread. The wait ends early when a session saw the server fail, or when its
//! addresses changed. What a probe said is shown on the [`Server`] each time; the pool hears only of
//! conclusions, so a thousand steady servers make no snapshot.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::machine::{Rule, State, Transition, step};
use super::probe::Rapport;
use super::{Effort, Finding, Reason, Verdict, pace, witness};
use crate::plan::ProbePlan;
use crate::pool::{Change, Health, LastProbe, Pool, Refused, Server};

/// Who puts the question.
pub(super) trait Asker: Send + Sync + 'static {
    /// Never fails, never panics: whatever happens is a finding.
    fn ask(
        &self,
        server: &Server,
        effort: Effort,
        rapport: &mut Rapport,
    ) -> impl Future<Output = Finding> + Send;
}

/// One server under watch.
pub(super) struct Checker<A> {
    pool: Arc<Pool>,
    server: Arc<Server>,
    plan: ProbePlan,
    asker: Arc<A>,
    /// All checkers count their strokes from here.
    epoch: Instant,
    state: State,
    /// The last answer to a question in full; `None` when the next should be one.
    full: Option<Finding>,
    deep_due: Instant,
    settled: bool,
    /// The last question could not be put, for a fault of our own: nothing that fails tells of the server.
    blind: bool,
    rapport: Rapport,
}

impl<A: Asker> Checker<A> {
    /// `health` is what the pool believes now: a checker that follows another goes on from there.
    pub(super) fn new(
        pool: Arc<Pool>,
        server: Arc<Server>,
        health: Health,
        plan: ProbePlan,
        asker: Arc<A>,
        epoch: Instant,
    ) -> Self {
        Self {
            pool,
            server,
            plan,
            asker,
            epoch,
            state: State::new(health),
            full: None,
            deep_due: Instant::now(),
            settled: false,
            blind: false,
            rapport: Rapport::default(),
        }
    }

    /// Until the pool stops; or drop it, at any time.
    pub(super) async fn run(mut self, delay: Duration) {
        sleep(delay).await;
        if self.server.addresses().is_empty() {
            // Its name is being looked up for the first time; a verdict can wait for that.
            let _ = timeout(self.plan.timeout, self.server.nudged()).await;
        }
        while let Ok(()) = self.turn().await {}
    }

    async fn turn(&mut self) -> Result<(), Refused> {
        self.probe().await?;
        let probed = Instant::now();
        tokio::select! {
            () = sleep_until(self.next(probed)) => return Ok(()),
            () = self.server.nudged() => {}
        }
        if let Some(finding) = witness::testimony(&self.server)
            && !self.blind
        {
            self.conclude(&finding).await?;
        }
        sleep_until(probed + pace::least(&self.plan)).await;
        Ok(())
    }

    async fn probe(&mut self) -> Result<(), Refused> {
        let deep_due = Instant::now() >= self.deep_due;
        let Some(effort) = Effort::next(self.full.as_ref(), deep_due) else {
            return Ok(());
        };
        witness::dismiss(&self.server);
        let finding = self
            .asker
            .ask(&self.server, effort, &mut self.rapport)
            .await;
        self.show(&finding);
        if self.is_blind(&finding) {
            return Ok(());
        }
        self.conclude(&finding).await?;
        if effort == Effort::Full {
            self.deep_due = Instant::now() + pace::deep(&self.plan, fastrand::f64());
            self.full = Some(finding);
        }
        Ok(())
    }

    /// Our own fault (no descriptor left, say) tells nothing of the server, and is said once.
    fn is_blind(&mut self, finding: &Finding) -> bool {
        let before = self.blind;
        self.blind = finding.reason == Reason::Unusable;
        if self.blind && !before {
            let (pool, server) = (self.pool.name(), self.server.name());
            let (step, detail) = (finding.step, &finding.detail);
            tracing::warn!(%pool, %server, step, detail, "cannot probe; health stays as it is");
        }
        self.blind
    }

    fn show(&self, finding: &Finding) {
        let verdict = Health::from(finding.verdict);
        self.server.metrics().probed(verdict, finding.took);
        if finding.verdict != Verdict::Up {
            self.server.metrics().faulted(finding.reason);
        } else {
            self.pool.probed(&self.server, finding.took, Instant::now());
        }
        self.server.set_last_probe(LastProbe {
            verdict,
            reason: finding.reason.as_str(),
            step: finding.step,
            detail: finding.detail.clone(),
            took: finding.took,
            at: SystemTime::now(),
        });
    }

    async fn conclude(&mut self, finding: &Finding) -> Result<(), Refused> {
        let rule = Rule {
            rise: self.plan.rise,
            fall: self.plan.fall,
        };
        let (state, transition) = step(self.state, finding.verdict, &rule);
        self.state = state;
        let Some(transition) = transition else {
            return Ok(());
        };
        // Whatever comes next, it should be known in full.
        self.full = None;
        self.announce(transition, finding);
        let (server, health) = (self.server.id(), transition.to);
        self.pool.send(Change::Health { server, health }).await
    }

    /// The one line in the log for a transition.
    fn announce(&self, transition: Transition, finding: &Finding) {
        self.server.metrics().became(transition.to);
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    pool = %self.pool.name(),
                    server = %self.server.name(),
                    from = transition.from.as_str(),
                    to = transition.to.as_str(),
                    step = finding.step,
                    reason = finding.reason.as_str(),
                    took_seconds = finding.took.as_secs_f64(),
                    detail = finding.detail,
                    $message
                )
            };
        }
        match transition.to {
            Health::Up => line!(info, "server is up"),
            Health::Alive => line!(warn, "server is alive and wants no new sessions"),
            Health::Down | Health::Unknown => line!(warn, "server is down"),
        }
    }

    /// When to ask again.
    fn next(&mut self, probed: Instant) -> Instant {
        let undecided = self.state.is_undecided();
        let random = fastrand::f64();
        let wait = if undecided || self.settled {
            pace::next(&self.plan, undecided, random)
        } else {
            self.settled = true;
            pace::settle(&self.plan, random)
        };
        self.epoch + pace::align(probed + wait - self.epoch, wait)
    }
}
