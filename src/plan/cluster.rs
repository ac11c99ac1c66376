//! Other howdahs that are one with this.

use std::time::Duration;

use super::ZooKeeperPlan;
use crate::base::word::words;

/// Table `[cluster]`. A change needs a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterPlan {
    /// Of this howdah, unique among them.
    pub name: String,
    /// Where orders, weights and members are kept; `None`: nowhere.
    pub shared: Option<SharedPlan>,
}

/// What is kept in ZooKeeper, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedPlan {
    /// The ensemble, and the node that all is kept below.
    pub zookeeper: ZooKeeperPlan,
    /// Who listens.
    pub mode: ClusterMode,
    /// After so long without us the ensemble forgets us.
    pub session_timeout: Duration,
    /// Whether a virtual address is held only by who holds its latch.
    pub fence_vips: bool,
}

impl SharedPlan {
    /// Where the file says nothing else.
    pub const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
}

words! {
    /// Key `cluster.mode`.
    pub enum ClusterMode {
        /// All of them.
        ActiveActive = "active-active",
        /// The one that leads.
        ActiveStandby = "active-standby",
    }
}
