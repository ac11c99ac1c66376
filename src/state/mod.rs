//! The state file: what pools remember, kept on disk for the howdah that follows.
//!
//! It is read once, at the start, and what can be read is given to the pools as they are made. From then on a thread of its
//! own writes it: at once when somebody gives an order, some seconds after anything else has changed, and at the end of a
//! stop. No session and no other thread waits for the disk, and a disk that is full, gone or closed to this user costs
//! nothing but the memory: it is said once, shown in the status, and tried again.
//!
//! Whatever is in the file, and wherever it lies, howdah starts. What it cannot read is set aside under another name; a folder
//! that is missing is made, if it can be.
//!
//! A howdah that hands over to its successor sends [`encode`] of [`gather`]: the bytes of the file, and [`decode`] reads them.
//! The successor's generation is the larger one; as soon as its file is there, the former howdah writes no more.

mod advice;
mod disk;
mod folder;
mod format;
mod gather;
mod shown;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

pub use self::folder::make_folder;
pub use self::format::{Damage, Memory, decode, encode};
pub use self::gather::gather;
pub use self::shown::{Shown, StateView};
pub use self::writer::bounded;
use self::writer::{Wanted, Writer};
use crate::base::time::millis;
use crate::pool::Pool;
use crate::telemetry::Metrics;
use crate::telemetry::journal::{Event, Kind};

/// The file, for as long as howdah runs. Without a path it does nothing.
pub struct StateFile {
    wanted: watch::Sender<Wanted>,
    closes: mpsc::Sender<oneshot::Sender<()>>,
    shown: StateView,
}

impl StateFile {
    /// Reads what a former howdah left, and starts the thread. Never fails: what goes wrong is said.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn open(file: Option<&Path>, metrics: &Metrics) -> std::io::Result<(Self, Option<Memory>)> {
        let shown = StateView::default();
        shown.change(|shown| shown.file = file.map(Path::to_owned));
        let memory = file.and_then(|file| read(file, &shown, metrics));
        let former = memory.as_ref().map_or(0, |memory| memory.generation);
        let generation = millis(SystemTime::now()).max(former.saturating_add(1));
        let (wanted, follows) = watch::channel(Wanted::default());
        let (closes, closing) = mpsc::channel(1);
        let writer = Writer::new(generation, shown.clone(), metrics);
        let thread = std::thread::Builder::new().name("state".into());
        thread.spawn(move || writer.run(follows, closing))?;
        let state = Self {
            wanted,
            closes,
            shown,
        };
        Ok((state, memory))
    }

    /// These pools are to be remembered from now on, there. Another path is written at once; the old file stays as it is.
    pub fn follow(&self, file: Option<&Path>, pools: &[Arc<Pool>]) {
        self.wanted.send_replace(Wanted {
            file: file.map(Path::to_owned),
            pools: pools.to_vec(),
        });
    }

    /// For the status.
    pub fn view(&self) -> StateView {
        self.shown.clone()
    }

    /// Writes for the last time what has changed. Waits so long at most.
    pub async fn close(&self, patience: Duration) {
        let (reply, written) = oneshot::channel();
        if self.closes.send(reply).await.is_ok() && timeout(patience, written).await.is_err() {
            tracing::warn!("the state file was not written in time");
        }
    }
}

fn read(file: &Path, shown: &StateView, metrics: &Metrics) -> Option<Memory> {
    match disk::load(file) {
        Ok(None) => None,
        Ok(Some(memory)) => {
            let (pid, version) = (memory.pid, memory.howdah.as_str());
            let age = memory.age(SystemTime::now()).as_secs();
            tracing::info!(file = %file.display(), pid, version, age_seconds = age, "state file read");
            Some(memory)
        }
        Err(why) => {
            let why = why.to_string();
            let path = file.display();
            tracing::warn!(file = %path, why, "{UNREAD}");
            let event = Event::warning(Kind::State, format!("{UNREAD}: {path} {why}"));
            metrics.journal().tell(event);
            metrics.state().unread();
            shown.change(|shown| shown.unread = Some(why.clone()));
            None
        }
    }
}

const UNREAD: &str = "what a former howdah remembered cannot be read, howdah starts without it";
