//! What changes in a sticky table, for those who pass it on to others: a bounded ring, which is there only while somebody reads.
//!
//! A session pushes one pair under the lock that it holds anyway, and wakes nobody: readers look now and then. One that was
//! too slow hears that it missed something, and reads the whole table again.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::pool::ServerId;

/// See the module.
pub(super) struct Feed {
    ring: VecDeque<(IpAddr, ServerId)>,
    /// Pairs ever pushed.
    pushed: u64,
    pub(super) readers: usize,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            ring: VecDeque::with_capacity(KEPT),
            pushed: 0,
            readers: 0,
        }
    }

    /// Of everything so far.
    pub(super) fn position(&self) -> u64 {
        self.pushed
    }

    pub(super) fn push(&mut self, client: IpAddr, server: ServerId) {
        if self.ring.len() == KEPT {
            self.ring.pop_front();
        }
        self.ring.push_back((client, server));
        self.pushed += 1;
    }

    /// At most so many after `position`, which moves on; false where some of them are kept no more.
    pub(super) fn take(&self, position: &mut u64, most: usize) -> (Vec<IpAddr>, bool) {
        let kept = self.ring.len() as u64;
        let behind = self.pushed.saturating_sub(*position);
        let whole = behind <= kept;
        let behind = behind.min(kept);
        let skipped = usize::try_from(kept - behind).unwrap_or(usize::MAX);
        let taken: Vec<_> = self.ring.iter().skip(skipped).take(most).collect();
        *position = self.pushed - behind + taken.len() as u64;
        (
            taken.into_iter().map(|(client, _)| *client).collect(),
            whole,
        )
    }
}

/// Changes that a reader may be behind: some seconds of a busy table.
pub(super) const KEPT: usize = 16 * 1024;
