//! Probes: what they find, and what is concluded.

use std::sync::Arc;
use std::time::Duration;

use howdah::health::Verdict;
use howdah::health::machine::{self, Rule};
use howdah::pool::Change;
use tokio::time::Instant;

use super::World;

impl World {
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
            self.states[&id].1
        };
        let took = Duration::from_millis(self.random.u64(..100));
        self.pool.probed(&server, took, Instant::now());
        drop(server);
        self.hear(place, verdict).await;
    }

    /// The real machine and the model conclude the same, and the pool is told.
    pub(super) async fn hear(&mut self, place: usize, verdict: Verdict) {
        let Some(probe) = &self.model.plan.probe else {
            return;
        };
        let (rise, fall) = (probe.rise, probe.fall);
        let seat = &mut self.model.seats[place];
        let (id, foretold) = (seat.id, seat.hear(verdict, rise, fall));
        let (state, _) = self.states.get_mut(&id).expect("each member has a checker");
        let (next, transition) = machine::step(*state, verdict, &Rule { rise, fall });
        *state = next;
        assert_eq!(
            transition.map(|one| one.to),
            foretold,
            "{verdict:?} for {id:?}"
        );
        if let Some(health) = foretold {
            self.send(Change::Health { server: id, health })
                .await
                .expect("a keeper");
            self.model.seats[place].health = health;
            self.model.changed();
        }
    }

    pub(super) fn truth_turns(&mut self) {
        let place = self.random.usize(..self.model.seats.len());
        let id = self.model.seats[place].id;
        let verdict = self.verdict();
        self.tell(|| format!("{id:?} is {verdict:?} in truth"));
        self.states
            .get_mut(&id)
            .expect("each member has a checker")
            .1 = verdict;
    }
}
