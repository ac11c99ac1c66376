//! How many servers of a pool may be out for what their sessions saw alone.
//!
//! Whoever can make sessions fail (a client that sends rubbish, a fault of our own) must not empty a pool by it. So a server
//! goes out by that word only while those that are out by it, itself included, are no more than the plan's share of those
//! that could serve: at the default of half, never the only one, and one of two.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::pool::{Member, ServerId};

/// Shared by the checkers of one pool.
#[derive(Debug, Default)]
pub struct Cap(Mutex<HashSet<ServerId>>);

/// A place among those that are out, given back by `Drop`.
#[derive(Debug)]
pub struct OutPlace {
    cap: Arc<Cap>,
    server: ServerId,
}

impl Cap {
    /// A place for `server`, if the share of `percent` has room.
    pub fn take(
        self: &Arc<Self>,
        server: ServerId,
        members: &[Member],
        percent: u8,
    ) -> Option<OutPlace> {
        let mut out = self.out();
        let could_serve =
            |member: &&Member| member.standing.is_on_offer() || out.contains(&member.server.id());
        let serving = members.iter().filter(could_serve).count();
        let taken = has_room(out.len(), serving, percent) && out.insert(server);
        // Not made and thrown away: that would wait for the lock that is held here.
        taken.then(|| OutPlace {
            cap: Arc::clone(self),
            server,
        })
    }

    fn out(&self) -> MutexGuard<'_, HashSet<ServerId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OutPlace {
    fn drop(&mut self) {
        self.cap.out().remove(&self.server);
    }
}

/// Whether one more may go, with `out` of `serving` out already.
fn has_room(out: usize, serving: usize, percent: u8) -> bool {
    (out + 1) * 100 <= serving * usize::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_share_is_out() {
        for (serving, percent, most) in [
            (1, 50, 0),
            (2, 50, 1),
            (3, 50, 1),
            (10, 50, 5),
            (10, 33, 3),
            (10, 0, 0),
            (10, 100, 10),
            (0, 100, 0),
        ] {
            let out = (0..20).find(|out| !has_room(*out, serving, percent));
            assert_eq!(out, Some(most), "{percent} % of {serving}");
        }
    }
}
