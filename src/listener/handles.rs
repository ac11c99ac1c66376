//! All workers, as the rest of the program sees them: started here, given sockets, told to end sessions.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::sync::{mpsc, oneshot, watch};

use super::Owner;
use super::bind::Sockets;
use super::inbox::{Command, Counts, INBOX};
use super::sessions::SessionTable;
use super::spread::{Local, Peers};
use super::worker::work;
use crate::base::fate::Fate;
use crate::plan::CpuAffinity;
use crate::session::Reason;
use crate::session::registry::Who;

/// All workers, as the rest of the program sees them.
#[derive(Clone)]
pub struct WorkerHandles {
    inboxes: Arc<[mpsc::Sender<Command>]>,
    counts: Counts,
    datagrams: Counts,
    ids: Arc<AtomicU64>,
}

impl WorkerHandles {
    /// Starts `workers` threads, which end when the last `WorkerHandles` is dropped and their last session is over.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be had.
    pub fn start(workers: usize, affinity: CpuAffinity) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (inboxes, outlets): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| mpsc::channel(INBOX)).unzip();
        let handles = Self {
            inboxes: inboxes.into(),
            counts: Counts::of(workers),
            datagrams: Counts::of(workers),
            // Ids of two runs differ, so that a log that spans a restart can be read.
            ids: Arc::new(AtomicU64::new(fastrand::u64(..) << 32)),
        };
        let homes = match affinity {
            CpuAffinity::Auto => processors_for(workers),
            CpuAffinity::None => None,
        };
        let mut threads = Vec::with_capacity(workers);
        for (index, outlet) in outlets.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let local = Local {
                index,
                counts: handles.counts.clone(),
                datagrams: handles.datagrams.clone(),
                peers: Peers::of(&handles.inboxes),
                ids: Arc::clone(&handles.ids),
            };
            let thread = std::thread::Builder::new().name(format!("worker-{index}"));
            let home = homes.as_ref().map(|homes| homes[index]);
            threads.push(thread.spawn(move || {
                settle(home);
                runtime.block_on(work(outlet, local));
            })?);
        }
        Ok((handles, threads))
    }

    /// How many there are.
    pub fn workers(&self) -> usize {
        self.inboxes.len()
    }

    /// Sessions on all of them.
    pub fn sessions(&self) -> u32 {
        self.counts.each().chain(self.datagrams.each()).sum()
    }

    /// Shows the sessions of all of them.
    pub fn session_table(&self) -> SessionTable {
        SessionTable::of(&self.inboxes)
    }

    /// Gives the workers `sockets`, one to each in turn.
    pub async fn listen(
        &self,
        sockets: Sockets,
        owner: &Arc<Owner>,
        retired: &watch::Receiver<Fate>,
    ) {
        let shared = || (Arc::clone(owner), retired.clone());
        let connections = |socket| {
            let (owner, retired) = shared();
            Command::Listen {
                socket,
                owner,
                retired,
            }
        };
        let datagrams = |socket| {
            let (owner, retired) = shared();
            Command::Datagrams {
                socket,
                owner,
                retired,
            }
        };
        let commands: Vec<Command> = match sockets {
            Sockets::Tcp(sockets) => sockets.into_iter().map(connections).collect(),
            Sockets::Udp(sockets) => sockets.into_iter().map(datagrams).collect(),
        };
        for (inbox, command) in self.inboxes.iter().cycle().zip(commands) {
            self.tell(inbox, command).await;
        }
    }

    /// Ends sessions on all workers.
    pub async fn cut(&self, who: Who, reason: Reason) {
        for inbox in self.inboxes.iter() {
            self.tell(inbox, Command::Cut { who, reason }).await;
        }
    }

    /// Completes when every worker has answered.
    pub async fn echo(&self) {
        let mut answers = Vec::with_capacity(self.inboxes.len());
        for inbox in self.inboxes.iter() {
            let (reply, answer) = oneshot::channel();
            self.tell(inbox, Command::Echo { reply }).await;
            answers.push(answer);
        }
        for answer in answers {
            // A worker that is gone never answers.
            if answer.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A worker ends only after these handles have.
    async fn tell(&self, inbox: &mpsc::Sender<Command>, command: Command) {
        if inbox.send(command).await.is_err() {
            tracing::error!("a worker is gone");
        }
    }
}

/// A processor for each worker: those this process may run on, when they are exactly as many.
///
/// Left to itself, the kernel pulls two workers onto one processor when both are woken from there, and one of them
/// waits for a whole time slice (docs/performance.md). With fewer workers than processors there is room to move, and with
/// a container's quota on time the processors are not ours to choose.
fn processors_for(workers: usize) -> Option<Vec<usize>> {
    let allowed = sched_getaffinity(None).ok()?;
    let all: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|processor| allowed.is_set(*processor))
        .collect();
    (all.len() == workers).then_some(all)
}

/// Keeps this thread to one processor. Where that is refused the kernel goes on choosing.
fn settle(home: Option<usize>) {
    if let Some(home) = home {
        let mut own = CpuSet::new();
        own.set(home);
        let _ = sched_setaffinity(None, &own);
    }
}
