//! A set of interchangeable servers, and how to treat them.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Address, Balance, CarePlan, ConnectTls, Dial, DiscoverPlan, LoadPlan, PoolName, ProbePlan,
    ProxyVersion, ServerName, Service, StickyPlan, Timeouts,
};

/// One `[pool.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolPlan {
    /// Unique.
    pub name: PoolName,
    /// Where the defaults came from.
    pub service: Service,
    /// How a server is picked.
    pub balance: Balance,
    /// What else lists servers; `None`: the file's are all.
    pub discover: Option<DiscoverPlan>,
    /// In the order of the file; names are unique; at least one where nothing else lists any.
    pub servers: Vec<Arc<ServerPlan>>,
    /// What a server has that says nothing else, wherever it is listed.
    pub server_defaults: ServerDefaults,
    /// Announce the client's address with a PROXY protocol header.
    pub send_proxy: Option<ProxyVersion>,
    /// Keep a client on its server.
    pub sticky: Option<StickyPlan>,
    /// `None` (`probe = "none"`): every server counts as up.
    pub probe: Option<ProbePlan>,
    /// Encrypt towards the servers.
    pub tls: Option<ConnectTls>,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// Sessions that wait while every server is full.
    pub queue: QueuePlan,
    /// Servers that go down and come back.
    pub care: CarePlan,
    /// What servers say of their own load; `None`: they are not asked.
    pub load: Option<LoadPlan>,
    /// When to connect to the server.
    pub dial: Dial,
    /// How long a removed server keeps its sessions; from `global.drain_timeout`.
    pub drain_timeout: Duration,
}

/// Keys `max_queue` and `timeouts.queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePlan {
    /// How many may wait; 0 refuses at once.
    pub most: usize,
    /// For how long.
    pub patience: Duration,
}

impl Default for QueuePlan {
    fn default() -> Self {
        Self {
            most: 1000,
            patience: Duration::from_secs(10),
        }
    }
}

/// `[pool.NAME.server_defaults]`, with what the service brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerDefaults {
    /// 1 to [`super::WEIGHT_MAX`].
    pub weight: u16,
    /// Sessions at once of one server. `None` unbounded.
    pub max_connections: Option<u32>,
    /// New sessions in a second of one server. `None` unbounded.
    pub max_per_second: Option<u32>,
}

impl ServerDefaults {
    /// What holds where the file says nothing.
    pub fn of(service: Service) -> Self {
        Self {
            weight: 1,
            max_connections: service.max_connections,
            max_per_second: None,
        }
    }
}

/// One entry of `servers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPlan {
    /// Unique in its pool.
    pub name: ServerName,
    /// Where to connect to.
    pub address: Address,
    /// 1 to [`super::WEIGHT_MAX`]; default 1.
    pub weight: u16,
    /// Sessions at once; a full server is skipped. Default by service, `None` unbounded.
    pub max_connections: Option<u32>,
    /// New sessions in a second; a server that had so many is skipped. `None` unbounded.
    pub max_per_second: Option<u32>,
    /// Only when no other server is up.
    pub backup: bool,
}
