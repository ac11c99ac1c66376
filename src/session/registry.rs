//! The sessions of this worker: who holds which server, and how to end one from outside.
//!
//! A session lives on one worker, so this is a plain table of that thread, without locks. A session takes a
//! [`Place`] when it begins and gives it back by `Drop`; between, it looks at its place whenever it is polled.
//! An order to end (a drain's deadline, a stop) marks the places it means and wakes their sessions.

use std::cell::RefCell;
use std::task::{Context, Waker};

use slab::Slab;

use super::end::{Reason, Stage};
use crate::pool::ServerId;

thread_local! {
    static PLACES: RefCell<Slab<Entry>> = const { RefCell::new(Slab::new()) };
}

struct Entry {
    stage: Stage,
    server: Option<ServerId>,
    waker: Option<Waker>,
    cut: Option<Reason>,
}

/// Which sessions an order means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// All of this worker.
    All,
    /// Those that hold a lease of this server.
    On(ServerId),
}

/// A session's own entry.
#[derive(Debug)]
pub(super) struct Place(usize);

impl Place {
    pub(super) fn enter() -> Self {
        let entry = Entry {
            stage: Stage::Admit,
            server: None,
            waker: None,
            cut: None,
        };
        Self(PLACES.with_borrow_mut(|places| places.insert(entry)))
    }

    /// The session has come this far.
    pub(super) fn reach(&self, stage: Stage) {
        PLACES.with_borrow_mut(|places| places[self.0].stage = stage);
    }

    /// How far the session has come.
    pub(super) fn stage(&self) -> Stage {
        PLACES.with_borrow(|places| places[self.0].stage)
    }

    /// The session now holds a lease of `server`.
    pub(super) fn hold(&self, server: ServerId) {
        PLACES.with_borrow_mut(|places| places[self.0].server = Some(server));
    }

    /// The reason to end, once an order has been given; until then the task is woken by one.
    pub(super) fn poll_cut(&self, cx: &Context<'_>) -> Option<Reason> {
        PLACES.with_borrow_mut(|places| {
            let entry = &mut places[self.0];
            match &mut entry.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            entry.cut
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The table may be gone already when a whole worker thread ends.
        let _ = PLACES.try_with(|places| places.borrow_mut().try_remove(self.0));
    }
}

/// Ends sessions of this worker with `reason`; returns how many it meant.
pub fn cut(who: Who, reason: Reason) -> usize {
    let mut wakers = Vec::new();
    PLACES.with_borrow_mut(|places| {
        for (_, entry) in places.iter_mut() {
            let meant = match who {
                Who::All => true,
                Who::On(server) => entry.server == Some(server),
            };
            if meant && entry.cut.is_none() {
                entry.cut = Some(reason);
                wakers.extend(entry.waker.take());
            }
        }
    });
    let meant = wakers.len();
    wakers.into_iter().for_each(Waker::wake);
    meant
}

/// Sessions on this worker now.
pub fn count() -> usize {
    PLACES.with_borrow(Slab::len)
}
