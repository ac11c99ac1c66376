//! The history on disk: a thread that alone touches it, and the queue to that thread.
//!
//! Whoever has a mark to hand over and finds the queue full keeps it, and hands over more the next time. So a disk that hangs
//! holds this thread, and nothing else.

mod codec;
mod keep;
#[cfg(test)]
mod memory;
mod message;
mod open;
mod pending;
mod recent;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::mpsc::{self, Permit};
use tokio::sync::oneshot;

pub(crate) use self::keep::Keep;
#[cfg(test)]
pub(crate) use self::memory::Memory;
pub(crate) use self::message::{Found, Message, Past, Query, Recent};
use self::writer::Writer;
use crate::telemetry::Metrics;

/// The queue to the thread.
pub(crate) struct Store {
    messages: mpsc::Sender<Message>,
    recent: Arc<ArcSwap<Recent>>,
    keep: Keep,
}

impl Store {
    /// Starts the thread, which opens the file; without a file it keeps all in memory. Where there is a `gate`, another howdah
    /// has the file until it opens; one that never opens ends the thread.
    pub(crate) fn start(
        file: Option<PathBuf>,
        metrics: &Metrics,
        gate: Option<oneshot::Receiver<()>>,
    ) -> std::io::Result<Self> {
        let (messages, queue) = mpsc::channel(QUEUE);
        let recent = Arc::new(ArcSwap::default());
        let keep = match file {
            Some(_) => Keep::ON_DISK,
            None => Keep::IN_MEMORY,
        };
        let (shown, failures) = (Arc::clone(&recent), metrics.history_failures());
        let thread = thread::Builder::new().name("history".into());
        thread.spawn(move || {
            let _ = rustix::process::nice(LOWER);
            if gate.is_some_and(|gate| gate.blocking_recv().is_err()) {
                return;
            }
            Writer::new(file, keep, shown, failures).run(queue);
        })?;
        Ok(Self {
            messages,
            recent,
            keep,
        })
    }

    /// What is kept for how long.
    pub(crate) fn keep(&self) -> Keep {
        self.keep
    }

    /// How the last days went, as of the last mark.
    pub(crate) fn recent(&self) -> Guard<Arc<Recent>> {
        self.recent.load()
    }

    /// A place in the queue as soon as there is one; `None`: the thread has ended.
    pub(crate) async fn reserve(&self) -> Option<Permit<'_, Message>> {
        self.messages.reserve().await.ok()
    }

    /// A place in the queue, if there is one.
    pub(crate) fn try_reserve(&self) -> Option<Permit<'_, Message>> {
        self.messages.try_reserve().ok()
    }
}

/// A mark each half minute, and a few who ask.
const QUEUE: usize = 16;
/// Added to the niceness of the thread.
const LOWER: i32 = 5;
