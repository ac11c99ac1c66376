//! What is known of a session, gathered stage by stage; the account is made from it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::meter::Meter;
use super::sources::SourceGrant;
use crate::plan::TlsVersion;
use crate::pool::{Lease, Pick, Server};
use crate::telemetry::PoolMetrics;

/// What is known of a session when it is over.
pub(super) struct Outcome {
    pub(super) id: u64,
    pub(super) started: Instant,
    pub(super) client: SocketAddr,
    pub(super) sni: Option<Box<str>>,
    pub(super) tls: Option<TlsVersion>,
    pub(super) attempts: u32,
    /// When the attempt that led to the server began.
    pub(super) dialled: Instant,
    pub(super) connect: Option<Duration>,
    /// Known as soon as the client has said what it wants; the lease comes later, or never.
    pub(super) pool: Option<Arc<PoolMetrics>>,
    pub(super) hold: Hold,
    /// Its client's bound.
    pub(super) source: Option<SourceGrant>,
    pub(super) meter: Meter,
}

impl Outcome {
    pub(super) fn begin(id: u64, client: SocketAddr) -> Self {
        let now = Instant::now();
        Self {
            id,
            started: now,
            client,
            sni: None,
            tls: None,
            attempts: 0,
            dialled: now,
            connect: None,
            pool: None,
            hold: Hold::Nobody,
            source: None,
            meter: Meter::default(),
        }
    }
}

/// The server of a session: the one that carries it, else the last one tried.
pub(super) enum Hold {
    /// None was chosen.
    Nobody,
    /// Chosen and not reached yet; or not at all, and its place is another session's by now.
    Tried(Arc<Server>, Pick),
    /// It carries the session.
    Leased(Lease),
}

impl Hold {
    /// Which server, and why that one.
    pub(super) fn server(&self) -> Option<(&Arc<Server>, Pick)> {
        match self {
            Self::Nobody => None,
            Self::Tried(server, pick) => Some((server, *pick)),
            Self::Leased(lease) => Some((lease.server(), lease.pick())),
        }
    }

    /// Of the server that carries the session.
    pub(super) fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Leased(lease) => Some(lease),
            Self::Nobody | Self::Tried(..) => None,
        }
    }
}
