//! What the thread of the history does: marks are added up and written, questions are answered.
//!
//! A write that fails is counted, said once, and tried again with the next mark, which brings more. The file is opened
//! anew for that, as a disk may have been full and is not any more. Until then answers lack what is in the file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus::IntCounter;
use tokio::sync::mpsc;

use super::keep::Keep;
use super::message::{self, Found, Message, Past, Query};
use super::open::open;
use super::pending::Pending;
use super::recent::Recent;
use super::rows::Rows;
use crate::availability::model::Batch;

/// See the module.
pub(super) struct Writer {
    /// `None` is memory.
    file: Option<PathBuf>,
    /// `None` after a failure, until it is opened again.
    rows: Option<Rows>,
    pending: Pending,
    recent: Recent,
    shown: Arc<ArcSwap<message::Recent>>,
    keep: Keep,
    failures: IntCounter,
    failing: bool,
}

impl Writer {
    /// Opens the file.
    pub(super) fn new(
        file: Option<PathBuf>,
        keep: Keep,
        shown: Arc<ArcSwap<message::Recent>>,
        failures: IntCounter,
    ) -> Self {
        let opened = file.as_deref().and_then(open);
        Self {
            file: file.filter(|_| opened.is_some()),
            rows: opened.or_else(|| Rows::in_memory().ok()),
            pending: Pending::default(),
            recent: Recent::default(),
            shown,
            keep,
            failures,
            failing: false,
        }
    }

    /// Until nobody can ask any more, or the last word was written.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        while let Some(message) = queue.blocking_recv() {
            match message {
                Message::Past { reply } => {
                    let past = self.try_rows(|rows| {
                        Ok(Past {
                            former: rows.former()?,
                            events: rows.events()?,
                            lines: rows.lines()?,
                        })
                    });
                    let _ = reply.send(past.unwrap_or_default());
                }
                Message::Mark(batch) => self.mark(batch, false),
                Message::Ask {
                    query,
                    batch,
                    reply,
                } => {
                    self.add(batch);
                    let _ = reply.send(self.find(&query));
                }
                Message::Close { batch, reply } => {
                    self.mark(batch, true);
                    // Closed before the process says that it has ended: the next one may wait for the file.
                    self.rows = None;
                    let _ = reply.send(());
                    return;
                }
            }
        }
    }

    pub(super) fn add(&mut self, batch: Batch) {
        self.recent.add(&batch, self.rows.as_ref());
        self.pending.add(batch);
    }

    pub(super) fn mark(&mut self, batch: Batch, clean: bool) {
        self.add(batch);
        if self.rows.is_none() {
            self.rows = self.file.as_deref().and_then(open);
        }
        let (pending, keep) = (&self.pending, self.keep);
        let written = attempt(self.rows.as_ref(), |rows| rows.write(pending, clean, keep));
        match written {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the history is written again");
                }
                self.pending = Pending::default();
            }
            Err(why) => self.fail(&why),
        }
        self.shown.store(Arc::new(self.recent.sums().clone()));
    }

    pub(super) fn fail(&mut self, why: &str) {
        self.failures.inc();
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(
                why,
                "the history cannot be written: it waits in memory, and is tried again"
            );
        }
        // A failed write leaves the file as it was before, and the crate unwilling to go on without opening it again.
        if self.file.is_some() {
            self.rows = None;
        }
    }

    pub(super) fn find(&mut self, query: &Query) -> Vec<Found> {
        let find = |target| {
            let read = attempt(self.rows.as_ref(), |rows| rows.find(query, target));
            let mut found = read.unwrap_or_else(|_| Found {
                target: target.clone(),
                periods: Vec::new(),
                outages: Vec::new(),
            });
            self.pending.complete(query, &mut found);
            found
        };
        query.targets.iter().map(find).collect()
    }

    pub(super) fn try_rows<T>(
        &self,
        ask: impl FnOnce(&Rows) -> Result<T, redb::Error>,
    ) -> Option<T> {
        match attempt(self.rows.as_ref(), ask) {
            Ok(answer) => Some(answer),
            Err(why) => {
                tracing::warn!(why, "the history cannot be read");
                None
            }
        }
    }
}

/// A fault of the crate, or of ours, costs figures, and not the thread.
fn attempt<T>(
    rows: Option<&Rows>,
    ask: impl FnOnce(&Rows) -> Result<T, redb::Error>,
) -> Result<T, String> {
    let rows = rows.ok_or("its file cannot be opened")?;
    match catch_unwind(AssertUnwindSafe(|| ask(rows))) {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked: report this".to_owned()),
    }
}

#[cfg(test)]
impl Writer {
    pub(super) fn failures(&self) -> u64 {
        self.failures.get()
    }
}
