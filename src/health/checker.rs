//! One task for each server: wait, ask, conclude, tell the pool.
//!
//! Checkers run on the control thread. The wait ends early when a session saw the server fail, or when its
//! addresses changed. What a probe said is shown on the [`Server`] each time; the pool hears only of
//! conclusions, so a thousand steady servers make no snapshot.
//!
//! Where the probe asks another port than sessions use, a session's failed connect starts a doubt: until it is gone, each
//! probe that finds the server up also knocks at the sessions' port, and both must answer. What sessions see beyond that, a
//! checker counts; what follows from all of it together is the [`Conclusion`]'s to say.

#[cfg(test)]
mod tests;

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::cap::{Cap, OutPlace};
use super::conclusion::Conclusion;
use super::machine::{Rule, Transition};
use super::probe::ProbeMemory;
use super::{Effort, Finding, Reason, Verdict, pace, passive, role, told};
use crate::base::word::words;
use crate::plan::{Observe, ProbePlan, Role};
use crate::pool::{Change, Health, LastProbe, Pool, Reach, Refused, Server};

/// Who puts the question. Whatever happens is a finding; nothing fails, nothing panics.
pub(super) trait Asker: Send + Sync + 'static {
    /// The probe of the plan.
    fn ask(
        &self,
        server: &Server,
        effort: Effort,
        memory: &mut ProbeMemory,
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
    /// All checkers count their ticks from here.
    epoch: Instant,
    conclusion: Conclusion,
    /// What the server said last that it is, and whether the pool heard it.
    role: (Option<Role>, bool),
    /// The last answer to a question in full; `None` when the next should be one.
    full: Option<Finding>,
    deep_due: Instant,
    settled: bool,
    /// The last question could not be put, for a fault of our own: nothing that fails tells of the server.
    inconclusive: bool,
    /// The last answer was given without the ticket that should have been shown; said once.
    lacks_ticket: bool,
    /// Sessions could not connect to the port that the probe does not ask, and it has not answered since.
    doubt: bool,
    /// Sessions fail here, but enough servers are out for that already; said once.
    spared: bool,
    cap: Arc<Cap>,
    /// Held while the server is out for what sessions saw.
    place: Option<OutPlace>,
    memory: ProbeMemory,
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
        cap: Arc<Cap>,
    ) -> Self {
        Self {
            pool,
            server,
            plan,
            asker,
            epoch,
            conclusion: Conclusion::new(health),
            role: (None, true),
            full: None,
            deep_due: Instant::now(),
            settled: false,
            inconclusive: false,
            lacks_ticket: false,
            doubt: false,
            spared: false,
            cap,
            place: None,
            memory: ProbeMemory::default(),
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
                () = self.server.urged() => return Ok(()),
                () = self.server.nudged() => {}
            }
        }
        self.listen().await?;
        tokio::select! {
            () = sleep_until(probed + pace::least(&self.plan)) => {}
            () = self.server.urged() => {}
        }
        Ok(())
    }

    /// Asks, and hears meanwhile what sessions have to say; true when they said something.
    async fn probe(&mut self) -> Result<bool, Refused> {
        let deep_due = Instant::now() >= self.deep_due;
        let Some(effort) = Effort::next(self.full.as_ref(), deep_due) else {
            self.review().await?;
            return Ok(false);
        };
        // The question will answer for whatever failed before it.
        self.server.take_dial_failure();
        let (asker, server) = (Arc::clone(&self.asker), Arc::clone(&self.server));
        let (doubt, mut memory) = (self.doubts(), mem::take(&mut self.memory));
        let mut called = false;
        let (finding, knock) = {
            let mut asked = pin!(ask(&*asker, &server, effort, &mut memory, doubt));
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
        self.memory = memory;
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
        let finding = role::wanted(finding, &self.pool.load().plan().care.role);
        let knocked = knock.as_ref().map(|knock| knock.verdict == Verdict::Up);
        let finding = match knock {
            Some(knock) => passive::both(finding, knock, &self.plan, self.server.address().port),
            None => finding,
        };
        self.show(&finding);
        if self.is_blind(&finding) || self.is_halfway(&finding) {
            // Nothing is learned, and yet time goes on: a hold ends by it alone.
            return self.review().await;
        }
        if knocked == Some(true) {
            self.server.observed().succeeded(Reach::Connect);
        }
        if self.role.0 != finding.role && !self.lacks_ticket {
            self.role = (finding.role, false);
        }
        self.hear(&finding).await?;
        self.doubt = match knocked {
            Some(up) => !up || self.conclusion.is_undecided(),
            None => self.doubt,
        };
        if effort == Effort::Full {
            self.deep_due = Instant::now() + pace::deep(&self.plan, fastrand::f64());
            self.full = Some(finding);
        }
        self.review().await
    }

    /// What sessions said since they were last listened to.
    async fn listen(&mut self) -> Result<(), Refused> {
        if let Some(finding) = passive::testimony(&self.server)
            && !self.inconclusive
        {
            self.hear(&finding).await?;
        }
        self.believe_sessions().await
    }

    /// What sessions see beyond the reach of the probe counts by itself: `fall` failures in a row.
    async fn believe_sessions(&mut self) -> Result<(), Refused> {
        let failures = self.server.observed().in_a_row(Reach::Connect);
        if !self.sees_port() && !self.inconclusive && failures >= self.plan.fall {
            self.doubt = true;
            let port = self.server.address().port;
            let finding = passive::port_is_dead(&self.plan, port, failures);
            while self.conclusion.probed() != Health::Down {
                self.hear(&finding).await?;
            }
        }
        self.review().await
    }

    /// Nobody can knock where connects succeed and nothing follows: there, the server goes out for a time.
    async fn review(&mut self) -> Result<(), Refused> {
        let (now, seen) = (Instant::now(), self.unanswered());
        self.spared &= seen > 0;
        if !self.inconclusive && self.conclusion.is_broken_by(seen, self.plan.fall) {
            self.distrust(seen, now).await?;
        }
        self.conclusion.review(seen, now);
        self.tell(&passive::trusted_again()).await?;
        if !self.conclusion.is_distrusted() {
            self.place = None;
            self.server.set_distrusted(false);
        }
        Ok(())
    }

    async fn distrust(&mut self, seen: u32, now: Instant) -> Result<(), Refused> {
        self.place = self.place();
        if self.place.is_none() {
            self.spare(seen);
            return Ok(());
        }
        if let Some(until) = self.conclusion.distrust(now, self.plan.observe.quarantine) {
            self.server.metrics().quarantined(Cause::Sessions);
            self.server.set_distrusted(true);
            self.tell(&passive::unanswered(seen, until - now)).await?;
        }
        Ok(())
    }

    fn place(&self) -> Option<OutPlace> {
        let (present, limit) = (self.pool.load(), self.plan.observe.limit);
        self.cap.take(self.server.id(), present.members(), limit)
    }

    fn spare(&mut self, seen: u32) {
        if mem::replace(&mut self.spared, true) {
            return;
        }
        self.server.metrics().quarantined(Cause::Spared);
        let (pool, server) = (self.pool.name(), self.server.name());
        tracing::warn!(
            %pool, %server, sessions = seen, observe_limit = self.plan.observe.limit,
            "sessions fail on the server, but as many as may be are out for that already"
        );
    }

    /// Failures in a row at points that the probe does not reach.
    fn unanswered(&self) -> u32 {
        let port = self.server.address().port;
        let reach = passive::reach(&self.plan, port, Effort::Full);
        let counts = |at: &Reach| match at {
            Reach::Connect => false,
            Reach::Opening => reach < Some(*at),
            Reach::Answer => reach < Some(*at) && self.plan.observe.what == Observe::Sessions,
        };
        let points = [Reach::Opening, Reach::Answer];
        let failures = points.iter().filter(|at| counts(at));
        let observed = self.server.observed();
        failures.map(|at| observed.in_a_row(*at)).sum()
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
        let before = self.inconclusive;
        self.inconclusive = !finding.reason.is_of_server();
        if self.inconclusive && !before {
            let (pool, server) = (self.pool.name(), self.server.name());
            let (step, detail) = (finding.step, &finding.detail);
            tracing::warn!(%pool, %server, step, detail, "cannot probe; health stays as it is");
        }
        self.inconclusive
    }

    /// A server that answers a question without its ticket lives, and that is all that is known of it: nothing else is taken back
    /// for that, neither that it serves nor that it wants no sessions.
    fn is_halfway(&mut self, finding: &Finding) -> bool {
        let before = self.lacks_ticket;
        self.lacks_ticket = finding.reason.lacks_ticket();
        if self.lacks_ticket && !before {
            let (pool, server) = (self.pool.name(), self.server.name());
            let (reason, detail) = (finding.reason.as_str(), &finding.detail);
            tracing::warn!(%pool, %server, reason, detail, "no ticket to ask with; only what needs none is asked");
        }
        let known = (self.conclusion.probed(), finding.verdict);
        self.lacks_ticket
            && matches!(
                known,
                (Health::Up, Verdict::Alive) | (Health::Alive, Verdict::Up)
            )
    }

    fn show(&self, finding: &Finding) {
        let verdict = Health::from(finding.verdict);
        self.server.metrics().probed(verdict, finding.took);
        if finding.verdict != Verdict::Up {
            self.server.metrics().faulted(finding.reason);
        } else {
            self.pool.probed(&self.server, finding.took, Instant::now());
        }
        let kept = self
            .conclusion
            .keeping()
            .filter(|_| finding.verdict == Verdict::Up);
        let kept = kept.map(|(who, until)| passive::kept_out(who, until - Instant::now()));
        let last = LastProbe {
            verdict,
            reason: kept
                .as_ref()
                .map_or(finding.reason, |_| Reason::Quarantined)
                .as_str(),
            step: finding.step,
            detail: kept.unwrap_or_else(|| finding.detail.clone()),
            took: finding.took,
            at: SystemTime::now(),
        };
        self.server.set_last_probe(last, &finding.steps);
    }

    /// A finding, or what counts like one.
    async fn hear(&mut self, finding: &Finding) -> Result<(), Refused> {
        let rule = Rule {
            rise: self.rise(),
            fall: self.plan.fall,
        };
        self.conclusion.hear(finding.verdict, &rule);
        self.tell(finding).await
    }

    /// A server that answered well and was in the wrong role proves nothing by a second answer: its word counts at once.
    fn rise(&self) -> u32 {
        let by_role = self.pool.load().plan().care.role.wanted.is_some();
        match self.conclusion.probed() {
            Health::Alive if by_role && self.role.0.is_some() => 1,
            _ => self.plan.rise,
        }
    }

    /// Tells the pool what has changed, if anything has; `finding` is why.
    async fn tell(&mut self, finding: &Finding) -> Result<(), Refused> {
        let quarantine = self.plan.observe.quarantine;
        let transition = self.conclusion.turn(Instant::now(), quarantine);
        if let Some(transition) = transition {
            // Whatever comes next, it should be known in full.
            self.full = None;
            self.announce(transition, finding);
        }
        let (role, heard) = self.role;
        if transition.is_none() && heard {
            return Ok(());
        }
        self.role = (role, true);
        let (server, health) = (self.server.id(), self.conclusion.told());
        let change = Change::Health {
            server,
            health,
            role,
        };
        self.pool.send(change).await
    }

    /// The one line in the log for a transition.
    fn announce(&self, transition: Transition, finding: &Finding) {
        self.server.metrics().became(transition.to);
        if self.conclusion.is_held() {
            self.server.metrics().quarantined(Cause::Flapping);
        }
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
        let seat = self.pool.load().seat(self.server.id()).map(|own| own.since);
        let event = told::event(transition, finding, seat.map(|since| since.elapsed()));
        let event = event.pool(self.pool.name()).server(self.server.name());
        self.pool.journal().tell(event);
    }

    /// When to ask again: never sooner than the pace allows, whatever is due.
    fn next(&mut self, probed: Instant) -> Instant {
        let undecided = self.conclusion.is_undecided() || self.pool.load().is_failing_over();
        let random = fastrand::f64();
        let wait = if undecided || self.settled {
            pace::next(&self.plan, undecided, random)
        } else {
            self.settled = true;
            pace::settle(&self.plan, random)
        };
        let next = self.epoch + pace::align(probed + wait - self.epoch, wait);
        let soonest = probed + pace::least(&self.plan);
        let due = self.conclusion.due().map(|due| due.max(soonest));
        due.map_or(next, |due| due.min(next))
    }
}

words! {
    /// Why a server that answers its probes stays out for a time.
    enum Cause {
        /// It fell again and again soon after it came back.
        Flapping = "flapping",
        /// Sessions on it failed, in a row.
        Sessions = "sessions",
        /// They did, but the server stayed: `observe_limit`.
        Spared = "spared",
    }
}

/// The probe, and in doubt a knock at the sessions' port, which cannot make a finding better than it is.
async fn ask<A: Asker>(
    asker: &A,
    server: &Server,
    effort: Effort,
    memory: &mut ProbeMemory,
    doubt: bool,
) -> (Finding, Option<Finding>) {
    let finding = asker.ask(server, effort, memory).await;
    match doubt && finding.verdict == Verdict::Up {
        true => (finding, Some(asker.knock(server).await)),
        false => (finding, None),
    }
}
