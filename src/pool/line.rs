//! The line itself: who waits, in the order of arrival. What a waiter is and how it chooses, [`super::queue`] knows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// One who waits.
pub(super) trait Waiter: Send + Sync {
    /// Tries to choose.
    fn serve(&self) -> Served;

    /// Looks again at what it waits for.
    fn wake(&self);
}

/// What a try comes to.
pub(super) enum Served {
    /// Somebody to wake, and nobody who waits any more.
    Done(Option<Waker>),
    /// Nothing for this one; the next may find something.
    Passed,
    /// Nothing for anybody.
    Nothing,
}

/// See the module.
#[derive(Default)]
pub(super) struct Line {
    waiting: Mutex<Waiting>,
    /// How many are in it: all that a session asks which finds a server free.
    length: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    all: BTreeMap<u64, Arc<dyn Waiter>>,
    next: u64,
}

impl Line {
    /// Nobody waits: whoever comes now may choose at once.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::SeqCst)
    }

    /// A place at the end; `None` when `most` are there already.
    pub(super) fn enter(&self, waiter: Arc<dyn Waiter>, most: usize) -> Option<u64> {
        let mut waiting = self.lock();
        if waiting.all.len() >= most {
            return None;
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.all.insert(number, waiter);
        self.count(&waiting);
        Some(number)
    }

    /// Serves in order, as far as there is something to serve with.
    pub(super) fn serve(&self) {
        if self.is_empty() {
            return;
        }
        let mut wakers = Vec::new();
        let mut gone = Vec::new();
        let mut waiting = self.lock();
        for (number, waiter) in &waiting.all {
            match waiter.serve() {
                Served::Done(waker) => {
                    wakers.extend(waker);
                    gone.push(*number);
                }
                Served::Passed => {}
                Served::Nothing => break,
            }
        }
        let gone: Vec<_> = gone
            .iter()
            .map(|number| waiting.all.remove(number))
            .collect();
        self.count(&waiting);
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
        drop(gone);
    }

    /// Whether nobody came before `number`.
    pub(super) fn is_first(&self, number: u64) -> bool {
        self.lock().all.keys().next() == Some(&number)
    }

    pub(super) fn wake_first(&self) {
        let first = self.lock().all.values().next().map(Arc::clone);
        if let Some(first) = first {
            first.wake();
        }
    }

    pub(super) fn leave(&self, number: u64) {
        let mut waiting = self.lock();
        let gone = waiting.all.remove(&number);
        self.count(&waiting);
        drop(waiting);
        drop(gone);
    }

    fn count(&self, waiting: &MutexGuard<'_, Waiting>) {
        self.length.store(waiting.all.len(), Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
