//! The worker's one buffer, lent for the length of one poll.
//!
//! Sessions are many and mostly silent, and a worker runs one of them at a time: so one buffer serves all.

use std::cell::RefCell;

/// As large as one burst of a result; fits the second-level cache.
pub(super) const BUFFER: usize = 64 * 1024;

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// Runs `work` with the worker's buffer. Not to be nested.
pub(super) fn buffer<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    SHARED.with_borrow_mut(|buffer| work(buffer))
}
