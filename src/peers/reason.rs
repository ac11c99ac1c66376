//! Why there is no connection to a peer, and why an entry was not taken: words for people, the log and the metrics.

use crate::base::word::words;
use crate::wire::peers::{Malformed, Status};

words! {
    /// Why a connection ended, or never was.
    pub enum Closed {
        /// Nobody answers at its address, or its name is unknown.
        Unreachable = "unreachable",
        /// TLS failed: a certificate that either side refuses, or a side without TLS.
        Tls = "tls",
        /// It did not say what it should in time.
        Timeout = "timeout",
        /// It speaks something else.
        NoPeer = "no-peer",
        /// It speaks another version of the protocol.
        Version = "version",
        /// It has another name than the file gives it.
        WrongName = "wrong-name",
        /// It does not know this howdah's name.
        UnknownHere = "unknown-here",
        /// It asks to come later, or answers what nobody knows.
        Refused = "refused",
        /// It sent bytes that are no message.
        Malformed = "malformed",
        /// It says that ours are none.
        Faulted = "faulted",
        /// Nothing came from it for ten seconds.
        Silent = "silent",
        /// It closed the connection, or the network did.
        Lost = "lost",
        /// It made a newer one.
        Replaced = "replaced",
    }
}

words! {
    /// Why something that a peer told was not taken.
    pub enum Ignored {
        /// No pool of ours has a table of that name.
        Table = "table",
        /// The table's keys are no addresses.
        Key = "key",
        /// No server of the pool has that name or address, or none was told.
        Server = "server",
        /// The table is full of clients that have sessions, or the entry's time was over.
        Room = "room",
    }
}

impl Closed {
    /// After a status other than success.
    pub(super) fn by(status: Status) -> Self {
        match status {
            Status::Version => Self::Version,
            Status::NotMe => Self::WrongName,
            Status::NotYou => Self::UnknownHere,
            Status::Protocol => Self::NoPeer,
            Status::Success | Status::TryAgain | Status::Other(_) => Self::Refused,
        }
    }

    /// What to do about it, or more of what it is; for the log and the status.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Unreachable => "nobody answers at its address",
            Self::Tls => "TLS failed: look at both sides' certificates and authorities",
            Self::Timeout => "it did not say what it should in time",
            Self::NoPeer => "what answers there does not speak the peers protocol",
            Self::Version => "it speaks another version of the peers protocol",
            Self::WrongName => "it is not called so: name it as it calls itself",
            Self::UnknownHere => "it has no peer with this howdah's name",
            Self::Refused => "it refuses for now",
            Self::Malformed => "it sent what is no message",
            Self::Faulted => "it found a message of ours malformed",
            Self::Silent => "nothing came from it for ten seconds",
            Self::Lost => "it closed the connection",
            Self::Replaced => "it made a newer connection",
        }
    }
}

impl From<Malformed> for Closed {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
