//! The line itself: who waits, in the order of arrival. What a waiter is and how it chooses, [`super::queue`] knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// One who waits.
pub(super) trait Waiter: Send + Sync {
    /// Tries to choose.
    fn serve(&self) -> Served;

    /// Looks again at what it waits for.
    fn wake(&self);

    /// Whether it may find something, or learn that there is nothing, where everybody else goes on waiting.
    fn is_choosy(&self) -> bool;
}

/// What a try comes to.
pub(super) enum Served {
    /// Somebody to wake, and nobody who waits any more.
    Done(Option<Waker>),
    /// Nothing for this one; the next may find something.
    Passed,
    /// Nothing for anybody but those who are choosy.
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
    choosy: BTreeSet<u64>,
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
        if waiter.is_choosy() {
            waiting.choosy.insert(number);
        }
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
        let mut serve = |number: &u64, waiter: &Arc<dyn Waiter>| match waiter.serve() {
            Served::Done(waker) => {
                wakers.extend(waker);
                gone.push(*number);
                true
            }
            Served::Passed => true,
            Served::Nothing => false,
        };
        let all = &waiting.all;
        let stuck = (all.iter()).find(|(number, waiter)| !serve(number, waiter));
        let behind = stuck.map(|(number, _)| waiting.choosy.range(number..));
        for number in behind.into_iter().flatten() {
            if let Some(waiter) = all.get(number) {
                serve(number, waiter);
            }
        }
        let gone: Vec<_> = gone.iter().map(|number| waiting.remove(*number)).collect();
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
        let gone = waiting.remove(number);
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

impl Waiting {
    fn remove(&mut self, number: u64) -> Option<Arc<dyn Waiter>> {
        self.choosy.remove(&number);
        self.all.remove(&number)
    }
}
