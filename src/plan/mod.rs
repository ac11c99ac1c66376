//! What howdah will do, valid by construction.
//!
//! A [`Plan`] is made from the user's file by `config`, and is all that the running rooms ever see of it:
//! references are resolved, files are read, defaults are filled in. Two plans compare by value, file contents
//! included, so "what changed?" is a question that [`diff`] answers without touching a disk.

mod address;
mod admin;
mod alert;
mod care;
mod clients;
mod cluster;
mod database;
pub mod diff;
mod discover;
mod exchange;
mod goal;
mod happening;
mod history;
mod kerberos;
mod limits;
mod listener;
mod load;
mod log;
mod name;
mod networks;
mod page;
mod peers;
mod pool;
mod probe;
mod role;
mod service;
mod state;
mod tls;
mod vip;
mod way;

use std::sync::Arc;

pub use self::address::{Address, Host};
pub use self::admin::{AdminPlan, AdminSocket};
pub use self::alert::{AlertForm, AlertPace, AlertPlan, AlertScope, AlertTemplate, Webhook};
pub use self::care::{CarePlan, OnDown};
pub use self::clients::{ATTRIBUTES, Allowed, RevocationError, RevocationLists};
pub use self::cluster::{ClusterMode, ClusterPlan, SharedPlan};
pub use self::database::{DatabaseAccount, DatabaseAsk};
pub use self::discover::{DiscoverPlan, ZooKeeperPlan};
pub use self::exchange::{AnswerEnd, Meaning, Number, Rule, STEPS_MAX, Says, Script, Step};
pub use self::goal::Goal;
pub use self::happening::{Kind, Severity};
pub use self::history::HistoryPlan;
pub use self::kerberos::{KerberosPlan, KeytabKey, Realms, ServicePrincipal};
pub use self::limits::{Confine, CpuAffinity, GlobalPlan, RelayWay, RunAs, Timeouts, WEIGHT_MAX};
pub use self::listener::{ListenerPlan, OnRefuse, Protocol, Route, SniPattern, SourcePlan};
pub use self::load::{LoadPlan, LoadSource};
pub use self::log::{Facility, LogFormat, LogLevel, LogPlan, LogTarget, Syslog};
pub use self::name::{AlertName, ListenerName, PoolName, ServerName, VipName};
pub use self::networks::Networks;
pub use self::page::{HttpAsk, JsonAsk, JsonRule, Page};
pub use self::peers::{PeerPlan, PeersPlan, PeersTls};
pub use self::pool::{PoolPlan, QueuePlan, ServerDefaults, ServerPlan};
pub use self::probe::{Ask, Depth, HiveAuth, HiveTransport, Observe, ObservePlan, ProbePlan};
pub use self::role::{OnRoleLost, Role, RolePlan};
pub use self::service::{Fact, Profile, Question, Service};
pub use self::state::StatePlan;
pub use self::tls::{
    AcceptTls, ClientAuth, ConnectTls, Identity, IdentityError, Roots, Secret, Sni, TlsVersion,
};
pub use self::vip::VipPlan;
pub use self::way::{Balance, Dial, ProxyVersion, StickyPlan};

/// Everything one configuration file asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Process-wide limits.
    pub global: GlobalPlan,
    /// Where the admin server listens.
    pub admin: AdminPlan,
    /// What is logged, and where to.
    pub log: LogPlan,
    /// Where the history is kept.
    pub history: HistoryPlan,
    /// Where what outlives the process is kept.
    pub state: StatePlan,
    /// Who else is one with this howdah.
    pub cluster: Option<Arc<ClusterPlan>>,
    /// Whom sticky entries are shared with.
    pub peers: Option<Arc<PeersPlan>>,
    /// In the order of the file; names are unique.
    pub listeners: Vec<Arc<ListenerPlan>>,
    /// In the order of the file; names are unique.
    pub pools: Vec<Arc<PoolPlan>>,
    /// In the order of the file; names are unique.
    pub alerts: Vec<Arc<AlertPlan>>,
    /// In the order of the file; names are unique.
    pub vips: Vec<Arc<VipPlan>>,
}

impl Plan {
    /// The pool of that name; lowering makes sure that every name in a plan has one.
    pub fn pool(&self, name: &PoolName) -> Option<&Arc<PoolPlan>> {
        self.pools.iter().find(|pool| pool.name == *name)
    }
}
