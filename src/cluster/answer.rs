//! The cluster as `GET /api/v1/cluster` and `GET /api/v1/status` show it: field by field part of the face that users see.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The howdahs that are one with this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterStatus {
    /// Of this howdah.
    pub name: String,
    /// connected to ZooKeeper, or alone: then the last that was known stands.
    #[schemars(extend("enum" = ["connected", "alone"]))]
    pub state: String,
    /// Since when: RFC 3339, UTC.
    pub since: String,
    /// Why it is alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The server of the ensemble that it is connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zookeeper: Option<String>,
    /// The node that all is kept below.
    pub path: String,
    /// Who listens: all, or the one that leads.
    #[schemars(extend("enum" = ["active-active", "active-standby"]))]
    pub mode: String,
    /// Who leads, in mode active-standby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// Whether this howdah does.
    pub leads: bool,
    /// Everybody, this howdah included.
    pub members: Vec<ClusterMember>,
    /// Servers that are one thing here and another there.
    pub differences: Vec<ClusterDifference>,
    /// Orders that are kept.
    pub orders: u64,
    /// Of these, given here and not written to ZooKeeper yet.
    pub orders_waiting: u64,
}

/// One howdah.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterMember {
    /// Unique.
    pub name: String,
    /// This one.
    pub here: bool,
    /// Of the process.
    pub pid: u32,
    /// Of howdah.
    pub version: String,
    /// When it started: RFC 3339, UTC.
    pub since: String,
    /// Where its admin server listens.
    pub admin: String,
    /// Whether it is ready for new sessions.
    pub ready: bool,
    /// Why not.
    pub why: Vec<String>,
    /// Whether it leads.
    pub leads: bool,
    /// On all its servers.
    pub sessions: u64,
    /// Servers that it finds up.
    pub servers_up: u64,
    /// Of so many.
    pub servers: u64,
    /// Since it said so.
    pub age_seconds: f64,
}

/// A server that is one thing here and another there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterDifference {
    /// Where.
    pub pool: String,
    /// Which.
    pub server: String,
    /// Its health, as this howdah sees it.
    pub here: String,
    /// Who sees it otherwise.
    pub member: String,
    /// Its health there.
    pub there: String,
    /// For so long.
    pub seconds: f64,
}

/// Everything that is shared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterAnswer {
    /// Who is there.
    pub cluster: ClusterStatus,
    /// Each server as each howdah sees it.
    pub views: Vec<ClusterView>,
    /// In force everywhere.
    pub orders: Vec<ClusterOrder>,
}

/// One server, through the eyes of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterView {
    /// Where.
    pub pool: String,
    /// Which.
    pub server: String,
    /// By the name of who looks.
    pub seen: BTreeMap<String, ClusterSeen>,
}

/// One server, as one howdah sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterSeen {
    /// up, alive, down, unknown.
    pub health: String,
    /// What the operator wants there: ready, draining, maintenance.
    pub admin: String,
    /// That this howdah has on it.
    pub sessions: u32,
}

/// What is ordered of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterOrder {
    /// Where.
    pub pool: String,
    /// Which; one that this howdah does not know is kept for those that do.
    pub server: String,
    /// ready, draining, maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ClusterGiven>,
    /// A number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<ClusterGiven>,
}

/// By whom, where and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterGiven {
    /// What.
    pub value: String,
    /// Who.
    pub by: String,
    /// To which howdah.
    pub from: String,
    /// When: RFC 3339, UTC.
    pub at: String,
    /// Of a drain: when sessions that are left are ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}
