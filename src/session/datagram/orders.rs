//! Orders to end sessions of this worker's ports, and questions about them, as [`registry`](super::super::registry) has
//! them for sessions that are tasks of their own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use slab::Slab;
use tokio::sync::oneshot;

use crate::session::end::Reason;
use crate::session::listing::{Listing, Query};
use crate::session::registry::Who;

thread_local! {
    static PORTS: RefCell<Slab<Entry>> = const { RefCell::new(Slab::new()) };
}

/// What a port is told.
pub(super) enum Order {
    /// End these, and say how many they were.
    Cut(Who, Reason, oneshot::Sender<usize>),
    /// Show the next slice of its sessions.
    List(Box<Look>),
}

/// A question that a port answers slice by slice.
pub(super) struct Look {
    pub(super) query: Query,
    /// Where the next slice begins.
    pub(super) start: usize,
    pub(super) listing: Listing,
    reply: oneshot::Sender<Listing>,
}

#[derive(Default)]
struct Entry {
    given: VecDeque<Order>,
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
    pub(super) async fn next(&self) -> Order {
        poll_fn(|cx| {
            PORTS.with_borrow_mut(|ports| {
                let entry = &mut ports[self.0];
                if let Some(order) = entry.given.pop_front() {
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

    /// The rest of a question comes after the datagrams that wait; the end of one is answered.
    pub(super) fn go_on(&self, mut look: Box<Look>, next: Option<usize>) {
        match next {
            Some(start) if !look.reply.is_closed() => {
                look.start = start;
                PORTS.with_borrow_mut(|ports| ports[self.0].given.push_back(Order::List(look)));
            }
            _ => drop(look.reply.send(look.listing)),
        }
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        // The table may be gone already when a whole worker thread ends.
        let _ = PORTS.try_with(|ports| ports.borrow_mut().try_remove(self.0));
    }
}

/// Ends sessions over UDP of this worker with `reason`; each port says how many it had.
pub fn cut(who: Who, reason: Reason) -> Vec<oneshot::Receiver<usize>> {
    let (mut answers, mut wakers) = (Vec::new(), Vec::new());
    PORTS.with_borrow_mut(|ports| {
        for (_, entry) in ports.iter_mut() {
            let (reply, answer) = oneshot::channel();
            entry.given.push_back(Order::Cut(who, reason, reply));
            wakers.extend(entry.waker.take());
            answers.push(answer);
        }
    });
    wakers.into_iter().for_each(Waker::wake);
    answers
}

/// Adds the sessions over UDP of this worker that `query` asks for to `listing`.
pub(in crate::session) async fn list(query: Query, mut listing: Listing) -> Listing {
    for answer in ask(&query) {
        // A port that ends meanwhile has no sessions.
        if let Ok(more) = answer.await {
            listing.merge(more, query.most);
        }
    }
    listing
}

/// One answer for each port.
fn ask(query: &Query) -> Vec<oneshot::Receiver<Listing>> {
    let (mut answers, mut wakers) = (Vec::new(), Vec::new());
    PORTS.with_borrow_mut(|ports| {
        for (_, entry) in ports.iter_mut() {
            let (reply, answer) = oneshot::channel();
            let look = Box::new(Look {
                query: query.clone(),
                start: 0,
                listing: Listing::default(),
                reply,
            });
            entry.given.push_back(Order::List(look));
            wakers.extend(entry.waker.take());
            answers.push(answer);
        }
    });
    wakers.into_iter().for_each(Waker::wake);
    answers
}
