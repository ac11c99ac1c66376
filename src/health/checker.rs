//! One task for each server: wait, ask, conclude, tell the pool.
//!
//! Checkers run on the control thread. The wait ends early when a session saw the server fail, or when its
//! addresses changed. What a probe said is shown on the [`Server`] each time; the pool hears only of
//! conclusions, so a thousand steady servers make no snapshot.
//!
//! Where the probe asks another port than sessions use, a session's failed connect starts a doubt: until it is gone, each
//! probe that finds the server up also knocks at the sessions' port, and both must answer.

#[cfg(test)]
mod tests;

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::machine::{Rule, State, Transition, step};
use super::probe::Rapport;
use super::{Effort, Finding, Verdict, pace, passive};
use crate::plan::ProbePlan;
use crate::pool::{Change, Health, LastProbe, Pool, Reach, Refused, Server};

/// Who puts the question. Whatever happens is a finding; nothing fails, nothing panics.
pub(super) trait Asker: Send + Sync + 'static {
    /// The probe of the plan.
    fn ask(
        &self,
        server: &Server,
        effort: Effort,
        rapport: &mut Rapport,
    ) -> impl Future<Output = Finding> + Send;

    /// A bare connect to the port that takes sessions.
    fn knock(&self, server: &Server) -> impl Future<Output = Finding> + Send;
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
    /// Sessions could not connect to the port that the probe does not ask, and it has not answered since.
    doubt: bool,
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
            doubt: false,
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
        let called = self.probe().await?;
        let probed = Instant::now();
        if !called {
            tokio::select! {
                () = sleep_until(self.next(probed)) => return Ok(()),
                () = self.server.nudged() => {}
            }
        }
        self.listen().await?;
        sleep_until(probed + pace::least(&self.plan)).await;
        Ok(())
    }

    /// Asks, and hears meanwhile what sessions have to say; true when they said something.
    async fn probe(&mut self) -> Result<bool, Refused> {
        let deep_due = Instant::now() >= self.deep_due;
        let Some(effort) = Effort::next(self.full.as_ref(), deep_due) else {
            return Ok(false);
        };
        // The question will answer for whatever failed before it.
        self.server.take_dial_failure();
        let (asker, server) = (Arc::clone(&self.asker), Arc::clone(&self.server));
        let (doubt, mut rapport) = (self.doubts(), mem::take(&mut self.rapport));
        let mut called = false;
        let (finding, knock) = {
            let mut asked = pin!(ask(&*asker, &server, effort, &mut rapport, doubt));
            loop {
                tokio::select! {
                    biased;
                    answer = &mut asked => break answer,
                    () = server.nudged() => {
                        called = true;
                        self.believe_sessions().await?;
                    }
                }
            }
        };
        self.rapport = rapport;
        self.judge(effort, finding, knock).await?;
        Ok(called)
    }

    /// `knock`: what the sessions' port said, where it was asked beside the probe's.
    async fn judge(
        &mut self,
        effort: Effort,
        finding: Finding,
        knock: Option<Finding>,
    ) -> Result<(), Refused> {
        let knocked = knock.as_ref().map(|knock| knock.verdict == Verdict::Up);
        let finding = match knock {
            Some(knock) => passive::both(finding, knock, &self.plan, self.server.address().port),
            None => finding,
        };
        self.show(&finding);
        if self.is_blind(&finding) {
            return Ok(());
        }
        if knocked == Some(true) {
            self.server.observed().succeeded(Reach::Connect);
        }
        self.conclude(&finding).await?;
        self.doubt = match knocked {
            Some(up) => !up || self.state.is_undecided(),
            None => self.doubt,
        };
        if effort == Effort::Full {
            self.deep_due = Instant::now() + pace::deep(&self.plan, fastrand::f64());
            self.full = Some(finding);
        }
        Ok(())
    }

    /// What sessions said since they were last listened to.
    async fn listen(&mut self) -> Result<(), Refused> {
        if let Some(finding) = passive::testimony(&self.server)
            && !self.blind
        {
            self.conclude(&finding).await?;
        }
        self.believe_sessions().await
    }

    /// Where the probe asks another port, sessions that cannot connect are believed by themselves: `fall` in a row.
    async fn believe_sessions(&mut self) -> Result<(), Refused> {
        let failures = self.server.observed().in_a_row(Reach::Connect);
        if self.sees_port() || self.blind || failures < self.plan.fall {
            return Ok(());
        }
        self.doubt = true;
        let finding = passive::port_is_dead(&self.plan, self.server.address().port, failures);
        while self.state.health() != Health::Down {
            self.conclude(&finding).await?;
        }
        Ok(())
    }

    /// Whether the probe says anything of the port that takes sessions.
    fn sees_port(&self) -> bool {
        let port = self.server.address().port;
        passive::reach(&self.plan, port, Effort::Full).is_some()
    }

    fn doubts(&self) -> bool {
        let failed = self.server.observed().in_a_row(Reach::Connect) > 0;
        !self.sees_port() && (self.doubt || failed)
    }

    /// Our own fault (no descriptor left, no time, say) tells nothing of the server, and is said once.
    fn is_blind(&mut self, finding: &Finding) -> bool {
        let before = self.blind;
        self.blind = !finding.reason.is_of_server();
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

/// The probe, and in doubt a knock at the sessions' port, which cannot make a finding better than it is.
async fn ask<A: Asker>(
    asker: &A,
    server: &Server,
    effort: Effort,
    rapport: &mut Rapport,
    doubt: bool,
) -> (Finding, Option<Finding>) {
    let finding = asker.ask(server, effort, rapport).await;
    match doubt && finding.verdict == Verdict::Up {
        true => (finding, Some(asker.knock(server).await)),
        false => (finding, None),
    }
}
