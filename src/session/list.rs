//! Who is there: the sessions of this worker that somebody asks for, copied in slices.
//!
//! [`list`] runs on the worker whose sessions it copies. It looks at so many of them as take some tens of microseconds,
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
