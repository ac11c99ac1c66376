//! The reloads that were asked for: who asked, what is being read, who will hear of it.

use std::path::PathBuf;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::error::ReloadError;
use crate::admin::{Rejected, Reloaded};
use crate::config::{self, Loaded};

/// Where the answer to a request for a reload goes.
pub(super) type Reply = oneshot::Sender<Result<Reloaded, Rejected>>;

/// The reloads that were asked for.
#[derive(Default)]
pub(super) struct Reloads {
    /// Somebody asked since the last one began.
    due: bool,
    /// Those who want to hear of the next one.
    asked: Vec<Reply>,
    /// Who wants the next one.
    wanted_by: Vec<String>,
    /// The file is being read.
    reading: Option<JoinHandle<Result<Loaded, config::Report>>>,
    /// Those who will hear of the one that runs.
    told: Vec<Reply>,
    /// Who wanted the one that runs.
    by: Vec<String>,
    /// Committed; some listeners may still wait.
    done: Option<Reloaded>,
}

impl Reloads {
    /// One is wanted, by somebody who waits for the answer or by a signal.
    pub(super) fn ask(&mut self, by: &str, reply: Option<Reply>) {
        self.due = true;
        self.asked.extend(reply);
        if !self.wanted_by.iter().any(|other| other == by) {
            self.wanted_by.push(by.to_owned());
        }
    }

    /// Who wanted the one that runs.
    pub(super) fn by(&self) -> String {
        self.by.join(", ")
    }

    /// Whether one may begin: somebody asked, and no other is on its way. Who asked will hear of this one.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.due && self.reading.is_none();
        if due {
            self.due = false;
            self.told = std::mem::take(&mut self.asked);
            self.by = std::mem::take(&mut self.wanted_by);
        }
        due
    }

    /// Whether one was asked for, is being read, or is not complete.
    pub(super) fn is_under_way(&self) -> bool {
        self.due || self.reading.is_some() || self.done.is_some()
    }

    /// Reads the file, on a thread of its own, as disk may be slow.
    pub(super) fn begin(&mut self, path: PathBuf) {
        self.reading = Some(tokio::task::spawn_blocking(move || config::load(&path)));
    }

    /// The file that is being read; never, while none is. Cancel-safe.
    pub(super) async fn read(&mut self) -> Result<Loaded, ReloadError> {
        let Some(reading) = &mut self.reading else {
            return std::future::pending().await;
        };
        let read = reading.await;
        self.reading = None;
        match read {
            Ok(loaded) => loaded.map_err(ReloadError::Faulty),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// The new plan is in force, but for listeners that wait.
    pub(super) fn committed(&mut self, done: Reloaded) {
        self.done = Some(done);
    }

    /// Nothing has changed.
    pub(super) fn refused(&mut self, why: &Rejected) {
        self.tell(&Err(why.clone()));
    }

    /// Every listener follows the new plan. True when that ends a reload.
    pub(super) fn complete(&mut self) -> bool {
        let done = self.done.take();
        let ends = done.is_some();
        if let Some(done) = done {
            self.tell(&Ok(done));
        }
        ends
    }

    /// Who asked may have gone; the log has it.
    fn tell(&mut self, answer: &Result<Reloaded, Rejected>) {
        for reply in self.told.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }
}
