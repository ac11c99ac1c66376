//! How a session comes to its server: who is picked, when the connect is made, what goes ahead of the bytes.

use std::time::Duration;

/// Key `balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Balance {
    /// Smooth weighted turns.
    RoundRobin,
    /// Smallest (active + 1) / weight.
    LeastConnection,
    /// Peak EWMA of what servers take, times their work, over weight.
    ResponseTime,
    /// Two weighted choices, the less loaded wins.
    Random,
    /// Consistent hashing of the client's address, with a bound on load.
    SourceHash,
}

/// Key `dial`: who speaks first decides when to connect to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// When the client's first byte is there: HiveServer2, Impala, Hue, and every TLS or HTTP service.
    Late,
    /// As soon as the client is here: services whose server speaks first.
    AtOnce,
}

/// Key `send_proxy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// The line of text.
    V1,
    /// The binary header.
    V2,
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

impl Balance {
    /// All, in the order of the docs.
    pub const ALL: [Self; 5] = [
        Self::RoundRobin,
        Self::LeastConnection,
        Self::ResponseTime,
        Self::Random,
        Self::SourceHash,
    ];

    /// The word in the file, the log and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::LeastConnection => "least-connection",
            Self::ResponseTime => "response-time",
            Self::Random => "random",
            Self::SourceHash => "source-hash",
        }
    }
}
