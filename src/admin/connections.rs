//! The connections to the admin address: at most so many, and a newcomer is worth more than one that only waits.
//!
//! A client that opens connections and sends nothing (or one byte a second) therefore never locks the operator
//! out: when all places are taken, the connection that has been without a request for the longest time goes; where none
//! is without, the oldest of those that follow a stream, whose client comes again. When all are being answered, the
//! newcomer waits for the first that is done.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All connections there are.
pub(super) struct ConnectionLimiter {
    most: usize,
    seats: Mutex<Seats>,
    /// Told of each answer and each end.
    done: Arc<Notify>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<Seat>>,
}

impl Seats {
    fn oldest(&self, doing: u8) -> Option<u64> {
        let does = |seat: &Seat| seat.doing.load(Ordering::Relaxed) == doing;
        let all = self.taken.iter().filter(|(_, seat)| does(seat));
        all.map(|(number, _)| *number).min()
    }
}

/// One connection's place, given back by `Drop`.
pub(super) struct Place {
    connections: Arc<ConnectionLimiter>,
    number: u64,
    seat: Arc<Seat>,
}

#[derive(Default)]
struct Seat {
    doing: AtomicU8,
    leave: Notify,
    done: Arc<Notify>,
}

/// While it lives, and until the answer is sent, the connection may stay.
pub(super) struct Busy {
    seat: Arc<Seat>,
    /// What it does then.
    then: u8,
}

impl ConnectionLimiter {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            seats: Mutex::default(),
            done: Arc::default(),
        })
    }

    /// A place for a new connection, as soon as there is one. Cancel-safe; for one newcomer at a time.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_enter() {
                return place;
            }
            self.done.notified().await;
        }
    }

    /// `None` when all are busy.
    fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let mut seats = self.seats();
        if seats.taken.len() >= self.most {
            let longest = seats.oldest(WAITS).or_else(|| seats.oldest(STREAMS))?;
            if let Some(seat) = seats.taken.remove(&longest) {
                seat.leave.notify_one();
            }
        }
        let number = seats.next;
        seats.next += 1;
        let seat = Arc::new(Seat {
            done: Arc::clone(&self.done),
            ..Seat::default()
        });
        seats.taken.insert(number, Arc::clone(&seat));
        drop(seats);
        let connections = Arc::clone(self);
        Some(Place {
            connections,
            number,
            seat,
        })
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Ends when the connection must make room. Cancel-safe.
    pub(super) async fn asked_to_leave(&self) {
        self.seat.leave.notified().await;
    }

    /// A request is being answered.
    pub(super) fn work(&self) -> Worker {
        Worker(Arc::clone(&self.seat))
    }
}

/// Marks requests of one connection.
#[derive(Clone)]
pub(super) struct Worker(Arc<Seat>);

impl Worker {
    pub(super) fn busy(&self) -> Busy {
        self.0.doing.store(ANSWERS, Ordering::Relaxed);
        Busy {
            seat: Arc::clone(&self.0),
            then: SENDS,
        }
    }

    /// All that was written is with the system.
    pub(super) fn flushed(&self) {
        let answered =
            (self.0.doing).compare_exchange(SENDS, WAITS, Ordering::Relaxed, Ordering::Relaxed);
        if answered.is_ok() {
            self.0.done.notify_one();
        }
    }
}

impl Busy {
    /// The answer is made and held back: the connection may go meanwhile.
    pub(super) fn rest(&self) {
        self.seat.doing.store(WAITS, Ordering::Relaxed);
        self.seat.done.notify_one();
    }

    /// The answer is a stream: from now on the connection may go.
    pub(super) fn streams(mut self) {
        self.then = STREAMS;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.seat.doing.store(self.then, Ordering::Relaxed);
        if self.then == STREAMS {
            self.seat.done.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.seats().taken.remove(&self.number);
        self.connections.done.notify_one();
    }
}

/// For a request, or its next byte.
const WAITS: u8 = 0;
/// A request.
const ANSWERS: u8 = 1;
/// The answer.
const SENDS: u8 = 2;
/// An answer without an end, to a client that takes it.
const STREAMS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_test::{assert_pending, assert_ready, task};

    #[test]
    fn the_longest_idle_makes_room() {
        let connections = ConnectionLimiter::new(3);
        let places: Vec<Place> = (0..3).filter_map(|_| connections.try_enter()).collect();
        let busy = places[0].work().busy();
        let newcomer = connections.try_enter().expect("one idles");
        assert_pending!(task::spawn(places[0].asked_to_leave()).poll());
        assert_ready!(task::spawn(places[1].asked_to_leave()).poll());
        assert_pending!(task::spawn(places[2].asked_to_leave()).poll());
        drop(busy);
        places[0].work().flushed();
        let second = connections.try_enter().expect("one idles");
        assert_ready!(task::spawn(places[0].asked_to_leave()).poll());
        drop((newcomer, second, places));
        assert!(connections.seats().taken.is_empty());
    }

    #[test]
    fn a_stream_goes_after_those_that_wait_and_before_a_newcomer_does() {
        let connections = ConnectionLimiter::new(2);
        let old = connections.try_enter().expect("empty");
        old.work().busy().streams();
        old.work().flushed();
        let idle = connections.try_enter().expect("room");
        let newcomer = connections.try_enter().expect("one idles");
        assert_ready!(task::spawn(idle.asked_to_leave()).poll());
        let busy = newcomer.work().busy();
        assert_pending!(task::spawn(old.asked_to_leave()).poll());
        let second = connections.try_enter().expect("one streams");
        assert_ready!(task::spawn(old.asked_to_leave()).poll());
        drop((busy, second));
    }

    #[test]
    fn when_all_are_busy_the_newcomer_waits_outside() {
        let connections = ConnectionLimiter::new(1);
        let place = connections.try_enter().expect("empty");
        let busy = place.work().busy();
        let mut newcomer = task::spawn(connections.enter());
        assert!(newcomer.poll().is_pending());
        drop(busy);
        assert!(!newcomer.is_woken(), "the answer is not sent yet");
        place.work().flushed();
        assert!(newcomer.is_woken());
        assert!(newcomer.poll().is_ready());
    }
}
