//! What can happen, and how much it matters: the words that events carry and that alerts choose by.

use crate::base::word::words;

words! {
    /// What happened.
    pub enum Kind {
        /// howdah started.
        Start = "start",
        /// howdah stops: first it drains, then it ends.
        Stop = "stop",
        /// A configuration was read again, and runs.
        Reload = "reload",
        /// A configuration was read again and is faulty: the old one runs on.
        ReloadRefused = "reload-refused",
        /// A howdah took over from another that ran with the same configuration, or tried to.
        Takeover = "takeover",
        /// Somebody ordered a server to drain, into maintenance, or back to work.
        Order = "order",
        /// Somebody changed the weight of a server.
        Weight = "weight",
        /// Sessions were ended, by an order or because their server takes none any more.
        SessionEnded = "session-ended",
        /// The health of a server changed.
        Health = "health",
        /// A server says that it is something else: active, standby.
        Role = "role",
        /// Several servers say that they are the active one, or no more.
        Conflict = "conflict",
        /// So few servers are up that those that are down take sessions too, or no more.
        Panic = "panic",
        /// A list of servers is another, is silent, or is heard again.
        Source = "source",
        /// A listener is bound or closed, can reach no server, or can again.
        Listener = "listener",
        /// A certificate ends soon.
        Certificate = "certificate",
        /// A pool goes on from what a former howdah knew; or the state file cannot be read or written, or can be again.
        State = "state",
        /// Other howdahs: who leads, whether they can be heard, what they see otherwise.
        Cluster = "cluster",
        /// A connection to a peer is there, or is not.
        Peer = "peer",
        /// A change of the configuration waits for the next start.
        RestartNeeded = "restart-needed",
        /// A virtual address came, went, or cannot be had.
        Vip = "vip",
    }
}

words! {
    /// How much it matters.
    pub enum Severity {
        /// howdah cannot do its duty somewhere.
        Error = "error",
        /// It does, and somebody should look.
        Warning = "warning",
        /// As things go.
        Info = "info",
    }
}

impl Severity {
    /// Whether it matters at least as much as `other`.
    pub fn reaches(self, other: Self) -> bool {
        (self as u8) <= (other as u8)
    }
}
