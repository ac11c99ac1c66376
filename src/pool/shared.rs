//! A pool as everybody holds it: its present snapshot, its sticky table, the way to its keeper.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::affinity::Affinity;
use super::change::Request;
use super::line::Line;
use super::{Change, Fall, Freshness, Refused, Server, Snapshot};
use crate::plan::{PoolName, StickyPlan};
use crate::telemetry::{Journal, PoolMetrics};

/// A set of interchangeable servers.
pub struct Pool {
    pub(super) name: PoolName,
    pub(super) snapshot: ArcSwap<Snapshot>,
    /// Of what a source lists; `None` before its first word.
    pub(super) freshness: ArcSwapOption<Freshness>,
    /// Counts snapshots, for those who wait for the next.
    pub(super) newest: watch::Sender<u64>,
    pub(super) affinity: Mutex<Affinity>,
    /// Sessions that wait while every server is full.
    pub(super) line: Line,
    pub(super) keeper: mpsc::Sender<Request>,
    pub(super) falls: mpsc::Sender<Fall>,
    /// Until somebody asks for it.
    pub(super) told_of_falls: Mutex<Option<mpsc::Receiver<Fall>>>,
    /// Where estimates count their time from.
    pub(super) created_at: Instant,
    pub(super) metrics: Arc<PoolMetrics>,
    pub(super) journal: Journal,
}

impl Pool {
    /// Unique in the process.
    pub fn name(&self) -> &PoolName {
        &self.name
    }

    /// The present state. The guard is for reading now: do not hold it across an `await`.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The present state, for those who hold it for longer.
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Changes with each snapshot. One that lives on when the pool is gone hears of it.
    pub fn snapshots(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// How old the list of its servers is; `None` where no source was heard yet.
    pub fn freshness(&self) -> Option<Arc<Freshness>> {
        self.freshness.load_full()
    }

    /// A source was heard, or was not. Makes no snapshot.
    pub fn set_freshness(&self, freshness: Freshness) {
        self.freshness.store(Some(Arc::new(freshness)));
    }

    /// No source is asked any more; a later one begins anew.
    pub fn forget_freshness(&self) {
        self.freshness.store(None);
    }

    /// Sessions that wait while every server is full.
    pub fn queue_length(&self) -> usize {
        self.line.len()
    }

    /// Clients whose server is remembered.
    pub fn sticky_entries(&self) -> usize {
        self.affinity().len()
    }

    /// Its counters.
    pub fn metrics(&self) -> &Arc<PoolMetrics> {
        &self.metrics
    }

    /// Where what happens to it is told.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Servers that go down from now on; `None` for everybody but the first who asks.
    pub fn falls(&self) -> Option<mpsc::Receiver<Fall>> {
        let told = self.told_of_falls.lock();
        told.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A probe took this long: an estimate for a server that sessions say nothing about.
    pub fn probed(&self, server: &Server, took: Duration, now: Instant) {
        if server.load().seed(took, self.since(now)) {
            self.snapshot.load().refresh(server.id());
        }
    }

    /// Other howdahs have so many sessions on it, for balancers that count sessions.
    pub fn carried_elsewhere(&self, server: &Server, sessions: u32) {
        if server.load().set_elsewhere(sessions) {
            self.snapshot.load().refresh(server.id());
        }
    }

    /// Asks the keeper for a change and waits until it is in the snapshot.
    ///
    /// Dropping the future does not take the change back once it was sent.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn send(&self, change: Change) -> Result<(), Refused> {
        let stopping = || Refused::Stopping(self.name.clone());
        let (reply, answer) = oneshot::channel();
        let request = Request { change, reply };
        self.keeper.send(request).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    pub(super) fn returned(&self, server: &Server, holds: Option<IpAddr>) {
        self.snapshot.load().refresh(server.id());
        if let Some(client) = holds {
            self.affinity().release(client, Instant::now());
        }
        self.serve_queue();
    }

    /// Something became free, or the servers are others.
    pub(super) fn serve_queue(&self) {
        if !self.line.is_empty() {
            self.serve_line();
            self.wake_for_token();
        }
    }

    pub(super) fn serve_line(&self) {
        self.line.serve();
        self.show_queue();
    }

    /// Another is the first in line, or what it sleeps for is another: it looks when the next token comes.
    pub(super) fn wake_for_token(&self) {
        if self.has_rates() {
            self.line.wake_first();
        }
    }

    pub(super) fn has_rates(&self) -> bool {
        self.snapshot.load().has_rates()
    }

    /// When, later than `now`, a server that took as many new sessions in this second as it may takes the next; `None` where
    /// time alone makes no room.
    pub(super) fn next_token(&self, now: Instant) -> Option<Instant> {
        let passed = self.snapshot.load().next_token(self.since(now))?;
        Some(self.created_at + passed)
    }

    pub(super) fn show_queue(&self) {
        self.metrics.queue_length(self.line.len());
    }

    pub(super) fn observe(&self, server: &Server, took: Duration, now: Instant) {
        if server.load().observe(took, self.since(now)) {
            self.snapshot.load().refresh(server.id());
        }
    }

    pub(super) fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.created_at)
    }

    pub(super) fn bound_affinity(&self, sticky: Option<&StickyPlan>) {
        let mut table = self.affinity();
        table.bound(sticky, Instant::now());
        self.show(&mut table);
    }

    pub(super) fn show(&self, table: &mut Affinity) {
        for _ in 0..table.take_evicted() {
            self.metrics.sticky_evicted();
        }
        self.metrics.sticky_entries(table.len());
    }

    pub(super) fn affinity(&self) -> MutexGuard<'_, Affinity> {
        self.affinity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
