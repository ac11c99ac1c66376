//! Who lists a pool's servers beside the file.

use std::fmt;
use std::path::PathBuf;

use super::{Address, ConnectTls, Secret};

/// Table `[pool.NAME.discover]`.
#[derive(Clone, Debug, PartialEq)]
pub enum DiscoverPlan {
    /// Servers register in ZooKeeper.
    ZooKeeper(ZooKeeperPlan),
    /// They are the SRV records of a name.
    DnsSrv {
        /// Without the dot at its end.
        name: String,
    },
    /// A file has them, and is read again when it changes.
    File {
        /// Made absolute, as far as the configuration's own path was.
        path: PathBuf,
    },
    /// An Impala coordinator knows the others.
    Impala {
        /// Web servers of coordinators to begin with; at least one.
        coordinators: Vec<Address>,
    },
}

/// Keys `zookeeper`, `path`, and what a closed ensemble wants.
#[derive(Clone, Debug, PartialEq)]
pub struct ZooKeeperPlan {
    /// At least one.
    pub ensemble: Vec<Address>,
    /// The node whose children are the servers: begins with a slash and does not end with one.
    pub path: String,
    /// User and password of scheme `digest`.
    pub account: Option<(String, Secret)>,
    /// `None`: plain TCP.
    pub tls: Option<ConnectTls>,
}

impl DiscoverPlan {
    /// The key that names it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::ZooKeeper(_) => "zookeeper",
            Self::DnsSrv { .. } => "dns_srv",
            Self::File { .. } => "file",
            Self::Impala { .. } => "impala",
        }
    }

    /// What is asked, like `zk1:2181,zk2:2181/hiveserver2`.
    pub fn target(&self) -> String {
        let joined = |all: &[Address]| {
            let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
            texts.join(",")
        };
        match self {
            Self::ZooKeeper(plan) => format!("{}{}", joined(&plan.ensemble), plan.path),
            Self::DnsSrv { name } => name.clone(),
            Self::File { path } => path.display().to_string(),
            Self::Impala { coordinators } => joined(coordinators),
        }
    }
}

/// Like `zookeeper zk1:2181,zk2:2181/hiveserver2`.
impl fmt::Display for DiscoverPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.as_str(), self.target())
    }
}
