//! Why howdah did not start, and why a plan was not taken.
//!
//! Below every other file of this room: what can fail names its error from here.

use std::io;

use crate::admin::{self, Rejected};
use crate::config;
use crate::handover::link::LinkError;
use crate::listener::bind::BindError;
use crate::peers::PeersError;
use crate::plan::ListenerName;
use crate::tls::TlsError;

/// Why howdah did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A thread or its runtime was refused.
    #[error("the worker threads cannot be started: {0}")]
    Workers(#[source] io::Error),
    /// The log's file or pipe.
    #[error("the access log cannot be opened: {0}")]
    AccessLog(#[source] io::Error),
    /// The history's thread was refused.
    #[error("the history cannot be kept: {0}")]
    History(#[source] io::Error),
    /// The thread of virtual addresses was refused.
    #[error("the thread of virtual addresses cannot be started: {0}")]
    Vips(#[source] io::Error),
    /// TLS with the ensemble of `[cluster]`.
    #[error("[cluster]: {0}")]
    Cluster(#[source] TlsError),
    /// The thread of the state file was refused.
    #[error("the state cannot be kept: {0}")]
    State(#[source] io::Error),
    /// The admin address.
    #[error(transparent)]
    Admin(#[from] admin::BindError),
    /// The admin server's thread or its runtime was refused.
    #[error("the admin server cannot be started: {0}")]
    AdminThread(#[source] io::Error),
    /// The plan cannot be put to work.
    #[error(transparent)]
    Plan(#[from] ReloadError),
    /// Descriptors of sockets, to be handed over one day.
    #[error("the sockets cannot be kept for a successor: {0}")]
    Sockets(#[source] io::Error),
}

/// Why howdah ended otherwise than as told.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The one that it was to take over from goes on.
    #[error("the howdah that runs goes on, and this one ends: {0}")]
    NotTaken(#[source] LinkError),
}

/// Why a plan was not taken. Everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file is faulty.
    #[error("the configuration is faulty\n{0}")]
    Faulty(config::Report),
    /// This howdah was not started from a file.
    #[error("there is no file to read again")]
    NoFile,
    /// An address cannot be listened on.
    #[error("listener \"{listener}\": {source}")]
    Bind {
        /// Whose address.
        listener: ListenerName,
        /// Which, and why.
        source: BindError,
    },
    /// Certificates that cannot be put to work.
    #[error("{owner}: {source}")]
    Tls {
        /// Listener or pool.
        owner: String,
        /// Why.
        source: Box<TlsError>,
    },
    /// The address of peers, or their certificates.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// The file of the access log.
    #[error("the access log cannot be opened: {0}")]
    AccessLog(#[source] io::Error),
}

impl From<ReloadError> for Rejected {
    fn from(error: ReloadError) -> Self {
        let of = |show: fn(&config::Fault) -> String| match &error {
            ReloadError::Faulty(report) => report.faults.iter().map(show).collect(),
            _ => Vec::new(),
        };
        let (faults, told) = (of(ToString::to_string), of(config::Fault::told));
        let error = match error {
            ReloadError::Faulty(_) => "the configuration is faulty; nothing has changed".to_owned(),
            other => format!("{other}; nothing has changed"),
        };
        Self {
            error,
            faults,
            told,
        }
    }
}
