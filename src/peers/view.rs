//! What is known of each peer, for whoever looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use super::reason::{Closed, Ignored};
use crate::base::word::{Label, words};
use crate::plan::{Address, PeerPlan};
use crate::telemetry::PeerMetrics;

/// All of them, in the order of the file.
pub type PeersView = Arc<ArcSwap<Vec<Arc<PeerState>>>>;

words! {
    /// How things are between this howdah and a peer.
    enum Presence {
        /// No connection, and the next attempt waits.
        Away = "away",
        /// There is a connection, and one side tells the other everything.
        Syncing = "syncing",
        /// There is a connection.
        Connected = "connected",
    }
}

/// One peer.
pub struct PeerState {
    name: Arc<str>,
    address: Address,
    now: Mutex<Now>,
    pub(super) counters: Arc<PeerMetrics>,
}

struct Now {
    standing: Presence,
    since: SystemTime,
    why: Option<Closed>,
    detail: String,
}

/// One peer at a moment.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// As it calls itself.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: String,
    /// away, syncing or connected.
    pub state: &'static str,
    /// Since when it is there, or is away.
    pub since: SystemTime,
    /// Entries that it was told, since the start.
    pub sent: u64,
    /// Entries that were taken from it, since the start.
    pub received: u64,
    /// Why there is no connection.
    pub why: Option<String>,
}

impl PeerState {
    pub(super) fn new(plan: &PeerPlan, counters: Arc<PeerMetrics>) -> Self {
        let closed: Vec<_> = Closed::ALL.iter().map(|why| why.as_str()).collect();
        let ignored: Vec<_> = Ignored::ALL.iter().map(|why| why.as_str()).collect();
        counters.know(&closed, &ignored);
        // One of the same name may have had a connection.
        counters.connected(false);
        Self {
            name: Arc::clone(&plan.name),
            address: plan.address.clone(),
            now: Mutex::new(Now {
                standing: Presence::Away,
                since: SystemTime::now(),
                why: None,
                detail: String::new(),
            }),
            counters,
        }
    }

    /// As it is now.
    pub fn look(&self) -> PeerView {
        let now = self.now();
        let why = now.why.map(|why| match now.detail.as_str() {
            "" => why.hint().to_owned(),
            detail => format!("{}: {detail}", why.hint()),
        });
        PeerView {
            name: Arc::clone(&self.name),
            address: self.address.to_string(),
            state: now.standing.as_str(),
            since: now.since,
            sent: self.counters.sent_total(),
            received: self.counters.received_total(),
            why,
        }
    }

    /// There is a connection.
    pub(super) fn connected(&self, syncing: bool) {
        let standing = if syncing {
            Presence::Syncing
        } else {
            Presence::Connected
        };
        let mut now = self.now();
        if now.standing == Presence::Away {
            now.since = SystemTime::now();
        }
        now.standing = standing;
        now.why = None;
        self.counters.connected(true);
    }

    /// There is none, for this reason.
    pub(super) fn away(&self, why: Closed, detail: &str) {
        let mut now = self.now();
        if now.standing != Presence::Away {
            now.since = SystemTime::now();
        }
        now.standing = Presence::Away;
        now.why = Some(why);
        detail.clone_into(&mut now.detail);
        self.counters.connected(false);
        self.counters.closed(why.as_str());
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
