//! What the operator says by signals, as values.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// An order from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// SIGHUP: read the file again.
    Reload,
    /// SIGTERM or SIGINT: drain and stop; said twice: stop at once.
    Stop,
}

/// The three signals that howdah listens to.
#[derive(Debug)]
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from their defaults, from now on.
    ///
    /// # Errors
    /// When the system refuses, which it does only out of memory.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one. Cancel-safe.
    pub async fn next(&mut self) -> Word {
        tokio::select! {
            _ = self.hangup.recv() => Word::Reload,
            _ = self.terminate.recv() => Word::Stop,
            _ = self.interrupt.recv() => Word::Stop,
        }
    }
}
