//! Sessions: they come, fail, try again, and end.

use std::net::IpAddr;
use std::time::Duration;

use howdah::base::word::Label;
use howdah::health::Verdict;
use howdah::pool::{DialFailure, NoServer, ServerId};
use tokio::time::Instant;

use super::{Held, World};
use crate::draw;

impl World {
    /// A session comes; the servers that are down refuse it, and it tries the next.
    pub(super) fn session(&mut self) {
        if self.held.len() > MOST_SESSIONS {
            return self.session_ends();
        }
        let client = draw::client(&mut self.random);
        let mut tried = Vec::new();
        let mut failed = Vec::new();
        for _ in 0..ATTEMPTS {
            let Ok(held) = self.choose(client, &tried) else {
                break;
            };
            let (_, truth) = self.states[&held.server];
            let broken = truth == Verdict::Down || self.random.u8(..30) == 0;
            if !broken {
                held.lease.server().dial_succeeded();
                self.observe(&held);
                self.held.push(held);
                break;
            }
            let why = *self.random.choice(DialFailure::ALL).expect("some");
            held.lease.server().dial_failed(why);
            tried.push(held.server);
            // Some give the failed one back before the next attempt, some after it.
            if self.random.bool() {
                self.end(held);
            } else {
                failed.push(held);
            }
        }
        failed.into_iter().for_each(|held| self.end(held));
    }

    fn observe(&mut self, held: &Held) {
        let took = Duration::from_micros(self.random.u64(1..1_000_000));
        held.lease.observe(took, Instant::now());
    }

    /// One choice, judged.
    pub(crate) fn choose(&mut self, client: IpAddr, tried: &[ServerId]) -> Result<Held, NoServer> {
        let now = Instant::now();
        let chosen = self.pool.choose(client, tried, now);
        let seen = (chosen.as_ref())
            .map(|lease| (lease.server().id(), lease.pick()))
            .map_err(|why| *why);
        self.tell(|| format!("{client} not {tried:?}: {seen:?}"));
        let holds = self.model.judge(client, tried, now, seen);
        let lease = chosen?;
        let server = lease.server().id();
        let holds = holds.then_some(client);
        Ok(Held {
            lease,
            server,
            holds,
        })
    }

    pub(super) fn session_ends(&mut self) {
        if !self.held.is_empty() {
            let place = self.random.usize(..self.held.len());
            let held = self.held.swap_remove(place);
            self.end(held);
        }
    }

    pub(crate) fn end(&mut self, held: Held) {
        self.tell(|| format!("a session of {:?} ends", held.server));
        let Held {
            lease,
            server,
            holds,
        } = held;
        drop(lease);
        self.model.ended(server, holds, Instant::now());
    }

    pub(crate) fn end_all(&mut self) {
        for held in std::mem::take(&mut self.held) {
            self.end(held);
        }
    }
}

const MOST_SESSIONS: usize = 100;
const ATTEMPTS: usize = 3;
