//! Long work gives others their turns: a rendering of thousands of lines, an answer of megabytes.
//!
//! A low priority alone is not enough: the kernel lets a thread that runs use its slice up, a millisecond or more, before
//! one that carries sessions gets the processor. So work offers it after every [`STEP`]; where nobody wants it, that costs one
//! system call.

use std::io::{self, Write};
use std::thread;

/// A body that is written in turns.
#[derive(Default)]
pub(super) struct InTurns {
    body: Vec<u8>,
    offered: usize,
}

impl InTurns {
    /// What was written.
    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }
}

impl Write for InTurns {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.body.extend_from_slice(bytes);
        if self.body.len() - self.offered >= STEP {
            self.offered = self.body.len();
            thread::yield_now();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Of `length` bytes that wait to be sent, so many are sent in this turn; a long turn first lets others have theirs.
pub(super) fn turn(length: usize) -> usize {
    if length >= STEP {
        thread::yield_now();
    }
    length.min(SENT)
}

/// In bytes. A list of 9,000 sessions takes some 600 steps, in 10 ms with the slow build.
const STEP: usize = 4 * 1024;
/// In bytes: the kernel copies faster than a list is rendered.
const SENT: usize = 16 * STEP;
