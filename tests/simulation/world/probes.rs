//! Probes and what sessions saw: what is found, and what is concluded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use howdah::health::Verdict;
use howdah::health::cap::{Cap, OutPlace};
use howdah::health::conclusion::Conclusion;
use howdah::health::machine::Rule;
use howdah::plan::ProbePlan;
use howdah::pool::{Change, Health, Reach, ServerId};
use tokio::time::Instant;

use super::World;

/// The checkers of a pool.
#[derive(Default)]
pub(super) struct Watch {
    checkers: HashMap<ServerId, Checker>,
    cap: Arc<Cap>,
}

struct Checker {
    conclusion: Conclusion,
    /// Held while the server is out for what sessions saw.
    place: Option<OutPlace>,
}

/// What is true of a server, whoever knows it.
#[derive(Clone, Copy)]
pub(super) struct Truth {
    pub(super) verdict: Verdict,
    /// It takes connections, and serves nobody.
    pub(super) mute: bool,
}

impl World {
    /// Checkers begin for members that are new, or for all.
    pub(super) fn meet(&mut self, all: bool) {
        if all {
            self.watch = Watch::default();
        }
        let seats = &self.model.seats;
        let is_member = |id: &ServerId| seats.iter().any(|seat| seat.id == *id);
        self.watch.checkers.retain(|id, _| is_member(id));
        for seat in seats {
            let new = || Checker {
                conclusion: Conclusion::new(seat.health),
                place: None,
            };
            self.watch.checkers.entry(seat.id).or_insert_with(new);
            self.truths.entry(seat.id).or_insert(Truth {
                verdict: Verdict::Up,
                mute: false,
            });
        }
    }

    /// A checker asks, or takes in what sessions found.
    pub(super) async fn probe(&mut self) {
        let place = self.random.usize(..self.model.seats.len());
        let id = self.model.seats[place].id;
        let server = Arc::clone(&self.pool.load().members()[place].server);
        let verdict = if server.take_dial_failure() {
            Verdict::Down
        } else if self.random.u8(..20) == 0 {
            self.verdict()
        } else {
            self.truths[&id].verdict
        };
        let took = Duration::from_millis(self.random.u64(..100));
        self.pool.probed(&server, took, Instant::now());
        drop(server);
        self.hear(place, verdict).await;
    }

    /// The real conclusion and the model's are the same, and the pool is told.
    pub(super) async fn hear(&mut self, place: usize, verdict: Verdict) {
        let Some(probe) = self.model.plan.probe.clone() else {
            return;
        };
        let (rise, fall) = (probe.rise, probe.fall);
        let seat = &mut self.model.seats[place];
        seat.care.hear(verdict, &probe);
        let checker = checker(&mut self.watch, seat.id);
        checker.conclusion.hear(verdict, &Rule { rise, fall });
        self.conclude(place, &probe).await;
        self.review(place, &probe).await;
    }

    /// What sessions saw where no probe looks, and what time heals.
    pub(super) async fn review(&mut self, place: usize, probe: &ProbePlan) {
        let now = Instant::now();
        let id = self.model.seats[place].id;
        let failures = self.failures(place);
        let care = &self.model.seats[place].care;
        let broken = care.is_broken_by(failures, probe.fall);
        let checker = checker(&mut self.watch, id);
        let found = checker.conclusion.is_broken_by(failures, probe.fall);
        assert_eq!(found, broken, "{failures} failures on {id:?}");
        if broken {
            self.distrust(place, probe).await;
        }
        let seat = &mut self.model.seats[place];
        seat.care.review(failures, now);
        let checker = self::checker(&mut self.watch, id);
        checker.conclusion.review(failures, now);
        self.conclude(place, probe).await;
        let checker = self::checker(&mut self.watch, id);
        if !checker.conclusion.is_distrusted() {
            checker.place = None;
        }
    }

    async fn distrust(&mut self, place: usize, probe: &ProbePlan) {
        let now = Instant::now();
        let (limit, quarantine) = (probe.observe.limit, probe.observe.quarantine);
        let may = self.model.may_distrust_one_more(limit);
        let seat = &mut self.model.seats[place];
        let room = (self.watch.cap).take(seat.id, self.pool.load().members(), limit);
        assert_eq!(room.is_some(), may, "{:?} goes out", seat.id);
        if room.is_none() {
            return;
        }
        let checker = checker(&mut self.watch, seat.id);
        checker.place = room;
        let out = checker.conclusion.distrust(now, quarantine).is_some();
        assert_eq!(out, seat.care.distrust(now, quarantine));
        self.conclude(place, probe).await;
    }

    /// Opening and answer, as the server counted them and as the model did.
    fn failures(&self, place: usize) -> u32 {
        let present = self.pool.load();
        let member = &present.members()[place];
        let observed = member.server.observed();
        let points = [Reach::Connect, Reach::Opening, Reach::Answer];
        let counted = points.map(|at| observed.in_a_row(at));
        let id = member.server.id();
        assert_eq!(counted, self.model.counts[&id].failures);
        self.model.failures(id)
    }

    async fn conclude(&mut self, place: usize, probe: &ProbePlan) {
        let (now, quarantine) = (Instant::now(), probe.observe.quarantine);
        let seat = &mut self.model.seats[place];
        let foretold = seat.care.conclude(seat.health, now, quarantine);
        let checker = checker(&mut self.watch, seat.id);
        let told = checker.conclusion.turn(now, quarantine);
        assert_eq!(told.map(|one| one.to), foretold, "of {:?}", seat.id);
        assert_eq!(
            checker.conclusion.keeping().map(|(_, until)| until),
            seat.care.keeps_until()
        );
        if let Some(health) = foretold {
            self.tell_pool(place, health).await;
        }
    }

    async fn tell_pool(&mut self, place: usize, health: Health) {
        let server = self.model.seats[place].id;
        self.send(Change::Health {
            server,
            health,
            role: None,
        })
        .await
        .expect("a keeper");
        self.model.seats[place].health = health;
        self.model.changed(Instant::now());
        self.settle();
    }

    pub(super) fn truth_turns(&mut self) {
        let place = self.random.usize(..self.model.seats.len());
        let id = self.model.seats[place].id;
        let truth = Truth {
            verdict: self.verdict(),
            mute: self.random.u8(..4) == 0,
        };
        let (verdict, mute) = (truth.verdict, truth.mute);
        self.tell(|| format!("{id:?} is {verdict:?} in truth, mute: {mute}"));
        self.truths.insert(id, truth);
    }
}

impl Watch {
    /// When time alone ends what keeps this server out.
    pub(super) fn due(&self, id: ServerId) -> Option<Instant> {
        self.checkers[&id].conclusion.due()
    }
}

fn checker(watch: &mut Watch, id: ServerId) -> &mut Checker {
    let checker = watch.checkers.get_mut(&id);
    checker.expect("each member has a checker")
}
