//! The thread that writes the state file: when, and what becomes of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::advice::advice;
use super::disk;
use super::format::{MOST, Memory, encode};
use super::gather::gather;
use super::shown::StateView;
use crate::pool::{OrderMemo, Pool};
use crate::telemetry::journal::{Event, Kind};
use crate::telemetry::{Journal, Metrics, StateMetrics};

/// What is to be kept, and where.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    pub(super) file: Option<PathBuf>,
    pub(super) pools: Vec<Arc<Pool>>,
}

/// See the module.
pub(super) struct Writer {
    generation: u64,
    shown: StateView,
    metrics: StateMetrics,
    journal: Journal,
    wanted: Wanted,
    /// What was written last, or should have been; `None`: nothing was, or not there.
    written: Option<Written>,
    /// The last attempt failed.
    is_owed: bool,
    /// Not before then, but for an order.
    rests_until: Instant,
    /// What was said last of a failure.
    trouble: Option<String>,
    /// The howdah whose file it is now.
    yielded_to: Option<u32>,
}

/// By what it is known whether there is something to write.
#[derive(PartialEq)]
struct Written {
    versions: Vec<(u64, u64)>,
    orders: Vec<Vec<OrderMemo>>,
}

impl Writer {
    pub(super) fn new(generation: u64, shown: StateView, metrics: &Metrics) -> Self {
        Self {
            generation,
            shown,
            metrics: metrics.state(),
            journal: metrics.journal().clone(),
            wanted: Wanted::default(),
            written: None,
            is_owed: false,
            rests_until: Instant::now(),
            trouble: None,
            yielded_to: None,
        }
    }

    /// Until nobody wants anything any more.
    pub(super) fn run(
        self,
        follows: watch::Receiver<Wanted>,
        closes: mpsc::Receiver<oneshot::Sender<()>>,
    ) {
        let _ = rustix::process::nice(LOWER);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.serve(follows, closes)),
            Err(error) => tracing::error!(%error, "the state file has no timer and is not written"),
        }
    }

    pub(super) async fn serve(
        mut self,
        mut follows: watch::Receiver<Wanted>,
        mut closes: mpsc::Receiver<oneshot::Sender<()>>,
    ) {
        let (told, mut listening) = (Arc::new(Notify::new()), JoinSet::new());
        loop {
            tokio::select! {
                more = follows.changed() => {
                    if more.is_err() {
                        return;
                    }
                    let wanted = follows.borrow_and_update().clone();
                    listening = listen(&wanted.pools, &told);
                    self.follow(wanted);
                }
                Some(reply) = closes.recv() => {
                    self.save();
                    let _ = reply.send(());
                }
                () = told.notified() => {
                    sleep(TOGETHER).await;
                    self.save_if(|was, is| was.orders != is.orders);
                }
                () = sleep_until(self.rests_until) => self.save(),
            }
            // Those of pools that are gone.
            while listening.try_join_next().is_some() {}
        }
    }

    fn follow(&mut self, wanted: Wanted) {
        let moved = self.wanted.file != wanted.file;
        self.wanted = wanted;
        if moved {
            self.metrics.lost();
            (self.written, self.trouble, self.yielded_to) = (None, None, None);
            self.is_owed = false;
            let file = self.wanted.file.clone();
            if let Some(file) = &file {
                disk::tidy(file);
            }
            self.shown.change(|shown| {
                (shown.file, shown.saved_at, shown.error) = (file.clone(), None, None);
            });
        }
        self.save_if(|was, is| was.orders != is.orders);
    }

    /// Whatever has changed, and what is owed.
    fn save(&mut self) {
        // News of verdicts alone put this off for nobody.
        self.rests_until = Instant::now() + EVERY;
        if std::mem::take(&mut self.is_owed) {
            self.written = None;
        }
        self.save_if(Written::ne);
    }

    /// Writes what was never tried, or what is `due` by what was and what is.
    fn save_if(&mut self, due: impl Fn(&Written, &Written) -> bool) {
        let began = Instant::now();
        let Some(file) = self.wanted.file.clone() else {
            return;
        };
        let present = Written::of(&self.wanted.pools);
        if self.written.as_ref().is_some_and(|was| !due(was, &present)) {
            return;
        }
        if !self.is_ours(&file) {
            return;
        }
        let bytes = encode(&bounded(gather(&self.wanted.pools, self.generation)));
        let written = disk::write(&file, &bytes);
        self.written = Some(present);
        self.is_owed = written.is_err();
        match written {
            Ok(()) => self.saved(&file, bytes.len(), began.elapsed()),
            Err(error) => self.failed(&file, &error),
        }
        // A slow disk, or a large table, is asked less often.
        self.rests_until = Instant::now() + EVERY.max(began.elapsed() * REST);
    }

    /// A howdah that began later has the last word.
    fn is_ours(&mut self, file: &Path) -> bool {
        // In containers that share a disk, each is process 1.
        let newer = disk::author(file).filter(|author| {
            let is_another = author.pid != std::process::id();
            author.generation > self.generation
                || is_another && author.generation == self.generation
        });
        let pid = newer.map(|author| author.pid);
        if let Some(pid) = pid.filter(|_| self.yielded_to != pid) {
            let path = file.display();
            tracing::warn!(file = %path, pid, "{YIELDED}");
            let text = format!("{YIELDED} ({path}, process {pid})");
            self.journal.tell(Event::warning(Kind::State, text));
            self.shown.change(|shown| {
                shown.error = Some(format!(
                    "process {pid}, a howdah that began later, writes it"
                ));
            });
        }
        if pid.is_some() {
            self.metrics.lost();
        }
        self.yielded_to = pid;
        pid.is_none()
    }

    fn saved(&mut self, file: &Path, size: usize, took: Duration) {
        let (now, size) = (SystemTime::now(), u64::try_from(size).unwrap_or(u64::MAX));
        self.metrics.written(now, size, took);
        self.shown.change(|shown| {
            (shown.saved_at, shown.size, shown.error) = (Some(now), size, None);
        });
        if self.trouble.take().is_some() {
            let path = file.display();
            tracing::info!(file = %path, "{WRITTEN_AGAIN}");
            let text = format!("{WRITTEN_AGAIN} ({path})");
            self.journal.tell(Event::info(Kind::State, text));
        }
    }

    fn failed(&mut self, file: &Path, error: &std::io::Error) {
        self.metrics.failed();
        let why = format!("{error}{}", advice(file, error));
        if self.trouble.as_ref() == Some(&why) {
            return;
        }
        let path = file.display();
        tracing::warn!(file = %path, error = why, "{NOT_WRITTEN}");
        let text = format!("{NOT_WRITTEN}: {path}: {why}");
        self.journal.tell(Event::warning(Kind::State, text));
        self.shown.change(|shown| shown.error = Some(why.clone()));
        self.trouble = Some(why);
    }
}

impl Written {
    fn of(pools: &[Arc<Pool>]) -> Self {
        let orders = |pool: &Arc<Pool>| {
            let mut orders = pool.remember_orders();
            // Runs by itself.
            orders.iter_mut().for_each(|order| order.left = None);
            orders
        };
        Self {
            versions: pools.iter().map(|pool| pool.memory_version()).collect(),
            orders: pools.iter().map(orders).collect(),
        }
    }
}

/// Hears of each new snapshot.
fn listen(pools: &[Arc<Pool>], told: &Arc<Notify>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for pool in pools {
        let (mut snapshots, told) = (pool.snapshots(), Arc::clone(told));
        tasks.spawn(async move {
            while snapshots.changed().await.is_ok() {
                told.notify_one();
            }
        });
    }
    tasks
}

/// Nobody reads more than [`MOST`] bytes: of a table that is larger, the clients with the longest time stay.
pub fn bounded(mut memory: Memory) -> Memory {
    let lists = || memory.pools.values().flat_map(|pool| &pool.sticky);
    let clients: usize = lists().map(|list| list.clients.len()).sum();
    if clients > CLIENTS {
        let lists = memory.pools.values_mut().flat_map(|pool| &mut pool.sticky);
        for list in lists {
            let share = list.clients.len() * CLIENTS / clients;
            let by_time = |one: &(_, Option<u64>)| std::cmp::Reverse(one.1.unwrap_or(u64::MAX));
            list.clients.sort_by_key(by_time);
            list.clients.truncate(share);
        }
    }
    memory
}

/// What changes by itself is written so often.
const EVERY: Duration = Duration::from_secs(5);
/// Orders that come together are written together.
const TOGETHER: Duration = Duration::from_millis(20);
/// The thread rests so many times as long as it wrote.
const REST: u32 = 20;
/// Behind whatever serves sessions.
const LOWER: i32 = 5;
/// With the longest addresses and names they fill the file.
const CLIENTS: usize = MOST / 64;

const YIELDED: &str =
    "the state file belongs to a howdah that began later, this one writes it no more";
const NOT_WRITTEN: &str = "the state file cannot be written, a restart would begin without it";
const WRITTEN_AGAIN: &str = "the state file is written again";
