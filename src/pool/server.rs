//! One member of a pool: who it is, and its live numbers.
//!
//! A [`Server`] is one and the same while its name and address stay what they are: through snapshots, through
//! reloads, and after its removal for as long as a session holds it. All its methods are cheap and shared by
//! all threads.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::probes::{LastProbe, PastProbe, Probes};
use super::{DialFailure, LastLoad, Observed, Reach, SessionFault};
use crate::balance::Load;
use crate::plan::{Address, Host, ServerName, ServerPlan};
use crate::telemetry::ServerMetrics;

/// Unique in the process; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(u32);

/// See the module.
pub struct Server {
    id: ServerId,
    name: ServerName,
    address: Address,
    load: Arc<Load>,
    addresses: ArcSwap<Arc<[SocketAddr]>>,
    last_probe: ArcSwapOption<LastProbe>,
    probes: Mutex<Probes>,
    last_load: ArcSwapOption<LastLoad>,
    retire_at: ArcSwapOption<Instant>,
    dial_failed: AtomicBool,
    /// A session was reset, and the checker has begun no question since.
    reset: AtomicBool,
    observed: Observed,
    distrusted: AtomicBool,
    nudge: Notify,
    urge: Notify,
    metrics: Arc<ServerMetrics>,
}

impl Server {
    /// A server written as a number has its address at once; a name waits for discovery.
    pub(super) fn new(plan: &ServerPlan, load: Load, metrics: Arc<ServerMetrics>) -> Arc<Self> {
        let known: Arc<[SocketAddr]> = match plan.address.host {
            Host::Ip(ip) => [SocketAddr::new(ip, plan.address.port)].into(),
            Host::Name(_) => [].into(),
        };
        Arc::new(Self {
            id: ServerId::next(),
            name: plan.name.clone(),
            address: plan.address.clone(),
            load: Arc::new(load),
            addresses: ArcSwap::from_pointee(known),
            last_probe: ArcSwapOption::empty(),
            probes: Mutex::default(),
            last_load: ArcSwapOption::empty(),
            retire_at: ArcSwapOption::empty(),
            dial_failed: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            observed: Observed::default(),
            distrusted: AtomicBool::new(false),
            nudge: Notify::new(),
            urge: Notify::new(),
            metrics,
        })
    }

    /// Unique in the process.
    pub fn id(&self) -> ServerId {
        self.id
    }

    /// Unique in its pool.
    pub fn name(&self) -> &ServerName {
        &self.name
    }

    /// As the file has it.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where to connect to, in the order to try; empty while a name has never resolved.
    pub fn addresses(&self) -> Arc<[SocketAddr]> {
        Arc::clone(&self.addresses.load())
    }

    /// Discovery found these; false when they are what was known already.
    pub fn set_addresses(&self, found: &[SocketAddr]) -> bool {
        let changed = **self.addresses.load().as_ref() != *found;
        if changed {
            self.addresses.store(Arc::new(found.into()));
        }
        changed
    }

    /// Sessions that hold it now, those that are still connecting included.
    pub fn sessions_active(&self) -> u32 {
        self.load.active()
    }

    /// Sessions that it was chosen for, ever.
    pub fn sessions_total(&self) -> u64 {
        self.load.total()
    }

    /// A session could not connect to it. Counts it, and wakes its checker where the server is to blame.
    pub fn dial_failed(&self, why: DialFailure) {
        self.metrics.dial_failed(why);
        let Some(reach) = why.reach() else {
            return;
        };
        self.dial_failed.store(true, Ordering::Release);
        self.wake(self.observed.failed(reach));
    }

    /// A session that was connected showed that the server does not serve. Counts it, and wakes its checker.
    pub fn session_failed(&self, fault: SessionFault) {
        self.metrics.session_failed(fault);
        match fault {
            SessionFault::Unanswered => self.wake(self.observed.failed(Reach::Answer)),
            // Some servers end by a reset whatever they have done: a reason to ask, and no more. Thousands may be reset
            // at once, and to wake another thread for each costs more than to end it.
            SessionFault::Reset => {
                if !self.reset.load(Ordering::Relaxed) && !self.reset.swap(true, Ordering::AcqRel) {
                    self.nudge.notify_one();
                }
            }
        }
    }

    /// A checker decides after `fall` failures at most; a storm of more need not wake it each time.
    fn wake(&self, in_a_row: u32) {
        if in_a_row <= FALL_MAX || in_a_row.is_power_of_two() {
            self.nudge.notify_one();
        }
    }

    /// A session could connect to it: takes back a failure that its checker has not seen yet.
    pub fn dial_succeeded(&self) {
        if self.dial_failed.load(Ordering::Relaxed) {
            self.dial_failed.store(false, Ordering::Release);
        }
        self.observed.succeeded(Reach::Opening);
    }

    /// Whether it is out for what sessions saw alone, while its probes find it up.
    pub fn is_distrusted(&self) -> bool {
        self.distrusted.load(Ordering::Acquire)
    }

    /// Its checker says so, before it tells the pool.
    pub fn set_distrusted(&self, distrusted: bool) {
        self.distrusted.store(distrusted, Ordering::Release);
    }

    /// What sessions saw, and what takes it back.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Whether a dial failed since the last call; for the checker, who begins a question.
    pub fn take_dial_failure(&self) -> bool {
        self.reset.store(false, Ordering::Release);
        self.dial_failed.swap(false, Ordering::AcqRel)
    }

    /// Asks its checker to probe now.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Asks its checker to probe now, however short ago it did: for what happens seldom.
    pub fn urge(&self) {
        self.urge.notify_one();
    }

    /// Waits for the next urge; one that came before counts. Cancel-safe. For one waiter.
    pub async fn urged(&self) {
        self.urge.notified().await;
    }

    /// Waits for the next nudge; one that came before counts. Cancel-safe. For one waiter.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// What the last probe said; `None` before the first.
    pub fn last_probe(&self) -> Option<Arc<LastProbe>> {
        self.last_probe.load_full()
    }

    /// The last probes, oldest first.
    pub fn past_probes(&self) -> Vec<PastProbe> {
        self.probes().all()
    }

    /// Shows what a probe said, and how long its steps took; makes no snapshot.
    pub fn set_last_probe(&self, last: LastProbe, steps: &[(&'static str, Duration)]) {
        self.probes().push(&last, steps);
        self.last_probe.store(Some(Arc::new(last)));
    }

    fn probes(&self) -> MutexGuard<'_, Probes> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it said last of its load; `None` where it is not asked.
    pub fn last_load(&self) -> Option<Arc<LastLoad>> {
        self.last_load.load_full()
    }

    /// Shows what a server said of its load; makes no snapshot.
    pub fn set_last_load(&self, last: LastLoad) {
        self.last_load.store(Some(Arc::new(last)));
    }

    /// When the sessions of a server that was removed from the file must be gone; `None` while it is a member.
    pub fn retire_at(&self) -> Option<Instant> {
        self.retire_at.load().as_deref().copied()
    }

    pub(super) fn set_retire_at(&self, at: Option<Instant>) {
        self.retire_at.store(at.map(Arc::new));
    }

    /// Its counters.
    pub fn metrics(&self) -> &Arc<ServerMetrics> {
        &self.metrics
    }

    pub(super) fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// A session was counted on its load.
    pub(super) fn leased(&self) {
        self.metrics.leased();
    }

    pub(super) fn returned(&self) {
        self.load.give_back();
        self.metrics.returned();
    }
}

impl ServerId {
    #[cfg(test)]
    pub(super) const fn for_tests(id: u32) -> Self {
        Self(id)
    }

    fn next() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The largest `fall` that the file may name.
const FALL_MAX: u32 = 100;
