//! Why a datagram was not passed on: the words of the metric.

use rustix::io::Errno;

use crate::base::word::words;
use crate::pool::NoServer;
use crate::session::limit::Exceeded;

words! {
    /// Why a datagram was not passed on.
    pub(super) enum Dropped {
        /// From an address that `allow` and `deny` keep out.
        Denied = "denied",
        /// Another howdah leads, and this one stands by.
        Standby = "standby",
        /// The listener has as many sessions as it may, all on other workers; or every server is full.
        Limit = "limit",
        /// It would have been one new session too many in this second.
        RateLimit = "rate-limit",
        /// The same, of its client.
        SourceLimit = "source-limit",
        /// No server of the pool is up.
        NoServer = "no-server",
        /// The chosen server cannot be sent to: no route to it, or its name has no address.
        Unreachable = "unreachable",
        /// howdah had no descriptor, port or memory left.
        OwnLimit = "own-limit",
        /// The address is about to close, and takes no new sessions.
        Closing = "closing",
        /// More than the kernel's buffer for the way out holds.
        NoRoom = "no-room",
        /// Larger than what can be sent on that way.
        TooLarge = "too-large",
        /// Sending failed in another way.
        Failed = "failed",
    }
}

impl Dropped {
    /// What a failed send means, when it is not the server's fault.
    pub(super) fn of_send(error: Errno) -> Self {
        match error {
            Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM => Self::NoRoom,
            Errno::MSGSIZE => Self::TooLarge,
            _ => Self::Failed,
        }
    }
}

impl From<NoServer> for Dropped {
    fn from(why: NoServer) -> Self {
        match why {
            NoServer::NoneUp | NoServer::AllTried => Self::NoServer,
            NoServer::AllFull | NoServer::QueueFull | NoServer::QueueTimeout => Self::Limit,
        }
    }
}

impl From<Exceeded> for Dropped {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Count => Self::Limit,
            Exceeded::Rate => Self::RateLimit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::word::Label;

    #[test]
    fn the_document_explains_every_word() {
        let document = include_str!("../../../docs/operating/udp.md");
        let rows: Vec<&str> = (document.lines())
            .filter(|line| line.starts_with("| `"))
            .collect();
        for reason in Dropped::ALL {
            let quoted = format!("`{}`", reason.as_str());
            let explained = rows.iter().any(|row| row.contains(&quoted));
            assert!(explained, "docs/operating/udp.md does not explain {quoted}");
        }
    }
}
