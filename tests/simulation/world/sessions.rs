//! Sessions: they come, fail, try again, are answered or not, and end.

use std::net::IpAddr;
use std::time::Duration;

use howdah::base::word::Label;
use howdah::health::Verdict;
use howdah::pool::{DialFailure, Lease, NoServer, Reach, ServerId, SessionFault};
use tokio::time::Instant;

use super::line::Arrival;
use super::{Held, World};
use crate::draw;

impl World {
    /// A session comes; the servers that are down refuse it, and it tries the next.
    pub(super) fn session(&mut self) {
        if self.held.len() > MOST_SESSIONS {
            return self.session_ends();
        }
        let client = draw::client(&mut self.random);
        self.attempt(client, Vec::new());
    }

    fn attempt(&mut self, client: IpAddr, mut tried: Vec<ServerId>) {
        let mut failed = Vec::new();
        while tried.len() < ATTEMPTS {
            let held = match self.choose(client, &tried) {
                Ok(held) => held,
                Err(NoServer::AllFull) => {
                    self.wait(client, &tried);
                    break;
                }
                Err(_) => break,
            };
            let server = held.server;
            let Some(held) = self.dial(held) else {
                break;
            };
            tried.push(server);
            // Some give the failed one back before the next attempt, some after it.
            if self.random.bool() {
                self.end(held);
            } else {
                failed.push(held);
            }
        }
        failed.into_iter().for_each(|held| self.end(held));
    }

    /// One who waited was served.
    pub(super) fn go_on(&mut self, arrival: Arrival) {
        let Arrival {
            held,
            client,
            mut tried,
        } = arrival;
        let server = held.server;
        if let Some(held) = self.dial(held) {
            tried.push(server);
            self.end(held);
            self.attempt(client, tried);
        }
    }

    /// Connects, and is perhaps answered. What it gives back could not connect.
    fn dial(&mut self, held: Held) -> Option<Held> {
        let truth = self.truths[&held.server];
        let count = (self.model.counts).get_mut(&held.server).expect("known");
        let server = held.lease.server();
        if truth.verdict == Verdict::Down || self.random.u8(..30) == 0 {
            let why = *self.random.choice(DialFailure::ALL).expect("some");
            server.dial_failed(why);
            if let Some(reach) = why.reach() {
                count.failed(reach);
            }
            return Some(held);
        }
        server.dial_succeeded();
        count.succeeded(Reach::Opening);
        if truth.mute {
            server.session_failed(SessionFault::Unanswered);
            count.failed(Reach::Answer);
            self.end(held);
            return None;
        }
        let took = Duration::from_micros(self.random.u64(1..1_000_000));
        if self.random.bool() {
            held.lease.answered(took, Instant::now(), false);
            count.succeeded(Reach::Answer);
        } else {
            held.lease.observe(took, Instant::now());
        }
        self.held.push(held);
        None
    }

    /// One choice, judged. Nobody passes those who wait.
    pub(crate) fn choose(&mut self, client: IpAddr, tried: &[ServerId]) -> Result<Held, NoServer> {
        let now = Instant::now();
        let chosen = self.pool.choose(client, tried, now);
        if self.line.len() == 0 {
            return self.judged(client, tried, now, chosen);
        }
        let why = chosen.err();
        assert_eq!(why, Some(NoServer::AllFull), "{client} passes the line");
        Err(NoServer::AllFull)
    }

    pub(super) fn judged(
        &mut self,
        client: IpAddr,
        tried: &[ServerId],
        now: Instant,
        chosen: Result<Lease, NoServer>,
    ) -> Result<Held, NoServer> {
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
        if self.random.u8(..10) == 0 {
            return self.leave();
        }
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
        if self.random.u8(..8) == 0 {
            self.leave_when_served(server);
        }
        self.settle();
    }
}

const MOST_SESSIONS: usize = 100;
const ATTEMPTS: usize = 3;
