//! What a worker is told, and how many sessions each one has.
//!
//! A connection is counted for the worker that will serve it before it is handed over, so that a burst spreads while
//! it is still on its way.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{oneshot, watch};

use super::{Listener, Owner};
use crate::base::fate::Fate;
use crate::session::Reason;
use crate::session::ended::Ended;
use crate::session::listing::{Filter, Listing, Query};
use crate::session::registry::Who;

/// Connections handed over that a worker may have waiting; above it, who accepted keeps them.
pub(super) const INBOX: usize = 1024;

/// What a worker is told.
pub(super) enum Command {
    /// Accept on this socket until it is retired.
    Listen {
        /// Bound and listening.
        socket: TcpListener,
        /// Whose it is.
        owner: Arc<Owner>,
        /// Says when the address leaves the plan, or this process.
        retired: watch::Receiver<Fate>,
    },
    /// Relay the datagrams of this socket until it is retired, and then those of the sessions that are there.
    Datagrams {
        /// Bound.
        socket: UdpSocket,
        /// Whose it is.
        owner: Arc<Owner>,
        /// Says when the address leaves the plan, or this process; its sender's end ends the sessions too.
        retired: watch::Receiver<Fate>,
    },
    /// A connection that another worker accepted.
    Serve(Newcomer),
    /// End sessions now.
    Cut {
        /// Which.
        who: Who,
        /// Why, for their account.
        reason: Reason,
    },
    /// End one session by order.
    End {
        /// Its number.
        id: u64,
        /// Takes how many were ended: none, where it has ended already or lives elsewhere.
        reply: oneshot::Sender<usize>,
    },
    /// Who is there?
    List {
        /// Which of them.
        query: Query,
        /// Takes the answer.
        reply: oneshot::Sender<Listing>,
    },
    /// Are you alive?
    Echo {
        /// Takes the answer.
        reply: oneshot::Sender<()>,
    },
    /// Who ended last?
    Ended {
        /// Which of them.
        filter: Filter,
        /// Takes the answer.
        reply: oneshot::Sender<Vec<Ended>>,
    },
}

/// A connection on its way to the worker that will serve it.
pub(super) struct Newcomer {
    /// Watched by no runtime on its way.
    pub(super) stream: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) listener: Arc<Listener>,
    pub(super) counted: Counted,
}

/// The sessions of each worker.
#[derive(Clone)]
pub(super) struct Counts(Arc<[Count]>);

/// Sessions of one worker, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Count(AtomicU32);

impl Counts {
    pub(super) fn of(workers: usize) -> Self {
        Self((0..workers).map(|_| Count::default()).collect())
    }

    /// Of each worker, in their order.
    pub(super) fn each(&self) -> impl Iterator<Item = u32> + Clone {
        self.0.iter().map(|count| count.0.load(Ordering::Relaxed))
    }
}

/// A session's share in the load of its worker.
pub(super) struct Counted {
    counts: Counts,
    index: usize,
}

impl Counted {
    pub(super) fn on(counts: &Counts, index: usize) -> Self {
        counts.0[index].0.fetch_add(1, Ordering::Relaxed);
        Self {
            counts: counts.clone(),
            index,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counts.0[self.index].0.fetch_sub(1, Ordering::Relaxed);
    }
}
