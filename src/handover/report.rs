//! What a predecessor does beside its last sessions: it tells whoever has the control socket's path what is left, and hears
//! that it should hurry.

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep};

use super::PATIENCE;
use super::link::{Link, LinkError, unexpected};
use super::message::{Message, Order, Wants};
use super::predecessors::Left;

/// See the module.
pub struct Reporter {
    path: PathBuf,
    left: watch::Receiver<Left>,
    /// Signals that a process 1 passes on.
    orders: mpsc::Receiver<Order>,
    stopped: bool,
}

/// How the last successor of a process 1 ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlived {
    /// It had been told to.
    Stopped,
    /// Nobody has the control socket, and nobody said why.
    Lost,
}

impl Reporter {
    /// Tells those at `path` what `left` holds, and passes on `orders`.
    pub fn new(path: PathBuf, left: watch::Receiver<Left>, orders: mpsc::Receiver<Order>) -> Self {
        Self {
            path,
            left,
            orders,
            stopped: false,
        }
    }

    /// Tells once a second, and whenever it changes; completes when the successor says that there is no time left. Connects
    /// anew when the successor is another one by now.
    pub async fn hurried(&mut self) {
        loop {
            match self.tell().await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%error, "the successor does not listen"),
            }
            sleep(AGAIN).await;
        }
    }

    /// As process 1, which has nothing left: stays until no successor answers any more.
    pub async fn outlive(mut self) -> Outlived {
        let mut lost: Option<Instant> = None;
        loop {
            if let Err(error) = self.tell().await {
                tracing::debug!(%error, "no successor answers");
            }
            if UnixStream::connect(&self.path).await.is_ok() {
                lost = None;
            } else if self.stopped {
                return Outlived::Stopped;
            } else if lost.get_or_insert_with(Instant::now).elapsed() > ALONE {
                return Outlived::Lost;
            }
            sleep(AGAIN).await;
        }
    }

    async fn tell(&mut self) -> Result<(), LinkError> {
        let mut link = Link::watched(UnixStream::connect(&self.path).await?);
        link.send(&Message::hello(Wants::Report), &[], PATIENCE)
            .await?;
        match link.receive(PATIENCE).await?.0 {
            Message::Welcome(_) => {}
            other => return Err(unexpected(&other)),
        }
        let mut seconds = interval(EACH);
        loop {
            let said = tokio::select! {
                _ = seconds.tick() => Message::Left(self.left.borrow_and_update().clone()),
                Ok(()) = self.left.changed() => Message::Left(self.left.borrow_and_update().clone()),
                Some(order) = self.orders.recv() => {
                    self.stopped |= order == Order::Stop;
                    Message::Order { order }
                }
                heard = link.receive(FOREVER) => match heard?.0 {
                    // A process 1 that has nothing left hears it too.
                    Message::Hurry if self.left.borrow().stays => continue,
                    Message::Hurry => return Ok(()),
                    other => return Err(unexpected(&other)),
                },
            };
            link.send(&said, &[], PATIENCE).await?;
        }
    }
}

/// Between two reports.
const EACH: Duration = Duration::from_secs(1);
/// Between two attempts to reach the successor.
const AGAIN: Duration = Duration::from_millis(250);
/// A successor of the successor may be on its way.
const ALONE: Duration = Duration::from_secs(3);
/// Longer than any session.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
