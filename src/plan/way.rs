//! How a session comes to its server: who is picked, when the connect is made, what goes ahead of the bytes.

use std::time::Duration;

use crate::base::word::words;

words! {
    /// Key `balance`.
    pub enum Balance {
        /// Smooth weighted turns.
        RoundRobin = "round-robin",
        /// Smallest (active + 1) / weight.
        LeastConnection = "least-connection",
        /// Peak EWMA of what servers take, times their work, over weight.
        ResponseTime = "response-time",
        /// Two weighted choices, the less loaded wins.
        Random = "random",
        /// Consistent hashing of the client's address, with a bound on load.
        SourceHash = "source-hash",
    }
}

words! {
    /// Key `dial`: who speaks first decides when to connect to the server.
    pub enum Dial {
        /// When the client's first byte is there: HiveServer2, Impala, Hue, and every TLS or HTTP service.
        Late = "late",
        /// As soon as the client is here: services whose server speaks first.
        AtOnce = "at-once",
    }
}

words! {
    /// Key `send_proxy`.
    pub enum ProxyVersion {
        /// The line of text.
        V1 = "v1",
        /// The binary header.
        V2 = "v2",
    }
}

/// Table `[pool.*.sticky]`, `by = "source-ip"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickyPlan {
    /// Since the client's last session ended.
    pub ttl: Duration,
    /// Oldest idle entries go first.
    pub max_entries: usize,
}

impl StickyPlan {
    /// Clients that are remembered where the file does not say how many.
    pub const ENTRIES: usize = 100_000;
}
