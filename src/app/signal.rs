//! The signals of the operator, as what they ask for.

use std::io;

use tokio::signal::unix::{self, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the file again.
    Reload,
    /// SIGUSR1: open log files again, which were renamed.
    Reopen,
    /// SIGTERM or SIGINT: drain and stop; sent twice: stop at once.
    Stop,
}

/// The signals that howdah listens to.
#[derive(Debug)]
pub struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    user: unix::Signal,
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
            user: signal(SignalKind::user_defined1())?,
        })
    }

    /// The next one. Cancel-safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.user.recv() => Signal::Reopen,
        }
    }
}
