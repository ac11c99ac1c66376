//! Who is there: the sessions of this worker that somebody asks for, copied in slices.
//!
//! [`list`] runs on the worker whose sessions it copies. It looks at so many of them as take some ten microseconds,
//! then lets the worker's sessions have their turn, so that thousands that are listed hold up none.

use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::listing::{Listing, Query};
use super::{datagram, registry};

/// Answers with the sessions of this worker that `query` asks for. Ends early when nobody waits for the answer any more.
pub async fn list(query: Query, mut reply: oneshot::Sender<Listing>) {
    let mut listing = Listing::default();
    let mut next = Some(0);
    while let Some(start) = next {
        let now = Instant::now();
        next = registry::slice(start, now, |sight| listing.add(&query, sight, now));
        yield_now().await;
        if reply.is_closed() {
            return;
        }
    }
    let all = tokio::select! {
        all = datagram::list(query, listing) => all,
        () = reply.closed() => return,
    };
    // Nobody waits any more.
    let _ = reply.send(all);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    use crate::session::listing::Filter;
    use crate::session::outcome::Outcome;
    use crate::session::registry::Place;

    /// A worker that copied them all in one go would hold up every session that it has.
    #[tokio::test]
    async fn thousands_that_are_listed_leave_others_their_turns() {
        let places: Vec<Place> = (0..9_000)
            .map(|id| Place::enter(Outcome::begin(id, ([127, 0, 0, 1], 1).into())))
            .collect();
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        let other = async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        };
        let query = Query {
            filter: Filter::default(),
            most: 10,
        };
        let (reply, answer) = oneshot::channel();
        tokio::select! {
            () = list(query, reply) => {}
            () = other => {}
        }
        answer.await.expect("answers");
        let slices = places.len() / registry::SLICE;
        assert!(turns.get() >= slices, "{} turns", turns.get());
    }
}
