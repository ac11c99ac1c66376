//! Kernel pipes, lent to a flow while a bulk of data passes through it by splice.
//!
//! Pages move from one socket to the other without a visit to user space. A pipe costs two descriptors, so each
//! worker keeps only a few and a flow gives its pipe back as soon as it is empty.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{
    PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice,
};

/// Pipes a worker keeps for the next bulk.
const KEPT: usize = 64;
/// Pipes that a worker has open at most. A bulk whose client is stuck holds its own; those beyond go on by copy, so that
/// the descriptors howdah needs are known.
pub const MOST: usize = 128;
/// Where the user's quota of pipe pages grants less, copying is quicker.
const LEAST: usize = 64 * 1024;
/// What one splice asks for: little enough that others on the worker need not wait long.
const FILL: usize = 128 * 1024;
/// Asked of each pipe; the kernel may grant less. It counts pages, of which a packet may fill less than half.
const CAPACITY: usize = 4 * FILL;

thread_local! {
    static POOL: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
    static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// A pipe and the number of bytes in it.
#[derive(Debug)]
pub(super) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    filled: usize,
}

impl Pipe {
    /// One from the worker's pool, else a new one; `None` when there are no descriptors left, or [`MOST`] are open.
    pub(super) fn take() -> Option<Self> {
        POOL.with_borrow_mut(Vec::pop).or_else(|| {
            let may_open = OPEN.get() < MOST;
            may_open.then(|| Self::open().ok()).flatten()
        })
    }

    fn open() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Refused above the user's quota of pipe pages: a smaller one may do.
        let _ = fcntl_setpipe_size(&write, CAPACITY);
        if fcntl_getpipe_size(&write)? < LEAST {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        OPEN.set(OPEN.get() + 1);
        Ok(Self {
            read,
            write,
            filled: 0,
        })
    }

    /// Gives an empty pipe back; one with bytes in it is closed with them.
    pub(super) fn give_back(self) {
        POOL.with_borrow_mut(|pool| {
            if self.filled == 0 && pool.len() < KEPT {
                pool.push(self);
            }
        });
    }

    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Moves what `source` has into the pipe. Only asked of an empty pipe, so that "would block" means `source`.
    pub(super) fn fill(&mut self, source: impl AsFd) -> io::Result<usize> {
        let moved = splice(source, None, &self.write, None, FILL, FLAGS)?;
        self.filled += moved;
        Ok(moved)
    }

    /// Moves what `sink` takes out of the pipe.
    pub(super) fn drain(&mut self, sink: impl AsFd) -> io::Result<usize> {
        let moved = splice(&self.read, None, sink, None, self.filled, FLAGS)?;
        self.filled -= moved;
        Ok(moved)
    }
}

const FLAGS: SpliceFlags = SpliceFlags::NONBLOCK.union(SpliceFlags::MOVE);

impl Drop for Pipe {
    fn drop(&mut self) {
        // The thread's books may be gone already when a whole worker ends.
        let _ = OPEN.try_with(|open| open.set(open.get() - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptors_of_stuck_bulks_are_bounded() {
        let held: Vec<_> = std::iter::from_fn(Pipe::take).take(MOST + 1).collect();
        assert_eq!(
            held.len(),
            MOST,
            "is the user's quota of pipe pages used up?"
        );
        held.into_iter().for_each(Pipe::give_back);
        assert_eq!(OPEN.get(), KEPT);
        assert!(Pipe::take().is_some());
    }
}
