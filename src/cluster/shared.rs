//! What the parts of a cluster's work share: the state under one lock, and who wakes whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::book::Book;
use super::member::Member;
use super::views::{Differences, Word};
use crate::base::lease::Lease;
use crate::plan::SharedPlan;
use crate::pool::Pool;
use crate::telemetry::Metrics;
use crate::wire::zookeeper::SessionKey;

/// What a cluster sees of the howdah that it is part of.
pub struct House {
    /// Pools that run.
    pub pools: Box<dyn Fn() -> Vec<Arc<Pool>> + Send + Sync>,
    /// Why it is not ready for sessions; none: it is.
    pub unready: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Where its admin server listens.
    pub admin: String,
}

/// See the module.
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) plan: SharedPlan,
    pub(super) house: House,
    pub(super) metrics: Metrics,
    pub(super) runtime: Handle,
    state: Mutex<State>,
    /// Something was read: look at the pools.
    pub(super) learned: Notify,
    /// Something is to be written.
    pub(super) outgoing: Notify,
    /// A lease or a fence is another.
    pub(super) clock: Notify,
    /// The session is certainly alive.
    pub(super) alive: Lease,
    /// And we lead.
    pub(super) lead: Arc<Lease>,
    pub(super) leads: watch::Sender<bool>,
    pub(super) leaving: watch::Sender<Leaving>,
    /// Whether no predecessor has our place any more.
    pub(super) entered: watch::Sender<bool>,
}

/// How far a goodbye is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// The session is to end.
    Asked,
    /// A successor goes on with the session: it lasts, and so does what it holds.
    HandingOver,
    Done,
}

pub(super) struct State {
    pub(super) book: Book,
    pub(super) own: Member,
    /// Without this one.
    pub(super) others: BTreeMap<String, Word>,
    pub(super) differences: Differences,
    /// The server of the ensemble; `None`: alone.
    pub(super) connected: Option<String>,
    pub(super) since: SystemTime,
    pub(super) why: Option<String>,
    /// The session, and the last change that was seen in it.
    pub(super) session: (SessionKey, i64),
    pub(super) leader: Option<String>,
    /// Orders that are not written yet.
    pub(super) waiting: usize,
    /// Latches of virtual addresses.
    pub(super) fences: BTreeMap<String, Latch>,
    /// Latches that came from a predecessor are not given back before: nobody has said yet whether they are wanted.
    pub(super) came: Option<(BTreeSet<String>, Instant)>,
}

/// The latch of one virtual address.
pub(super) struct Latch {
    pub(super) wants: watch::Receiver<bool>,
    pub(super) may: watch::Sender<bool>,
    /// Our znode is there.
    pub(super) held: bool,
}

impl Latch {
    /// Whether the address may be held.
    pub(super) fn tell(&self, may: bool) {
        self.may
            .send_if_modified(|known| std::mem::replace(known, may) != may);
    }
}

impl Shared {
    pub(super) fn new(
        name: &str,
        plan: SharedPlan,
        house: House,
        metrics: Metrics,
        own: Member,
        entered: bool,
    ) -> Self {
        Self {
            name: name.to_owned(),
            plan,
            house,
            metrics,
            runtime: Handle::current(),
            state: Mutex::new(State {
                book: Book::of(name),
                own,
                others: BTreeMap::new(),
                differences: Differences::default(),
                connected: None,
                since: SystemTime::now(),
                why: None,
                session: (SessionKey::default(), 0),
                leader: None,
                waiting: 0,
                fences: BTreeMap::new(),
                came: None,
            }),
            learned: Notify::new(),
            outgoing: Notify::new(),
            clock: Notify::new(),
            alive: Lease::default(),
            lead: Arc::default(),
            leads: watch::Sender::new(false),
            leaving: watch::Sender::new(Leaving::No),
            entered: watch::Sender::new(entered),
        }
    }

    /// For a moment; never across an `await`.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever we hold is the successor's.
    pub(super) fn is_handing_over(&self) -> bool {
        *self.leaving.borrow() == Leaving::HandingOver
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::{ClusterMode, ZooKeeperPlan};

    pub(in crate::cluster) fn shared() -> Shared {
        let plan = SharedPlan {
            zookeeper: ZooKeeperPlan {
                ensemble: Vec::new(),
                path: "/h".into(),
                account: None,
                tls: None,
            },
            mode: ClusterMode::ActiveStandby,
            session_timeout: SharedPlan::SESSION_TIMEOUT,
            fence_vips: true,
        };
        let house = House {
            pools: Box::new(Vec::new),
            unready: Box::new(Vec::new),
            admin: String::new(),
        };
        Shared::new("lb-1", plan, house, Metrics::new(), Member::default(), true)
    }
}
