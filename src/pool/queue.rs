//! Sessions that wait in order while every server is full.
//!
//! Whoever gives something back (a lease dropped, a server up again, a new plan) chooses for those who wait, in the order
//! in which they came, and hands the lease over with the wake-up: so no slot is lost between two threads, and nobody who
//! comes later takes it. The pool's balancer makes that choice as it makes any other, so that weights count. Who has
//! tried some servers already is passed over when only those are free.
//!
//! Invariants: a lease that is handed to somebody who leaves in the same moment goes back at once, to the next in line;
//! what is held here is never held while a lease is dropped.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::time::{Instant, Sleep, sleep};

use super::line::{Served, Waiter};
use super::{Lease, NoServer, Pool, ServerId};
use crate::telemetry::label::words;

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
            end: End::Left,
        })
    }
}

impl Waiter for Seat {
    fn serve(&self) -> Served {
        match (self.pool).choose_out_of_turn(self.client, &self.tried, Instant::now()) {
            // Nobody behind finds more than one who has tried nothing yet.
            Err(NoServer::AllFull) if self.tried.is_empty() => Served::Nothing,
            Err(NoServer::AllFull) => Served::Passed,
            choice => {
                let mut taken = self.lock();
                taken.choice = Some(choice);
                Served::Done(taken.waker.take())
            }
        }
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

impl Future for Ticket {
    type Output = Choice;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Choice> {
        if let Some(choice) = self.seat.take_or_wake(cx) {
            self.end = choice.as_ref().map_or(End::NoServer, |_| End::Served);
            return Poll::Ready(choice);
        }
        ready!(self.patience.as_mut().poll(cx));
        self.end = End::Timeout;
        Poll::Ready(Err(NoServer::QueueTimeout))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let pool = &self.seat.pool;
        pool.line.leave(self.number);
        pool.show_queue();
        let waited = self.since.elapsed();
        pool.metrics.queue_ended(self.end, waited);
        // Nobody gives anything to this seat from now on; what it was given goes to the next in line.
        let choice = self.seat.lock().choice.take();
        drop(choice);
    }
}
