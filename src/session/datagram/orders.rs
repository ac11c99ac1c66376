//! Orders to end sessions of this worker's ports, as [`registry`](super::super::registry) has them for sessions that are
//! tasks of their own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use slab::Slab;

use crate::session::end::Reason;
use crate::session::registry::Who;

thread_local! {
    static PORTS: RefCell<Slab<Entry>> = const { RefCell::new(Slab::new()) };
}

#[derive(Default)]
struct Entry {
    given: Vec<(Who, Reason)>,
    waker: Option<Waker>,
}

/// A port's own entry.
#[derive(Debug)]
pub(super) struct Orders(usize);

impl Orders {
    pub(super) fn enter() -> Self {
        Self(PORTS.with_borrow_mut(|ports| ports.insert(Entry::default())))
    }

    /// Waits for an order. Cancel-safe.
    pub(super) async fn next(&self) -> (Who, Reason) {
        poll_fn(|cx| {
            PORTS.with_borrow_mut(|ports| {
                let entry = &mut ports[self.0];
                if let Some(order) = entry.given.pop() {
                    return Poll::Ready(order);
                }
                match &mut entry.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            })
        })
        .await
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        // The table may be gone already when a whole worker thread ends.
        let _ = PORTS.try_with(|ports| ports.borrow_mut().try_remove(self.0));
    }
}

/// Ends sessions over UDP of this worker with `reason`.
pub fn cut(who: Who, reason: Reason) {
    let mut wakers = Vec::new();
    PORTS.with_borrow_mut(|ports| {
        for (_, entry) in ports.iter_mut() {
            entry.given.push((who, reason));
            wakers.extend(entry.waker.take());
        }
    });
    wakers.into_iter().for_each(Waker::wake);
}
