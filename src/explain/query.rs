//! The question: who comes, by which rules, and where it is asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::plan::{ListenerPlan, Protocol};
use crate::session::{Limit, SessionConfig, Sources, Switch};

/// Who comes.
#[derive(Clone, Debug)]
pub struct Query {
    /// The client's own address.
    pub client: IpAddr,
    /// The proxy that it comes through, if it does.
    pub via: Option<IpAddr>,
    /// The name that it asks for by TLS.
    pub sni: Option<String>,
    /// Over which protocol; `None`: the first that the listener speaks.
    pub protocol: Option<Protocol>,
}

/// What a session of the listener would go by.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The listener's.
    pub plan: &'a Arc<ListenerPlan>,
    /// Which pool takes whom.
    pub switch: &'a Switch,
    /// Of the listener.
    pub limit: &'a Limit,
    /// Of the listener, over UDP.
    pub udp_limit: &'a Limit,
    /// Of the process.
    pub process_limit: &'a Limit,
    /// Of each client.
    pub sources: &'a Sources,
}

/// What is known of the place where the question is asked.
#[derive(Clone, Debug)]
pub enum Scene {
    /// A running howdah.
    Running {
        /// Where the listener listens; empty while it does not.
        bound: Vec<SocketAddr>,
        /// howdah stops, and takes no new sessions.
        draining: bool,
    },
    /// A file: nobody has been asked, and all servers count as up.
    File,
}

impl<'a> From<&'a SessionConfig> for Rules<'a> {
    fn from(config: &'a SessionConfig) -> Self {
        Self {
            plan: &config.plan,
            switch: &config.switch,
            limit: &config.limit,
            udp_limit: &config.udp_limit,
            process_limit: &config.process_limit,
            sources: &config.sources,
        }
    }
}

/// The word of a refusal, as the log would have it.
pub(super) type Stopped = String;
