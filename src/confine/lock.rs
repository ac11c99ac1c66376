//! What became of a lock that the kernel was asked for, as the log says it.

use std::fmt;

/// What became of one lock.
#[derive(Debug)]
pub(super) enum Lock {
    On,
    /// The kernel knows an older form of it.
    Partly,
    /// `confine` says so.
    NotWanted,
    /// This kernel, or this container, does not have it.
    NotToBeHad(String),
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Partly => "partly",
            Self::NotWanted => "off",
            Self::NotToBeHad(_) => "none",
        })
    }
}
