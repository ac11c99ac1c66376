//! What outlives a process: orders, weights given at run time, the last verdicts, and who belongs to which server.
//!
//! Times are lengths, counted from the moment of remembering: no clock of another process, nor one that was set back, makes
//! them longer. Words are those of the API; a word that nobody knows is passed over.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Of one pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// Of servers that are under an order, or have a weight that the file does not give them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<OrderMemo>,
    /// Of servers that somebody asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<VerdictMemo>,
    /// Who belongs to which server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sticky: Vec<StickyMemo>,
}

/// What is ordered of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderMemo {
    /// By its name.
    pub server: String,
    /// The word of an [`Order`](super::Order).
    pub admin: String,
    /// Who gave the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered: Option<Who>,
    /// Milliseconds until the sessions that a drain leaves are ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// In force.
    pub weight: u16,
    /// What the file gave it; where that is another now, the file's word counts.
    pub planned: u16,
    /// Who gave it the weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighed: Option<Who>,
}

/// Who gave an order, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Who {
    /// As the journal has it.
    pub by: String,
    /// Milliseconds since 1970.
    pub at: u64,
}

/// What is known of the health of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictMemo {
    /// By its name.
    pub server: String,
    /// One of another address is another server.
    pub address: String,
    /// The word of a [`Health`](super::Health).
    pub health: String,
    /// The word of a [`Role`](crate::plan::Role).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The stable word of its last probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Milliseconds that its health has been so.
    pub lasted: u64,
    /// Milliseconds since it came back into service; none: it always was, for all that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_for: Option<u64>,
}

/// The clients of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StickyMemo {
    /// By its name.
    pub server: String,
    /// Each with the milliseconds that its entry lives on; none: it has a session.
    pub clients: Vec<(IpAddr, Option<u64>)>,
}

/// A memory on its way to a keeper.
pub struct Recall {
    pub(super) memory: Remembered,
    /// Since it was remembered.
    pub(super) age: Duration,
    /// Where it comes from, for people.
    pub(super) source: Arc<str>,
    pub(super) reply: oneshot::Sender<RecallCount>,
}

/// What came of a memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecallCount {
    /// Orders and weights that are in force again, or wait for their servers to be listed.
    pub orders: usize,
    /// Verdicts that count for now, or wait likewise.
    pub verdicts: usize,
    /// Clients that belong to a server again, or wait likewise.
    pub sticky: usize,
    /// Of servers that are there no more, or of words that nobody knows.
    pub ignored: usize,
}

/// Why a member has a health though nobody has asked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// The stable word of the last probe that a former howdah sent.
    pub reason: Option<String>,
}

/// For so long a verdict counts that nobody has confirmed.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
