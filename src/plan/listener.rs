//! One accepting address, or several that behave alike.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::{AcceptTls, Goal, ListenerName, Networks, PoolName};
use crate::base::word::words;

/// One `[[listener]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerPlan {
    /// Unique.
    pub name: ListenerName,
    /// At least one.
    pub bind: Vec<SocketAddr>,
    /// At least one, each once.
    pub protocols: Vec<Protocol>,
    /// Where no route matches; `None` refuses such clients.
    pub pool: Option<PoolName>,
    /// First match wins.
    pub routes: Vec<Route>,
    /// Sessions at once; `None` leaves it to the global bound.
    pub max_connections: Option<u32>,
    /// New sessions per second; `None` leaves it to the global bound.
    pub max_per_second: Option<u32>,
    /// Bounds for each client address.
    pub source: SourcePlan,
    /// What a client sees that may not enter.
    pub on_refuse: OnRefuse,
    /// When not empty, only these may enter.
    pub allow: Networks,
    /// These may not, whatever `allow` says.
    pub deny: Networks,
    /// Peers whose PROXY protocol header is believed, and required.
    pub accept_proxy: Vec<IpNet>,
    /// Terminate TLS here. `None` with routes: read the ClientHello and pass it on untouched.
    pub tls: Option<AcceptTls>,
    /// For the PROXY header, the ClientHello and the TLS handshake together. Default 10 s.
    pub greet_timeout: Duration,
    /// A client whose kernel answers nothing for so long is gone: see [`crate::base::keepalive`]. Default 2 min.
    pub keepalive: Duration,
    /// What is promised of it: key `slo`.
    pub goal: Option<Goal>,
}

words! {
    /// Key `protocol`.
    pub enum Protocol {
        /// A session is a connection.
        Tcp = "tcp",
        /// A session is whatever one address and port of a client sends, until it is idle.
        Udp = "udp",
    }
}

/// Keys `source_max_connections` and `source_max_per_second`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourcePlan {
    /// Sessions at once.
    pub max_connections: Option<u32>,
    /// New sessions per second.
    pub max_per_second: Option<u32>,
}

impl ListenerPlan {
    /// UDP sessions at once.
    pub fn most_over_udp(&self) -> u32 {
        self.max_connections.unwrap_or(MOST_OVER_UDP)
    }

    /// Whether `protocol` is spoken there.
    pub fn speaks(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }
}

/// A descriptor each. Whoever can forge addresses could take all there are, if it were not for a bound.
const MOST_OVER_UDP: u32 = 10_000;

impl SourcePlan {
    /// No bound at all.
    pub fn is_none(&self) -> bool {
        self.max_connections.is_none() && self.max_per_second.is_none()
    }
}

words! {
    /// Key `on_refuse`.
    #[derive(Default)]
    pub enum OnRefuse {
        /// An end.
        #[default]
        Close = "close",
        /// A reset.
        Reset = "reset",
        /// Nothing, for `greet_timeout`, as long as not too many are held; then an end.
        Hold = "hold",
    }
}

/// One `[[listener.route]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Any of these.
    pub sni: Vec<SniPattern>,
    /// The pool that takes the session.
    pub pool: PoolName,
}

/// A host name, or `*.` and a suffix that stands for exactly one label more. Lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SniPattern {
    /// The name itself.
    Exact(String),
    /// What follows `*.`, without the dot.
    Wildcard(String),
}

impl SniPattern {
    /// Whether `name`, as a client sent it, matches; letters compare without case.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => own.eq_ignore_ascii_case(name),
            Self::Wildcard(suffix) => name.split_once('.').is_some_and(|(label, rest)| {
                !label.is_empty() && rest.eq_ignore_ascii_case(suffix)
            }),
        }
    }
}
