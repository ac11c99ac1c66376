//! Sessions that wait in order while every server is full.
//!
//! Whoever gives something back (a lease dropped, a server up again, a new plan) chooses for those who wait, in the order
//! in which they came, and hands the lease over with the wake-up: so no slot is lost between two threads, and nobody who
//! comes later takes it. The pool's balancer makes that choice as it makes any other, so that weights count. Who has
//! tried some servers already is passed over when only those are free, and learns at once when it has tried all. Time gives
//! back too, where a server has `max_per_second`: who is first in line sleeps until the next token, and then chooses for all
//! as everybody does.
//!
//! Invariants: a lease that is handed to somebody who leaves in the same moment goes back at once, to the next in line;
//! what is held here is never held while a lease is dropped.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::line::{Served, Waiter};
use super::{Lease, NoServer, Pool, ServerId};
use crate::base::word::words;

/// What a choice comes to.
type Choice = Result<Lease, NoServer>;

/// One who waits, and where the choice for it is put.
struct Seat {
    pool: Arc<Pool>,
    client: IpAddr,
    tried: Box<[ServerId]>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    choice: Option<Choice>,
    waker: Option<Waker>,
}

/// A place in the queue of a pool: a future of the choice. To drop it is to leave.
pub struct Ticket {
    number: u64,
    seat: Arc<Seat>,
    since: Instant,
    patience: Pin<Box<Sleep>>,
    /// Until a server may take a new session again; only the first in line has one.
    token: Option<Pin<Box<Sleep>>>,
    end: End,
}

words! {
    /// How a wait ended.
    enum End {
        /// With a server.
        Served = "served",
        /// There is no server up any more.
        NoServer = "no-server",
        /// The time was over.
        Timeout = "timeout",
        /// The client left, or an order ended the session.
        Left = "left",
    }
}

impl Pool {
    /// A place among those who wait for a server that is not full, in the order of arrival; the [`Ticket`] is a future of
    /// what [`Self::choose`] gives, within `timeouts.queue`. Drop it when the client leaves.
    ///
    /// # Errors
    /// [`NoServer::QueueFull`], when `max_queue` wait already.
    pub fn wait(self: &Arc<Self>, client: IpAddr, tried: &[ServerId]) -> Result<Ticket, NoServer> {
        let plan = Arc::clone(&self.snapshot.load().plan);
        let seat = Arc::new(Seat {
            pool: Arc::clone(self),
            client,
            tried: tried.into(),
            taken: Mutex::default(),
        });
        let entered = self.line.enter(Arc::clone(&seat) as _, plan.queue.most);
        let number = entered
            .ok_or(NoServer::QueueFull)
            .inspect_err(|why| self.metrics.no_server(*why))?;
        // Something may have become free between the choice that failed and this.
        self.serve_queue();
        self.show_queue();
        Ok(Ticket {
            number,
            seat,
            since: Instant::now(),
            patience: Box::pin(sleep(plan.queue.patience)),
            token: None,
            end: End::Left,
        })
    }
}

impl Waiter for Seat {
    fn serve(&self) -> Served {
        match (self.pool).choose_out_of_turn(self.client, &self.tried, Instant::now()) {
            // Nobody behind who has tried nothing either finds more.
            Err(NoServer::AllFull) if self.tried.is_empty() => Served::Nothing,
            Err(NoServer::AllFull) => Served::Passed,
            choice => {
                let mut taken = self.lock();
                taken.choice = Some(choice);
                Served::Done(taken.waker.take())
            }
        }
    }

    fn wake(&self) {
        let waker = self.lock().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Who has tried all of the first rank goes to a backup, or learns that there is nobody left.
    fn is_choosy(&self) -> bool {
        !self.tried.is_empty()
    }
}

impl Seat {
    fn take_or_wake(&self, cx: &Context<'_>) -> Option<Choice> {
        let mut taken = self.lock();
        if taken.choice.is_none() {
            taken.waker = Some(cx.waker().clone());
        }
        taken.choice.take()
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Serves the line at each token, for as long as this is the first in it.
    fn await_token(&mut self, cx: &mut Context<'_>) {
        let pool = Arc::clone(&self.seat.pool);
        while pool.has_rates() && pool.line.is_first(self.number) {
            if let Some(token) = &mut self.token {
                // A new plan may bring one sooner.
                if let Some(at) = pool.next_token(Instant::now())
                    && at < token.deadline()
                {
                    token.as_mut().reset(at);
                }
                if token.as_mut().poll(cx).is_pending() {
                    return;
                }
            }
            // Those that came before this moment are used now or by nobody in line, and are not waited for.
            let now = Instant::now();
            pool.serve_line();
            self.token = pool.next_token(now).map(|at| Box::pin(sleep_until(at)));
            if self.token.is_none() {
                return;
            }
        }
        self.token = None;
    }
}

impl Future for Ticket {
    type Output = Choice;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Choice> {
        if let Some(choice) = self.seat.take_or_wake(cx) {
            self.end = choice.as_ref().map_or(End::NoServer, |_| End::Served);
            return Poll::Ready(choice);
        }
        if self.patience.as_mut().poll(cx).is_ready() {
            self.end = End::Timeout;
            return Poll::Ready(Err(NoServer::QueueTimeout));
        }
        self.await_token(cx);
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let pool = &self.seat.pool;
        pool.line.leave(self.number);
        pool.wake_for_token();
        pool.show_queue();
        let waited = self.since.elapsed();
        pool.metrics.queue_ended(self.end, waited);
        // Nobody gives anything to this seat from now on; what it was given goes to the next in line.
        let choice = self.seat.lock().choice.take();
        drop(choice);
    }
}
