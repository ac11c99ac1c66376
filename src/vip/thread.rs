//! The thread that all virtual addresses live on, and the handle that the rest of howdah holds.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::link;
use super::node::{News, Node, Order, Permission};
use super::said::Speaker;
use super::status::Board;
use crate::plan::{ListenerName, VipName, VipPlan};
use crate::telemetry::Metrics;

/// All virtual addresses of this process.
pub struct Vips {
    board: Board,
    /// `None`: there was none at the start, and there will be none.
    thread: Option<Handle>,
}

struct Handle {
    orders: mpsc::Sender<ToAll>,
    not_ready: watch::Sender<Arc<[ListenerName]>>,
}

/// For the thread.
enum ToAll {
    Reconcile(Vec<Arc<VipPlan>>),
    Begin {
        holding: bool,
    },
    End {
        kept: bool,
        done: oneshot::Sender<()>,
    },
}

impl Vips {
    /// Begins the thread, where there is anything to do for it. `permission`: whether an address may be held, asked once for each.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        plans: &[Arc<VipPlan>],
        metrics: &Metrics,
        permission: impl Fn(&VipName) -> Permission + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let board = Board::default();
        if plans.is_empty() {
            let thread = None;
            return Ok(Self { board, thread });
        }
        // Whoever asks before the thread has had its first turn sees them too.
        plans.iter().for_each(|plan| board.enter(plan));
        let (orders, received) = mpsc::channel(ORDERS);
        let (not_ready, of_listeners) = watch::channel(Arc::from([]));
        let (changed, of_links) = watch::channel(());
        let nodes = Nodes {
            all: BTreeMap::new(),
            news: News {
                links: of_links,
                not_ready: of_listeners,
            },
            permission: Box::new(permission),
            board: board.clone(),
            metrics: metrics.clone(),
            begun: false,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new().name("vip".into()).spawn(move || {
            // Allowed by CAP_SYS_NICE, or by LimitNICE of systemd; without it the thread is one among others.
            let _ = rustix::process::nice(PRIORITY);
            runtime.block_on(async {
                tokio::spawn(link::watch(changed));
                nodes.live(received).await;
            });
            // A silent name server holds nobody up.
            runtime.shutdown_background();
        })?;
        let thread = Some(Handle { orders, not_ready });
        Ok(Self { board, thread })
    }

    /// What each is now.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Whether there was any at the start.
    pub fn are_there(&self) -> bool {
        self.thread.is_some()
    }

    /// These are to be had, and no others.
    pub async fn reconcile(&self, plans: &[Arc<VipPlan>]) {
        self.order(ToAll::Reconcile(plans.to_vec())).await;
    }

    /// Listeners have their first verdicts. `holding`: the howdah before this one holds the addresses, and hands them over.
    pub async fn begin(&self, holding: bool) {
        self.order(ToAll::Begin { holding }).await;
    }

    /// These listeners cannot serve.
    pub fn not_ready(&self, listeners: Vec<ListenerName>) {
        if let Some(thread) = &self.thread {
            thread.not_ready.send_if_modified(|present| {
                let changed = **present != *listeners;
                if changed {
                    *present = listeners.into();
                }
                changed
            });
        }
    }

    /// Lets all addresses go, and says so to the partners; or leaves them to the howdah that comes after.
    pub async fn end(&self, kept: bool) {
        let (done, ended) = oneshot::channel();
        self.order(ToAll::End { kept, done }).await;
        let _ = timeout(END, ended).await;
    }

    async fn order(&self, order: ToAll) {
        if let Some(thread) = &self.thread {
            // Whoever had ended needs no order.
            let _ = thread.orders.send(order).await;
        }
    }
}

/// What the thread keeps.
struct Nodes {
    all: BTreeMap<VipName, Running>,
    news: News,
    permission: Box<dyn Fn(&VipName) -> Permission + Send + Sync>,
    board: Board,
    metrics: Metrics,
    begun: bool,
}

struct Running {
    plan: Arc<VipPlan>,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl Nodes {
    async fn live(mut self, mut orders: mpsc::Receiver<ToAll>) {
        while let Some(order) = orders.recv().await {
            match order {
                ToAll::Reconcile(plans) => self.reconcile(plans).await,
                ToAll::Begin { holding } => {
                    self.begun = true;
                    for node in self.all.values() {
                        let _ = node.orders.send(Order::Begin { holding }).await;
                    }
                }
                ToAll::End { kept, done } => {
                    self.end(kept).await;
                    let _ = done.send(());
                }
            }
        }
        self.end(false).await;
    }

    async fn reconcile(&mut self, plans: Vec<Arc<VipPlan>>) {
        let same_place = |node: &Running| {
            let mut all = plans.iter();
            let plan = all.find(|plan| plan.name == node.plan.name);
            plan.is_some_and(|plan| !node.plan.is_elsewhere(plan))
        };
        let left: Vec<_> = self
            .all
            .extract_if(.., |_, node| !same_place(node))
            .collect();
        for (_, node) in left {
            node.end(false).await;
        }
        for plan in plans {
            match self.all.get_mut(&plan.name) {
                Some(node) if node.plan != plan => {
                    node.plan = Arc::clone(&plan);
                    let _ = node.orders.send(Order::Follow(plan)).await;
                }
                Some(_) => {}
                None => self.add(plan).await,
            }
        }
    }

    async fn add(&mut self, plan: Arc<VipPlan>) {
        let speaker = Speaker::new(&plan, self.board.clone(), self.metrics.clone());
        let permission = (self.permission)(&plan.name);
        let node = Node::new(Arc::clone(&plan), self.news.clone(), permission, speaker);
        let (orders, received) = mpsc::channel(ORDERS);
        let task = tokio::spawn(node.run(received));
        if self.begun {
            let holding = false;
            let _ = orders.send(Order::Begin { holding }).await;
        }
        let name = plan.name.clone();
        self.all.insert(name, Running { plan, orders, task });
    }

    async fn end(&mut self, kept: bool) {
        for (_, node) in std::mem::take(&mut self.all) {
            node.end(kept).await;
        }
    }
}

impl Running {
    async fn end(self, kept: bool) {
        let _ = self.orders.send(Order::End { kept }).await;
        if timeout(END, self.task).await.is_err() {
            tracing::error!(vip = %self.plan.name, "a virtual address did not end");
        }
    }
}

/// Orders that may wait.
const ORDERS: usize = 16;
/// For the last words, which wait for nobody.
const END: Duration = Duration::from_secs(2);
/// Above whatever has no priority of its own.
const PRIORITY: i32 = -10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vip::node::tests::plan;

    #[test]
    fn an_address_is_seen_from_the_start_on() {
        // Nobody has told its thread of it yet.
        let vips = Vips::start(&[Arc::new(plan(&[]))], &Metrics::new(), |_| {
            Permission::always()
        })
        .unwrap();
        let all = vips.board().all();
        let seen: Vec<_> = all.iter().map(|one| (&*one.name, &*one.state)).collect();
        assert_eq!(seen, [("front", "init")]);
    }
}
