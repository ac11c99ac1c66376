//! Live numbers of a server and of a pool: what balancers compare, shared by workers and snapshots.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What one server carries now.
#[derive(Debug, Default)]
pub struct Load {
    active: AtomicU32,
}

/// What one pool remembers from snapshot to snapshot.
#[derive(Debug, Default)]
pub struct Tally {
    cursor: AtomicU64,
}

impl Load {
    /// Sessions now.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::SeqCst)
    }

    /// Counts one session more, unless there are `cap` already.
    pub fn take(&self, cap: u32) -> bool {
        self.active
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |active| {
                (active < cap).then(|| active + 1)
            })
            .is_ok()
    }

    /// Undoes one [`Self::take`].
    pub fn give_back(&self) {
        let before = self.active.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(before > 0, "given back more often than taken");
    }
}

impl Tally {
    /// The number of this turn; each is given out once.
    pub fn turn(&self) -> u64 {
        self.cursor.fetch_add(1, Ordering::Relaxed)
    }
}
