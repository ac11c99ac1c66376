//! A worker: one thread, one runtime, the sessions that live on it.
//!
//! Workers share nothing on the road of a session but atomics. What must reach one from outside (a socket to
//! listen on, a connection handed over, an order to end sessions) comes through its inbox.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::Listener;
use super::accept::accept;
use crate::plan::{CpuAffinity, RelayWay};
use crate::session::registry::{self, Who};
use crate::session::{Arrival, Reason, serve, set_way};

/// Connections handed over that a worker may have waiting; above it, who accepted keeps them.
const INBOX: usize = 1024;

/// What a worker is told.
pub enum Command {
    /// Accept on this socket until `retired` turns true.
    Listen {
        /// Bound and listening.
        socket: TcpListener,
        /// Whose it is.
        listener: Arc<Listener>,
        /// Turns true when the address leaves the plan.
        retired: watch::Receiver<bool>,
    },
    /// A connection that another worker accepted.
    Serve(Newcomer),
    /// End sessions now.
    Cut {
        /// Which.
        who: Who,
        /// Why, for their account.
        reason: Reason,
    },
}

/// A connection on its way to the worker that will serve it.
pub struct Newcomer {
    /// Watched by no runtime on its way.
    stream: std::net::TcpStream,
    peer: SocketAddr,
    listener: Arc<Listener>,
    counted: Counted,
}

/// All workers, as the rest of the house sees them.
#[derive(Clone)]
pub struct Crew {
    inboxes: Arc<[mpsc::Sender<Command>]>,
    loads: Arc<[Load]>,
    ids: Arc<AtomicU64>,
}

/// Sessions of one worker, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Load(AtomicU32);

impl Crew {
    /// Starts `workers` threads, which end when the last `Crew` is dropped and their last session is over.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be had.
    pub fn start(
        workers: usize,
        way: RelayWay,
        affinity: CpuAffinity,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (inboxes, outlets): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| mpsc::channel(INBOX)).unzip();
        let crew = Self {
            inboxes: inboxes.into(),
            loads: (0..workers).map(|_| Load::default()).collect(),
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
                loads: Arc::clone(&crew.loads),
                peers: Peers::of(&crew),
                ids: Arc::clone(&crew.ids),
            };
            let thread = std::thread::Builder::new().name(format!("worker-{index}"));
            let home = homes.as_ref().map(|homes| homes[index]);
            threads.push(thread.spawn(move || {
                settle(home);
                set_way(way);
                runtime.block_on(work(outlet, local));
            })?);
        }
        Ok((crew, threads))
    }

    /// How many there are.
    pub fn workers(&self) -> usize {
        self.inboxes.len()
    }

    /// Sessions on all of them.
    pub fn sessions(&self) -> u32 {
        self.loads
            .iter()
            .map(|load| load.0.load(Ordering::Relaxed))
            .sum()
    }

    /// Gives each worker one of `sockets`, which must be as many.
    pub async fn listen(
        &self,
        sockets: Vec<TcpListener>,
        listener: &Arc<Listener>,
        retired: &watch::Receiver<bool>,
    ) {
        for (inbox, socket) in self.inboxes.iter().zip(sockets) {
            let (listener, retired) = (Arc::clone(listener), retired.clone());
            self.tell(
                inbox,
                Command::Listen {
                    socket,
                    listener,
                    retired,
                },
            )
            .await;
        }
    }

    /// Ends sessions on all workers.
    pub async fn cut(&self, who: Who, reason: Reason) {
        for inbox in self.inboxes.iter() {
            self.tell(inbox, Command::Cut { who, reason }).await;
        }
    }

    /// A worker ends only after this crew has.
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

/// A worker's view of itself and of the others.
#[derive(Clone)]
pub(super) struct Local {
    index: usize,
    loads: Arc<[Load]>,
    peers: Peers,
    ids: Arc<AtomicU64>,
}

/// The others' inboxes. Weak, as each worker would keep its own open otherwise.
#[derive(Clone)]
struct Peers(Arc<[mpsc::WeakSender<Command>]>);

impl Peers {
    fn of(crew: &Crew) -> Self {
        Self(crew.inboxes.iter().map(mpsc::Sender::downgrade).collect())
    }
}

impl Local {
    /// Finds a worker for a connection that this one accepted.
    pub(super) fn welcome(&self, stream: TcpStream, peer: SocketAddr, listener: &Arc<Listener>) {
        let counts = self.loads.iter().map(|load| load.0.load(Ordering::Relaxed));
        let chosen = place(self.index, counts);
        if chosen == self.index {
            let counted = Counted::on(&self.loads, self.index);
            return self.serve(stream, peer, Arc::clone(listener), counted);
        }
        match stream.into_std() {
            Ok(stream) => {
                let counted = Counted::on(&self.loads, chosen);
                let listener = Arc::clone(listener);
                self.hand_over(
                    Newcomer {
                        stream,
                        peer,
                        listener,
                        counted,
                    },
                    chosen,
                );
            }
            Err(error) => closed(&error),
        }
    }

    /// To another worker; back to this one when that one's inbox is full or it is ending.
    fn hand_over(&self, newcomer: Newcomer, to: usize) {
        let command = Command::Serve(newcomer);
        let handed = match self.peers.0[to].upgrade() {
            Some(inbox) => inbox
                .try_send(command)
                .map_err(mpsc::error::TrySendError::into_inner),
            None => Err(command),
        };
        if let Err(Command::Serve(mut newcomer)) = handed {
            newcomer.counted = Counted::on(&self.loads, self.index);
            self.take_over(newcomer);
        }
    }

    fn take_over(&self, newcomer: Newcomer) {
        let Newcomer {
            stream,
            peer,
            listener,
            counted,
        } = newcomer;
        match TcpStream::from_std(stream) {
            Ok(stream) => self.serve(stream, peer, listener, counted),
            Err(error) => closed(&error),
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        listener: Arc<Listener>,
        counted: Counted,
    ) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let course = listener.course();
        tokio::spawn(serve(Arrival { stream, peer, id }, course, counted));
    }
}

/// Out of descriptors or memory for the runtime's own books: the one place where a connection is lost unserved.
fn closed(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be watched and was closed");
}

/// The worker with the fewest sessions; `own`, unless another has clearly fewer.
fn place(own: usize, counts: impl Iterator<Item = u32> + Clone) -> usize {
    let mine = counts.clone().nth(own).unwrap_or(0);
    match counts.zip(0..).min() {
        Some((fewest, index)) if mine > fewest + skew(fewest) => index,
        _ => own,
    }
}

/// So many sessions more than the idlest worker's `fewest` are not yet worth the trip: waking another thread costs as
/// much as a third of a short session. Few sessions are heavy ones, and spread evenly; thousands of short ones are not
/// passed around.
fn skew(fewest: u32) -> u32 {
    if fewest < FEW { 0 } else { (fewest / 8).max(2) }
}

/// A worker with fewer sessions may be waiting for work while another has too much.
const FEW: u32 = 4;

/// A session's share in the load of its worker.
struct Counted {
    loads: Arc<[Load]>,
    index: usize,
}

impl Counted {
    fn on(loads: &Arc<[Load]>, index: usize) -> Self {
        loads[index].0.fetch_add(1, Ordering::Relaxed);
        Self {
            loads: Arc::clone(loads),
            index,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.loads[self.index].0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The life of a worker: until the crew is dismissed and the last session is over.
async fn work(mut inbox: mpsc::Receiver<Command>, local: Local) {
    tokio::spawn(tick());
    while let Some(command) = inbox.recv().await {
        match command {
            Command::Listen {
                socket,
                listener,
                retired,
            } => {
                let local = local.clone();
                tokio::spawn(async move {
                    let name = listener.name().clone();
                    if let Err(error) = accept(socket, listener, local, retired).await {
                        tracing::error!(listener = %name, %error, "a socket cannot be watched: no sessions from it");
                    }
                });
            }
            Command::Serve(newcomer) => local.take_over(newcomer),
            Command::Cut { who, reason } => {
                registry::cut(who, reason);
            }
        }
    }
}

/// Keeps a timer always near. tokio wakes itself by a write to the kernel whenever a new timer comes in front of all
/// others, which the deadline of each connect would do; once a second costs less.
async fn tick() {
    loop {
        sleep(TICK).await;
    }
}

/// Shorter than the deadlines that sessions commonly set.
const TICK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Where sessions are when all arrive at the first of three workers.
    fn after(arrivals: u32) -> [u32; 3] {
        let mut counts = [0; 3];
        for _ in 0..arrivals {
            counts[place(0, counts.iter().copied())] += 1;
        }
        counts
    }

    #[test]
    fn few_sessions_are_spread_evenly() {
        assert_eq!(after(1), [1, 0, 0]);
        assert_eq!(after(6), [2, 2, 2]);
        assert_eq!(after(9), [3, 3, 3]);
    }

    #[test]
    fn many_sessions_are_passed_on_only_for_a_clear_difference() {
        assert_eq!(place(0, [10, 8, 8].into_iter()), 0);
        assert_eq!(place(0, [11, 8, 9].into_iter()), 1);
        assert_eq!(place(1, [800, 900, 810].into_iter()), 1);
        assert_eq!(place(1, [800, 901, 810].into_iter()), 0);
    }
}
