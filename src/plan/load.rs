//! Where servers say how much they bear, and how far that may lower their weight.

use std::time::Duration;

use super::ConnectTls;
use crate::base::word::words;

/// Table `[pool.*.load]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadPlan {
    /// Who is asked.
    pub from: LoadSource,
    /// On each server's own host.
    pub port: u16,
    /// Between two questions to a server; jittered. No longer than this is waited for an answer.
    pub interval: Duration,
    /// Percent of the file's weight that a server keeps whatever it says. 1 to 100.
    pub floor: u8,
    /// Sessions, for Impala queries, at which a server counts as full. `None`: only what waits in it counts.
    pub full_at: Option<u32>,
    /// Speak TLS.
    pub tls: Option<ConnectTls>,
    /// What an agent wants to hear first.
    pub send: String,
}

words! {
    /// Key `from`.
    pub enum LoadSource {
        /// HiveServer2's web server: its metrics by JMX.
        HiveServer2Web = "hiveserver2-web",
        /// Impala's web server: its metrics.
        ImpalaWeb = "impala-web",
        /// A program beside the server that says one line to everyone who connects, as HAProxy's agent-check has it.
        Agent = "agent",
    }
}

impl LoadSource {
    /// Where it listens unless the file says something else; an agent's port is its owner's choice.
    pub fn port(self) -> Option<u16> {
        match self {
            Self::HiveServer2Web => Some(10_002),
            Self::ImpalaWeb => Some(25_000),
            Self::Agent => None,
        }
    }

    /// What a file brings that does not speak of `floor`. An agent's percentage is an order; metrics are a guess.
    pub fn floor(self) -> u8 {
        match self {
            Self::HiveServer2Web | Self::ImpalaWeb => 10,
            Self::Agent => 1,
        }
    }
}

impl LoadPlan {
    /// What a file brings that does not speak of `interval`.
    pub const INTERVAL: Duration = Duration::from_secs(5);
}
