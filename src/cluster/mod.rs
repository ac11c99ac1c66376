//! Howdahs that are one: they share orders, weights, who is there and what each sees, in ZooKeeper.
//!
//! ```text
//!  pools ──► enforce ──► book of orders ◄──► link ◄──► ZooKeeper: members, orders, latch, vips
//!    ▲          │        own member              │ leases
//!    └──────────┘        what others carry       ▼
//!                                              clock ──► who leads, which addresses may be held
//! ```
//! `link` keeps one session, mirrors what is below the path and writes what is new; `enforce` makes pools obey what wins;
//! `clock` ends what the session gave, by our own clock and before the ensemble can have ended the session.
//!
//! Invariants: nothing here holds up a session or a probe. Without ZooKeeper the last that was known stands, orders that are
//! given meanwhile are obeyed here and written when it is back. What others wrote is bounded and judged; junk is named once,
//! counted and ignored. Two never both hold a lease: it is renewed only by a change that the ensemble agreed to, and lasts
//! two thirds of the session from when that was sent. A howdah and its successor share one session, and one lease.

mod answer;
mod book;
mod clock;
mod enforce;
mod handed;
mod latch;
mod link;
mod member;
mod mirror;
mod names;
mod register;
mod shared;
mod show;
mod succession;
#[cfg(test)]
mod tests;
mod views;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

pub use self::answer::{
    ClusterAnswer, ClusterDifference, ClusterGiven, ClusterMember, ClusterOrder, ClusterSeen,
    ClusterStatus, ClusterView,
};
use self::link::{Left, Link};
use self::member::{FORM, Member};
pub use self::shared::House;
use self::shared::{Latch, Leaving, Shared};
use crate::base::lease::Lease;
use crate::base::time::millis;
use crate::plan::{ClusterMode, SharedPlan};
use crate::telemetry::Metrics;
use crate::tls::TlsError;
use crate::tls::connect::Connector;

/// This howdah's part in a cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Shared>);

/// The right to hold one virtual address.
pub struct Fence {
    /// Set it while the address should be here: then its latch is asked for, and given back after.
    pub wants: watch::Sender<bool>,
    /// The latch is held, and the session certainly alive.
    pub may: watch::Receiver<bool>,
}

impl Cluster {
    /// Nothing is asked yet, and nothing before [`Self::enter`] where it has not `entered`.
    ///
    /// # Errors
    /// The roots of TLS cannot be used.
    pub fn new(
        name: &str,
        plan: &SharedPlan,
        house: House,
        metrics: &Metrics,
        entered: bool,
    ) -> Result<Self, TlsError> {
        plan.zookeeper
            .tls
            .as_ref()
            .map(Connector::new)
            .transpose()?;
        let own = Member {
            form: FORM,
            name: name.to_owned(),
            instance: format!("{:016x}", fastrand::u64(..)),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            since: millis(SystemTime::now()),
            admin: house.admin.clone(),
            mode: plan.mode.as_str().into(),
            ..Member::default()
        };
        let shared = Shared::new(name, plan.clone(), house, metrics.clone(), own, entered);
        Ok(Self(Arc::new(shared)))
    }

    /// Takes part until it is dropped, or [handed over](Self::hand_over).
    pub async fn run(self) {
        let mut link = Link::new(&self.0);
        let linked = async {
            if link.run().await == Left::Ended {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = linked => {}
            () = enforce::run(&self.0) => {}
            () = clock::run(&self.0) => {}
        }
    }

    /// Only one of all may listen.
    pub fn is_exclusive(&self) -> bool {
        self.0.plan.mode == ClusterMode::ActiveStandby
    }

    /// Its own name there.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Below which all of it is kept.
    pub fn path(&self) -> &str {
        &self.0.plan.zookeeper.path
    }

    /// Whether this is the one that leads.
    pub fn leads(&self) -> watch::Receiver<bool> {
        self.0.leads.subscribe()
    }

    /// The right to take sessions, where only one may; it ends by the clock.
    pub fn lease(&self) -> Option<Arc<Lease>> {
        self.is_exclusive().then(|| Arc::clone(&self.0.lead))
    }

    /// Why it takes no sessions though all is well, in one sentence.
    pub fn standby(&self) -> Option<String> {
        if !self.is_exclusive() || *self.0.leads.borrow() {
            return None;
        }
        let state = self.0.state();
        Some(match (&state.connected, &state.leader) {
            (None, _) => {
                "howdah stands by: it has no session with ZooKeeper, which says who leads".into()
            }
            (_, Some(leader)) if *leader != self.0.name => {
                format!("howdah stands by: \"{leader}\" leads and takes the sessions")
            }
            _ => "howdah stands by: nobody leads yet".into(),
        })
    }

    /// The right to hold a virtual address; `None` where `fence_vips` is off: then it always may. Once for each.
    pub fn fence(&self, vip: &str) -> Option<Fence> {
        if !self.0.plan.fence_vips {
            return None;
        }
        let (wants, wanted) = watch::channel(false);
        let mut state = self.0.state();
        let came = state.came.as_ref();
        let held = came.is_some_and(|(latches, _)| latches.contains(vip));
        let (allowed, may) = watch::channel(held && self.0.alive.holds(Instant::now()));
        let latch = Latch {
            wants: wanted,
            may: allowed,
            held,
        };
        state.fences.insert(vip.to_owned(), latch);
        drop(state);
        let (mut wanted, shared) = (wants.subscribe(), Arc::downgrade(&self.0));
        self.0.runtime.spawn(async move {
            // Until nobody holds the fence any more.
            while wanted.changed().await.is_ok() {
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                shared.outgoing.notify_one();
            }
        });
        Some(Fence { wants, may })
    }

    /// Ends the session, so that the others need not wait for its time. What this howdah led, another one leads then: close
    /// the listeners before. Waits for a moment at most.
    pub async fn leave(&self) {
        let mut leaving = self.0.leaving.subscribe();
        self.0.leaving.send_replace(Leaving::Asked);
        let done = leaving.wait_for(|leaving| *leaving == Leaving::Done);
        let _ = timeout(GOODBYE, done).await;
    }
}

/// A goodbye is not waited for much longer, nor a last word before the session is the successor's.
const GOODBYE: Duration = Duration::from_millis(500);
