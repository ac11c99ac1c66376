//! The sessions of this worker: what is known of each, who is there, and how to end one from outside.
//!
//! A session lives on one worker, so this is a plain table of that thread, without locks. A session takes a
//! [`Place`] when it begins and gives it back at its end; between, its [`Outcome`] lives here, where the stages write what
//! they learn, and it looks at its place whenever it is polled. So who asks for the sessions reads what is there anyhow, and
//! a session keeps nothing for the sake of being asked but the time of its last byte. An order to end (a drain's deadline,
//! a stop, an operator) marks the places it means and wakes their sessions.
//!
//! What runs inside [`Place::note`] must not come back to the table.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::task::{Context, Waker};

use slab::Slab;
use tokio::time::Instant;

use super::admit::Admitted;
use super::end::{Reason, Stage};
use super::listing::Sight;
use super::outcome::Outcome;
use crate::plan::Protocol;
use crate::pool::ServerId;

thread_local! {
    /// Boxed, so that a burst of sessions leaves little memory behind, and a growing table moves little.
    static PLACES: RefCell<Slab<Box<Entry>>> = const { RefCell::new(Slab::new()) };
}

struct Entry {
    stage: Stage,
    cut: Option<Reason>,
    waker: Option<Waker>,
    outcome: Outcome,
    /// None until the session may enter.
    admitted: Option<Admitted>,
    /// When a byte was moved last; before the relay, when the session began.
    active: Instant,
}

/// Which sessions an order means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// All of this worker.
    All,
    /// Those that hold a lease of this server.
    On(ServerId),
    /// The one of that number.
    One(u64),
}

impl Who {
    pub(super) fn means(self, outcome: &Outcome) -> bool {
        match self {
            Self::All => true,
            Self::On(server) => {
                let own = outcome.hold.server();
                own.is_some_and(|(own, _)| own.id() == server)
            }
            Self::One(id) => outcome.id == id,
        }
    }
}

/// A session's own entry.
#[derive(Debug)]
pub(super) struct Place(usize);

impl Place {
    pub(super) fn enter(outcome: Outcome) -> Self {
        let entry = Box::new(Entry {
            stage: Stage::Admit,
            cut: None,
            waker: None,
            active: outcome.started,
            outcome,
            admitted: None,
        });
        Self(PLACES.with_borrow_mut(|places| places.insert(entry)))
    }

    /// The session may enter.
    pub(super) fn admit(&self, admitted: Admitted) {
        self.entry(|entry| entry.admitted = Some(admitted));
    }

    /// The session has come this far.
    pub(super) fn reach(&self, stage: Stage) {
        self.entry(|entry| entry.stage = stage);
    }

    /// How far the session has come.
    pub(super) fn stage(&self) -> Stage {
        self.entry(|entry| entry.stage)
    }

    /// Writes what is known of the session now, or looks at it.
    pub(super) fn note<T>(&self, note: impl FnOnce(&mut Outcome) -> T) -> T {
        self.entry(|entry| note(&mut entry.outcome))
    }

    /// The same, when bytes were moved at `now`.
    pub(super) fn active(&self, now: Instant, note: impl FnOnce(&mut Outcome)) {
        self.entry(|entry| {
            entry.active = now;
            note(&mut entry.outcome);
        });
    }

    /// The reason to end, once an order has been given; until then the task is woken by one.
    pub(super) fn poll_cut(&self, cx: &Context<'_>) -> Option<Reason> {
        self.entry(|entry| {
            match &mut entry.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            entry.cut
        })
    }

    /// The session is over: what is known of it, for its account.
    pub(super) fn leave(self) -> Option<Outcome> {
        let place = ManuallyDrop::new(self);
        let entry = PLACES.with_borrow_mut(|places| places.try_remove(place.0));
        // Others may enter in its place before the line of its end is written.
        entry.map(|entry| entry.outcome)
    }

    fn entry<T>(&self, work: impl FnOnce(&mut Entry) -> T) -> T {
        PLACES.with_borrow_mut(|places| work(&mut places[self.0]))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The table may be gone already when a whole worker thread ends. What the entry held is given back when the table
        // is free again.
        let left = PLACES.try_with(|places| places.borrow_mut().try_remove(self.0));
        drop(left);
    }
}

/// Ends sessions of this worker with `reason`; returns how many it meant.
pub fn cut(who: Who, reason: Reason) -> usize {
    let (mut meant, mut wakers) = (0, Vec::new());
    PLACES.with_borrow_mut(|places| {
        for (_, entry) in places.iter_mut() {
            if who.means(&entry.outcome) && entry.cut.is_none() {
                entry.cut = Some(reason);
                meant += 1;
                wakers.extend(entry.waker.take());
            }
        }
    });
    wakers.into_iter().for_each(Waker::wake);
    meant
}

/// Shows one slice of the table from `start` on; returns where the next one begins, if there is more.
pub(super) fn slice(start: usize, now: Instant, mut show: impl FnMut(&Sight<'_>)) -> Option<usize> {
    let until = start.saturating_add(SLICE);
    PLACES.with_borrow(|places| {
        for entry in (start..until.min(places.capacity())).filter_map(|index| places.get(index)) {
            if let Some(admitted) = &entry.admitted {
                show(&Sight {
                    outcome: &entry.outcome,
                    config: admitted.config(),
                    protocol: Protocol::Tcp,
                    stage: entry.stage,
                    idle: now.saturating_duration_since(entry.active),
                });
            }
        }
        (until < places.capacity()).then_some(until)
    })
}

/// Sessions looked at in one go: some ten microseconds.
pub(super) const SLICE: usize = 128;

/// What a session takes there.
#[cfg(test)]
pub(super) const ENTRY: usize = size_of::<Entry>();
