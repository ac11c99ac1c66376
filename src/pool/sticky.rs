//! The sticky table for those who share it with others: what they tell, and what changes here.

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::affinity::Known;
use super::{Pool, Snapshot};
use crate::plan::{ServerName, StickyPlan};

/// A client that belongs to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickyChange {
    /// Canonical: an IPv4 address is never written as an IPv6 one.
    pub client: IpAddr,
    /// Whose it is.
    pub server: ServerName,
    /// How long the entry lives from now on, if no session comes.
    pub left: Duration,
}

/// What changes in the sticky table of a pool from the moment of asking on. Drop it, and nothing is kept for it any more.
///
/// Look now and then: sessions wake nobody.
pub struct StickyFeed {
    pool: Weak<Pool>,
    position: u64,
}

impl Pool {
    /// Somebody else says that the client belongs to this server, for `left` without a session. Not told to those who read a
    /// [`StickyFeed`]. False where nobody here is of that name, where nothing is sticky, and where no room is left.
    pub fn learn(&self, client: IpAddr, server: &ServerName, left: Duration) -> bool {
        let snapshot = self.load();
        let Some((plan, member)) = snapshot.plan.sticky.as_ref().zip(snapshot.member(server))
        else {
            return false;
        };
        let known = Known {
            client: client.to_canonical(),
            server: member.server.id(),
            left: Some(left),
        };
        let mut table = self.affinity();
        let learned = table.learn(known, plan, Instant::now());
        self.show(&mut table);
        learned
    }

    /// Whose this client is, for as long as it lives on; one with a session lives on for as long as an entry can.
    pub fn sticky(&self, client: IpAddr) -> Option<StickyChange> {
        let snapshot = self.load();
        let plan = snapshot.plan.sticky.as_ref()?;
        let client = client.to_canonical();
        let found = self.affinity().look(client, plan, Instant::now())?;
        let member = snapshot.seat(found.server)?;
        Some(StickyChange {
            client,
            server: member.plan.name.clone(),
            left: plan.ttl - found.idle.unwrap_or_default(),
        })
    }

    /// Those of a memory, under new identities.
    pub(super) fn learn_all(&self, all: Vec<Known>, plan: Option<&StickyPlan>, now: Instant) {
        if let Some(plan) = plan {
            let mut table = self.affinity();
            table.learn_all(all, plan, now);
            self.show(&mut table);
        }
    }

    /// Keeps what changes from now on for the reader. For the whole table, see [`Self::remember`], after this.
    pub fn feed(self: &Arc<Self>) -> StickyFeed {
        StickyFeed {
            pool: Arc::downgrade(self),
            position: self.affinity().open_feed(),
        }
    }
}

impl StickyFeed {
    /// At most `most` changes since the last call, each client once, as it is now. False: so many came that some are lost, and
    /// the whole table should be read again.
    pub fn take(&mut self, most: usize) -> (Vec<StickyChange>, bool) {
        let Some(pool) = self.pool.upgrade() else {
            return (Vec::new(), true);
        };
        let snapshot = pool.load_full();
        let Some(plan) = &snapshot.plan.sticky else {
            return (Vec::new(), true);
        };
        let table = pool.affinity();
        let (known, whole) = table.changes(&mut self.position, most, plan, Instant::now());
        drop(table);
        let known = known.into_iter();
        let changes = known.filter_map(|known| named(known, &snapshot, plan));
        (changes.collect(), whole)
    }
}

impl Drop for StickyFeed {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.affinity().close_feed();
        }
    }
}

fn named(known: Known, snapshot: &Snapshot, plan: &StickyPlan) -> Option<StickyChange> {
    let member = snapshot.seat(known.server)?;
    Some(StickyChange {
        client: known.client,
        server: member.plan.name.clone(),
        left: known.left.unwrap_or(plan.ttl),
    })
}
