//! Everything that is concluded of one server, in one value. Pure.
//!
//! Three judges have a say, and the server takes sessions only where none of them keeps it out:
//!
//! * the [`machine`](super::machine), fed by probes and by what they can answer for;
//! * the *hold*: a server that fell again and again soon after it came back stays out for longer than its probes ask;
//! * the [`Trust`] of sessions, for what they see beyond the reach of the probe.
//!
//! Only a change of the sum is a [`Transition`], so the pool, the log and the metrics see one story.

use std::time::Duration;

use tokio::time::Instant;

use super::Verdict;
use super::machine::{Rule, State, Transition, step};
use super::quarantine::Strikes;
use super::trust::Trust;
use crate::pool::Health;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Conclusion {
    state: State,
    /// What the pool was told last.
    told: Health,
    held: Option<Instant>,
    falls: Strikes,
    trust: Trust,
    breaches: Strikes,
}

/// Who keeps a server out that its probes find up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It fell so often, soon after it had come back.
    Hold(u32),
    /// Sessions failed on it, for the so manieth time in a row.
    Distrust(u32),
}

impl Conclusion {
    /// What a checker begins with.
    pub fn new(health: Health) -> Self {
        Self {
            state: State::new(health),
            told: health,
            held: None,
            falls: Strikes::default(),
            trust: Trust::Full,
            breaches: Strikes::default(),
        }
    }

    /// Whether more verdicts are wanted soon.
    pub fn is_undecided(&self) -> bool {
        self.state.is_undecided()
    }

    /// What probes alone say.
    pub fn probed(&self) -> Health {
        self.state.health()
    }

    /// A probe's verdict, or one that counts like it.
    pub fn hear(&mut self, verdict: Verdict, rule: &Rule) {
        self.state = step(self.state, verdict, rule).0;
    }

    /// Whether so many failures in a row beyond the probe's reach are reason to take the server out.
    pub fn is_broken_by(&self, seen: u32, fall: u32) -> bool {
        self.trust.is_broken_by(seen, fall)
    }

    /// Takes the server out for what its sessions saw; `None` where `quarantine` is nothing.
    pub fn distrust(&mut self, now: Instant, quarantine: Duration) -> Option<Instant> {
        let until = self.breaches.out(now, quarantine, 0)?;
        self.trust = Trust::Out(until);
        Some(until)
    }

    /// Lets time and successes work; `seen` as in [`Self::is_broken_by`].
    pub fn review(&mut self, seen: u32, now: Instant) {
        let before = self.trust;
        self.trust = self.trust.next(seen, now);
        if !before.holds() && self.trust.holds() {
            self.breaches.back(now);
        }
        self.held = self.held.filter(|until| now < *until);
    }

    /// What the pool was told last.
    pub(super) fn told(&self) -> Health {
        self.told
    }

    /// Who keeps the server out though probes find it up, and until when.
    pub fn keeping(&self) -> Option<(Keeping, Instant)> {
        let held = self
            .held
            .map(|until| (Keeping::Hold(self.falls.count()), until));
        let out = self.trust.due();
        let out = out.map(|until| (Keeping::Distrust(self.breaches.count()), until));
        match (held, out) {
            (Some(held), Some(out)) => Some(if held.1 > out.1 { held } else { out }),
            (held, out) => held.or(out),
        }
    }

    /// Whether sessions' word keeps it out.
    pub fn is_distrusted(&self) -> bool {
        !self.trust.holds()
    }

    /// Whether it has just earned a hold, or is under one.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// When time alone changes something.
    pub fn due(&self) -> Option<Instant> {
        self.held.into_iter().chain(self.trust.due()).min()
    }

    /// The change since this was last asked. A fall by the word of probes is counted, and may bring a hold.
    pub fn turn(&mut self, now: Instant, quarantine: Duration) -> Option<Transition> {
        let to = match self.state.health() {
            Health::Up if self.keeping().is_some() => Health::Down,
            health => health,
        };
        let from = std::mem::replace(&mut self.told, to);
        if from == to {
            return None;
        }
        match (from, to) {
            (_, Health::Up) => self.falls.back(now),
            (Health::Up, Health::Down) if self.state.health() == Health::Down => {
                self.held = self.falls.out(now, quarantine, FREE_FALLS);
            }
            _ => {}
        }
        Some(Transition { from, to })
    }
}

/// Falls that cost nothing: a restart may take more than one.
const FREE_FALLS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { rise: 1, fall: 1 };
    const QUARANTINE: Duration = Duration::from_secs(10);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn went(conclusion: &mut Conclusion, now: Instant) -> Option<Health> {
        let transition = conclusion.turn(now, QUARANTINE);
        transition.map(|transition| transition.to)
    }

    #[test]
    fn a_server_that_flaps_is_held_longer_each_time() {
        let (mut one, mut now) = (Conclusion::new(Health::Up), Instant::now());
        let mut stays = Vec::new();
        for _ in 0..6 {
            one.hear(Verdict::Down, &RULE);
            assert_eq!(went(&mut one, now), Some(Health::Down));
            let fell = now;
            one.hear(Verdict::Up, &RULE);
            now += secs(1);
            one.review(0, now);
            while went(&mut one, now) != Some(Health::Up) {
                now = one.due().expect("held, or up");
                one.review(0, now);
            }
            stays.push((now - fell).as_secs());
            now += secs(5);
        }
        assert_eq!(stays, [1, 1, 10, 20, 40, 80]);
        one.hear(Verdict::Down, &RULE);
        now += secs(200);
        one.review(0, now);
        went(&mut one, now);
        assert_eq!(one.due(), None, "it held for long enough");
    }

    #[test]
    fn what_sessions_see_keeps_a_server_out_that_probes_find_up() {
        let (mut one, mut now) = (Conclusion::new(Health::Up), Instant::now());
        for stay in [10, 20, 40] {
            assert!(one.is_broken_by(3, 3));
            one.distrust(now, QUARANTINE);
            assert_eq!(went(&mut one, now), Some(Health::Down));
            one.hear(Verdict::Up, &RULE);
            now += secs(stay) - secs(1);
            one.review(9, now);
            assert_eq!(went(&mut one, now), None, "not before {stay} s");
            assert!(!one.is_broken_by(99, 3), "it is out already");
            now += secs(1);
            one.review(2, now);
            assert_eq!(went(&mut one, now), Some(Health::Up), "on trial");
            assert!(!one.is_broken_by(2, 3) && one.is_broken_by(3, 3));
        }
        one.review(0, now);
        assert!(!one.is_broken_by(2, 3), "a success ends the trial");
        one.hear(Verdict::Down, &RULE);
        assert_eq!(went(&mut one, now), Some(Health::Down), "probes count too");
    }

    #[test]
    fn without_quarantine_sessions_take_nobody_out() {
        let mut one = Conclusion::new(Health::Up);
        assert_eq!(one.distrust(Instant::now(), Duration::ZERO), None);
        assert_eq!(went(&mut one, Instant::now()), None);
    }
}
