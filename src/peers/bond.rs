//! What holds between this howdah and a peer, whether there is a connection or not.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::link::Link;
use super::mesh::Mesh;
use super::table::Table;
use super::view::PeerState;
use crate::plan::PeerPlan;
use crate::pool::StickyFeed;

/// See the module.
pub(super) struct Bond {
    pub(super) plan: PeerPlan,
    pub(super) mesh: Arc<Mesh>,
    pub(super) state: Arc<PeerState>,
    /// Connections that the peer makes.
    pub(super) incoming: mpsc::Receiver<Link>,
    pub(super) feeds: Vec<Feed>,
}

/// A table of ours, and what changes in it that the peer is still to be told.
pub(super) struct Feed {
    pub(super) table: Table,
    pub(super) changes: StickyFeed,
    /// The peer may have missed something: it is told everything.
    pub(super) owes_all: bool,
    /// When clients with sessions are told again, as their entries would end with the peer.
    pub(super) refresh_at: Instant,
}

impl Bond {
    /// Takes in which tables there are now.
    pub(super) fn follow(&mut self) {
        let tables = Arc::clone(&self.mesh.tables.borrow());
        self.feeds.retain(|feed| tables.contains(&feed.table));
        for table in tables.iter() {
            if !self.feeds.iter().any(|feed| feed.table == *table) {
                self.feeds.push(Feed {
                    table: table.clone(),
                    changes: table.pool.feed(),
                    owes_all: true,
                    refresh_at: Instant::now() + table.ttl().unwrap_or_default() / 2,
                });
            }
        }
    }
}
