//! Those who wait while every server is full: served in order, in vain, too late, or gone.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::task::Poll;

use howdah::pool::{NoServer, Pick, ServerId, Ticket};
use tokio::task::{Unconstrained, unconstrained};
use tokio::time::Instant;
use tokio_test::task::{Spawn, spawn};

use super::{Held, World};
use crate::model::is_just_over;

/// As the pool should have it, in the order of arrival.
#[derive(Default)]
pub(crate) struct Line {
    waiting: VecDeque<Waiting>,
    /// Served, and not gone on yet.
    arrived: VecDeque<Arrival>,
    pub(crate) ends: Ends,
}

struct Waiting {
    client: IpAddr,
    tried: Vec<ServerId>,
    ticket: Spawn<Unconstrained<Ticket>>,
    until: Instant,
    looked: bool,
}

pub(super) struct Arrival {
    pub(super) held: Held,
    pub(super) client: IpAddr,
    pub(super) tried: Vec<ServerId>,
}

/// How waits ended, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) served: u64,
    pub(crate) no_server: u64,
    pub(crate) timeout: u64,
    pub(crate) left: u64,
}

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn arrived(&self) -> usize {
        self.arrived.len()
    }

    pub(super) fn is_about_to_end(&self, now: Instant) -> bool {
        (self.waiting.iter()).any(|one| is_just_over(one.until, now))
    }
}

impl World {
    /// All are full: the session waits, if there is room.
    pub(super) fn wait(&mut self, client: IpAddr, tried: &[ServerId]) {
        let queue = self.model.plan.queue.clone();
        let entered = self.pool.wait(client, tried);
        let why = entered.as_ref().err().copied();
        let full = self.line.len() >= queue.most;
        assert_eq!(why, full.then_some(NoServer::QueueFull));
        self.tell(|| format!("{client} waits, not for {tried:?}: {why:?}"));
        if let Ok(ticket) = entered {
            self.line.waiting.push_back(Waiting {
                client,
                tried: tried.to_vec(),
                // Many looks in one step are no reason to yield.
                ticket: spawn(unconstrained(ticket)),
                until: Instant::now() + queue.patience,
                looked: false,
            });
            self.model.looked_up(Instant::now());
            self.settle();
        }
    }

    /// After each event: whoever can be served is, in order and at once; nobody else is, and nobody waits for too long.
    pub(crate) fn settle(&mut self) {
        let now = Instant::now();
        let mut place = 0;
        while place < self.line.len() {
            let one = &mut self.line.waiting[place];
            let woken = one.ticket.is_woken() || !std::mem::replace(&mut one.looked, true);
            let (client, over) = (one.client, now >= one.until);
            match one.ticket.poll() {
                Poll::Pending => {
                    assert!(!over, "{client} waits for too long");
                    self.assert_full(place, now);
                    place += 1;
                }
                Poll::Ready(choice) => {
                    assert!(woken, "{client} is not told");
                    if matches!(choice, Err(NoServer::QueueTimeout)) {
                        assert!(over, "{client} gives up too early");
                        self.assert_full(place, now);
                        self.line.ends.timeout += 1;
                        self.tell(|| format!("{client} waited in vain"));
                        self.line.waiting.remove(place);
                    } else {
                        let one = self.line.waiting.remove(place).expect("it is there");
                        self.serve(one, choice, now);
                    }
                }
            }
        }
    }

    /// Nobody is forgotten while a slot is free.
    fn assert_full(&mut self, place: usize, now: Instant) {
        let one = &self.line.waiting[place];
        let full = Err(NoServer::AllFull);
        let (client, tried) = (one.client, &one.tried);
        let foretold = self.model.foretell(client, tried, now, full);
        assert_eq!(foretold, full, "{client}, not for {tried:?}, is forgotten");
    }

    fn serve(&mut self, one: Waiting, choice: Result<howdah::pool::Lease, NoServer>, now: Instant) {
        let Waiting { client, tried, .. } = one;
        match self.judged(client, &tried, now, choice) {
            Ok(held) => {
                self.line.ends.served += 1;
                self.line.arrived.push_back(Arrival {
                    held,
                    client,
                    tried,
                });
            }
            Err(_) => self.line.ends.no_server += 1,
        }
    }

    /// Those who were served go on as sessions do.
    pub(super) fn arrive(&mut self) {
        while let Some(arrival) = self.line.arrived.pop_front() {
            self.go_on(arrival);
        }
    }

    pub(super) fn leave(&mut self) {
        if self.line.len() > 0 {
            let place = self.random.usize(..self.line.len());
            self.line.waiting.remove(place);
            self.line.ends.left += 1;
            self.tell(|| format!("number {place} in line leaves"));
            self.settle();
        }
    }

    /// A place at `server` became free, and whoever is handed it leaves in the same moment: the next in line has it.
    pub(super) fn leave_when_served(&mut self, server: ServerId) {
        let now = Instant::now();
        let hint = Ok((server, Pick::Sticky));
        for place in 0..self.line.len() {
            let one = &self.line.waiting[place];
            let foretold = (self.model).foretell(one.client, &one.tried, now, hint);
            if let Ok((id, _)) = foretold {
                assert_eq!(id, server, "nobody else had room");
                let one = self.line.waiting.remove(place).expect("it is there");
                let (client, tried) = (one.client, &one.tried);
                self.tell(|| format!("{client} leaves as it is served"));
                let holds = self.model.judge(client, tried, now, foretold);
                drop(one.ticket);
                self.model.ended(id, holds.then_some(client), now);
                self.line.ends.left += 1;
                return;
            }
        }
    }

    /// Nobody waits, nobody is there.
    pub(crate) fn clear(&mut self) {
        while self.line.len() > 0 {
            self.leave();
        }
        while let Some(arrival) = self.line.arrived.pop_front() {
            self.end(arrival.held);
        }
        for held in std::mem::take(&mut self.held) {
            self.end(held);
        }
    }

    /// A pool that miscounts panics again when its leases go.
    pub(super) fn forget_all(&mut self) {
        std::mem::forget(std::mem::take(&mut self.held));
        std::mem::forget(std::mem::take(&mut self.line));
    }
}
