//! What a howdah brings from elsewhere when it starts, its control socket, and a takeover from it that is under way.

use rustix::process::getuid;
use tokio::sync::{mpsc, oneshot};

use super::signal::Signal;
use crate::handover::door::{Caller, Door, Open, Successor};
use crate::handover::inherited::Inherited;
use crate::handover::link::LinkError;
use crate::handover::manager::Manager;
use crate::handover::message::{Membership, Order};
use crate::handover::offer::{self, Accepted};
use crate::handover::report::Outlived;
use crate::telemetry::{HandoverResult, Metrics};

/// What a howdah brings from elsewhere.
#[derive(Debug)]
pub struct Heritage {
    /// Sockets of a predecessor, or of the service manager.
    pub inherited: Inherited,
    /// The control socket, where it could be bound.
    pub door: Option<Door>,
    /// Who watches this process.
    pub manager: Manager,
    /// Who started it, before it became another.
    pub user: u32,
    /// A predecessor has the history's file, and the admin address, until this one serves.
    pub is_successor: bool,
    /// What a predecessor's pools remember.
    pub memory: Option<Vec<u8>>,
    /// What a predecessor is in a cluster.
    pub cluster: Option<Membership>,
}

/// The control socket of a howdah that runs.
pub(super) struct Control {
    pub(super) door: Option<Door>,
    pub(super) open: Option<Open>,
    pub(super) user: u32,
    pub(super) callers: mpsc::Sender<Caller>,
    pub(super) heard: Option<mpsc::Receiver<Caller>>,
}

/// A takeover that is under way.
pub(super) struct Giving {
    answer: oneshot::Receiver<Result<Accepted, LinkError>>,
    pid: u32,
}

impl Default for Heritage {
    fn default() -> Self {
        Self {
            inherited: Inherited::default(),
            door: None,
            manager: Manager::default(),
            user: getuid().as_raw(),
            is_successor: false,
            memory: None,
            cluster: None,
        }
    }
}

impl Control {
    pub(super) fn new(door: Option<Door>, user: u32) -> Self {
        let (callers, heard) = mpsc::channel(CALLERS);
        Self {
            door,
            open: None,
            user,
            callers,
            heard: Some(heard),
        }
    }
}

impl Giving {
    pub(super) fn new(answer: oneshot::Receiver<Result<Accepted, LinkError>>, pid: u32) -> Self {
        Self { answer, pid }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }
}

/// How a howdah ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it was told to.
    Stopped,
    /// A successor serves, and the last session of this one is over.
    Yielded,
    /// It was process 1, and outlived its successors.
    Outlived(Outlived),
}

/// What a takeover says; never, while none is under way. Cancel-safe.
pub(super) async fn answer_of(giving: &mut Option<Giving>) -> Result<Accepted, LinkError> {
    match giving {
        Some(giving) => (&mut giving.answer).await.unwrap_or(Err(LinkError::Gone)),
        None => std::future::pending().await,
    }
}

/// Nobody can take over from a howdah that stops: its addresses close.
pub(super) fn refuse_all(mut successors: mpsc::Receiver<Successor>, metrics: Metrics) {
    tokio::spawn(async move {
        while let Some(successor) = successors.recv().await {
            metrics.handed_over(HandoverResult::Refused);
            offer::refuse(successor, "it stops").await;
        }
    });
}

impl From<Order> for Signal {
    fn from(order: Order) -> Self {
        match order {
            Order::Stop => Self::Stop,
            Order::Reload => Self::Reload,
            Order::Reopen => Self::Reopen,
        }
    }
}

/// Tells this program from another that is on the disk by now; empty where that is not to be had.
pub fn program() -> String {
    use std::os::unix::fs::MetadataExt;
    // The link leads to the file that runs, also when another has its name by now.
    let about = std::fs::metadata("/proc/self/exe");
    about.map_or_else(
        |_| String::new(),
        |about| {
            format!(
                "{}-{}-{}-{}",
                about.dev(),
                about.ino(),
                about.size(),
                about.mtime()
            )
        },
    )
}

/// That wait for the control thread.
pub(super) const CALLERS: usize = 16;
