//! What has an availability: a pool or a listener.

use std::fmt;
use std::sync::Arc;

use crate::base::word::words;
use crate::plan::{ListenerName, PoolName};

words! {
    /// Pool or listener.
    #[derive(PartialOrd, Ord)]
    pub enum Kind {
        /// It can be reached while one of its servers may take sessions.
        Pool = "pool",
        /// It can be reached while it is bound, and a pool that it leads to can be.
        Listener = "listener",
    }
}

/// One of either kind, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Which of the two.
    pub kind: Kind,
    /// Unique among its kind.
    pub name: Arc<str>,
}

impl Target {
    /// Of that kind and name.
    pub fn new(kind: Kind, name: &str) -> Self {
        let name = name.into();
        Self { kind, name }
    }
}

impl From<&PoolName> for Target {
    fn from(name: &PoolName) -> Self {
        Self::new(Kind::Pool, name.as_str())
    }
}

impl From<&ListenerName> for Target {
    fn from(name: &ListenerName) -> Self {
        Self::new(Kind::Listener, name.as_str())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}
