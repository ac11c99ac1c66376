//! What two howdahs tell each other over the control socket: values, and their bounds.
//!
//! JSON, so that a newer howdah may add fields that an older one passes over. What is not understood ends the conversation.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::predecessors::Left;
use crate::plan::Protocol;

/// One message; its descriptors come beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    /// The first word of whoever connects.
    Hello(Hello),
    /// The answer to it.
    Welcome(Welcome),
    /// No, and the conversation is over.
    Refused {
        /// One sentence.
        why: String,
    },
    /// Some of the sockets, each with its descriptor.
    Sockets {
        /// In the order of the descriptors.
        sockets: Vec<Described>,
    },
    /// All sockets were sent. `memory`: what pools remember comes next, as bytes.
    Complete {
        /// Bytes follow.
        #[serde(default)]
        memory: bool,
        /// What the old one is in a cluster.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<Membership>,
    },
    /// The new one accepts on these, by their place among all that were sent.
    Serving {
        /// The others are the old one's to close.
        kept: Vec<usize>,
        /// It goes on with the old one's session with ZooKeeper.
        #[serde(default)]
        session: bool,
    },
    /// The new one gives up; the old one goes on.
    Failed {
        /// One sentence.
        why: String,
    },
    /// The old one accepts no more. `session`: its session with ZooKeeper comes next, as bytes, which no log shows. `memory`:
    /// what pools remember by now comes after that, as bytes.
    Draining {
        /// Bytes follow.
        #[serde(default)]
        memory: bool,
        /// Bytes follow.
        #[serde(default)]
        session: bool,
    },
    /// The new one has the control socket's path, and the service manager knows it.
    Settled,
    /// What a predecessor still has, once a second.
    Left(Left),
    /// A predecessor ends its sessions now.
    Hurry,
    /// What a process 1 that has nothing left passes on.
    Order {
        /// Of the signal that it got.
        order: Order,
    },
}

/// Who connects, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// See [`super::PROTOCOL`].
    pub protocol: u32,
    /// Of howdah.
    pub version: String,
    /// Its number, as it sees itself.
    pub pid: u32,
    /// What for.
    pub wants: Wants,
}

/// What whoever connects wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wants {
    /// To know who is there.
    Look,
    /// To take over.
    Takeover,
    /// To tell what it still has.
    Report,
}

/// Who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Of howdah.
    pub version: String,
    /// Its number, as it sees itself.
    pub pid: u32,
    /// Tells its program from another of the same version; empty where that is not to be had.
    #[serde(default)]
    pub program: String,
    /// What the service manager told it to be alive within, in microseconds.
    #[serde(default)]
    pub watchdog_usec: Option<u64>,
    /// Whether a service manager listens to it.
    #[serde(default)]
    pub is_managed: bool,
}

/// A socket that is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Described {
    /// Of a listener: one of those of its address.
    Listener {
        /// Whose it was.
        listener: String,
        /// As in its plan; its port may be 0.
        wanted: SocketAddr,
        /// As the system gave it.
        bound: SocketAddr,
        /// Whether datagrams come to it.
        udp: bool,
    },
    /// The admin server's.
    Admin {
        /// As in its plan; its port may be 0.
        wanted: SocketAddr,
    },
    /// The admin server's in the file system.
    AdminSocket {
        /// Where.
        path: PathBuf,
    },
    /// Where the log goes that goes to standard output.
    Output,
    /// Where the log goes that goes to standard error.
    Errors,
}

/// What a howdah is in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Its name there.
    pub name: String,
    /// Where the cluster keeps what it shares.
    pub path: String,
    /// Whether only one of all listens.
    pub exclusive: bool,
    /// Whether that is this one.
    pub leads: bool,
}

/// What a signal asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Reopen,
}

impl Message {
    /// Our first word.
    pub fn hello(wants: Wants) -> Self {
        Self::Hello(Hello {
            protocol: super::PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            wants,
        })
    }
}

impl Described {
    /// Of a listener.
    pub fn listener(
        listener: &str,
        wanted: SocketAddr,
        bound: SocketAddr,
        spoken: Protocol,
    ) -> Self {
        Self::Listener {
            listener: listener.to_owned(),
            wanted,
            bound,
            udp: spoken == Protocol::Udp,
        }
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener { bound, udp, .. } => {
                write!(f, "{bound}{}", if *udp { " (udp)" } else { "" })
            }
            Self::Admin { wanted } => write!(f, "{wanted}"),
            Self::AdminSocket { path } => write!(f, "{}", path.display()),
            Self::Output => f.write_str("standard output"),
            Self::Errors => f.write_str("standard error"),
        }
    }
}
