//! The sessions of all workers, for whoever asks: who is there, who ended last, and the end of one.
//!
//! A question goes to the inbox of each worker, which answers from its own table while its sessions go on. One question is
//! answered after the other, however many ask. Weak handles: whoever looks keeps no worker alive.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::inbox::Command;
use crate::session::Reason;
use crate::session::ended::{Ended, KEPT};
use crate::session::listing::{Filter, Listing, Query, Row};
use crate::session::registry::Who;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct SessionTable {
    inboxes: Arc<[mpsc::WeakSender<Command>]>,
    turn: Arc<Semaphore>,
}

/// A worker did not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a worker is too busy to answer: try again in a moment")]
pub struct Busy;

impl SessionTable {
    pub(super) fn of(inboxes: &[mpsc::Sender<Command>]) -> Self {
        Self {
            inboxes: inboxes.iter().map(mpsc::Sender::downgrade).collect(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Of a howdah without workers, for tests.
    pub fn nobody() -> Self {
        Self::of(&[])
    }

    /// Who is there.
    ///
    /// # Errors
    /// See [`Busy`].
    pub async fn list(&self, query: Query) -> Result<Listing, Busy> {
        let _turn = self.turn.acquire().await;
        let most = query.most;
        let ask = |reply| Command::List {
            query: query.clone(),
            reply,
        };
        let mut all = Listing::default();
        for listing in self.ask(ask).await? {
            all.merge(listing, most);
        }
        Ok(all)
    }

    /// The last thousand that ended and that `filter` means, the newest first.
    ///
    /// # Errors
    /// See [`Busy`].
    pub async fn ended(&self, filter: &Filter) -> Result<Vec<Ended>, Busy> {
        let _turn = self.turn.acquire().await;
        let ask = |reply| Command::Ended {
            filter: filter.clone(),
            reply,
        };
        let mut all: Vec<Ended> = self.ask(ask).await?.into_iter().flatten().collect();
        all.sort_by_key(|ended| std::cmp::Reverse((ended.at, ended.id)));
        all.truncate(KEPT);
        Ok(all)
    }

    /// Ends the session of that number; returns it as it was, if it was there.
    ///
    /// # Errors
    /// See [`Busy`]; then nothing was ended.
    pub async fn end(&self, id: u64) -> Result<Option<Row>, Busy> {
        let filter = Filter {
            id: Some(id),
            ..Filter::default()
        };
        let found = self.list(Query { filter, most: 1 }).await?;
        let found = found.into_rows().next();
        if found.is_some() {
            for inbox in self.inboxes.iter().filter_map(mpsc::WeakSender::upgrade) {
                let order = Command::Cut {
                    who: Who::One(id),
                    reason: Reason::EndedByOrder,
                };
                let _ = inbox.send(order).await;
            }
        }
        Ok(found)
    }

    /// What each worker answers; one that has ended has no sessions.
    async fn ask<T>(
        &self,
        command: impl Fn(oneshot::Sender<T>) -> Command,
    ) -> Result<Vec<T>, Busy> {
        let mut answers = Vec::with_capacity(self.inboxes.len());
        for inbox in self.inboxes.iter().filter_map(mpsc::WeakSender::upgrade) {
            let (reply, answer) = oneshot::channel();
            let sent = timeout(PATIENCE, inbox.send(command(reply))).await;
            sent.map_err(|_| Busy)?.ok();
            answers.push(answer);
        }
        let mut all = Vec::with_capacity(answers.len());
        for answer in answers {
            all.extend(timeout(PATIENCE, answer).await.map_err(|_| Busy)?.ok());
        }
        Ok(all)
    }
}

/// A worker answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
