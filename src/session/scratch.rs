//! The worker's scratch buffers: a session uses one for the length of one poll.
//!
//! Sessions are many and mostly silent, and a worker polls one of them at a time, so one buffer serves them all.

use std::cell::RefCell;

/// Larger writes wake a TLS client less often; above this nothing more was won. Also the most that a slow one holds.
pub(super) const BUFFER: usize = 128 * 1024;

type Shared = RefCell<Box<[u8]>>;

thread_local! {
    static BYTES: Shared = RefCell::new(vec![0; BUFFER].into_boxed_slice());
    static RECORDS: Shared = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// Runs `work` with the worker's buffer for what a session reads. Not to be nested.
pub(super) fn buffer<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    BYTES.with_borrow_mut(|buffer| work(buffer))
}

/// Runs `work` with the worker's buffer for TLS records, of which [`buffer`] takes the plaintext. Not to be nested.
pub(super) fn records<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    RECORDS.with_borrow_mut(|buffer| work(buffer))
}
