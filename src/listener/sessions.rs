//! The sessions of all workers, for whoever asks: who is there, who ended last, and the end of one.
//!
//! A question goes to the inbox of each worker, which answers from its own table while its sessions go on. One question is
//! answered after the other, however many ask. Weak handles: whoever looks keeps no worker alive.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;

use super::inbox::Command;
use crate::session::ended::{Ended, KEPT};
use crate::session::listing::{Filter, Query, Row};
use crate::session::listings::Listings;

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
    pub async fn list(&self, query: Query) -> Result<Listings, Busy> {
        let _turn = self.turn().await?;
        let most = query.most;
        let ask = |reply| Command::List {
            query: query.clone(),
            reply,
        };
        Ok(Listings::of(self.ask(ask).await?, most))
    }

    /// The last thousand that ended and that `filter` means, the newest first.
    ///
    /// # Errors
    /// See [`Busy`].
    pub async fn ended(&self, filter: &Filter) -> Result<Vec<Ended>, Busy> {
        let _turn = self.turn().await?;
        let ask = |reply| Command::Ended {
            filter: filter.clone(),
            reply,
        };
        let mut all: Vec<Ended> = self.ask(ask).await?.into_iter().flatten().collect();
        all.sort_by_key(|ended| std::cmp::Reverse((ended.at, ended.id)));
        all.truncate(KEPT);
        Ok(all)
    }

    /// Ends the session of that number; returns it as it was, if it was there and had not ended.
    ///
    /// # Errors
    /// See [`Busy`]; then it may end yet, if a worker has the order.
    pub async fn end(&self, id: u64) -> Result<Option<Row>, Busy> {
        let filter = Filter {
            id: Some(id),
            ..Filter::default()
        };
        let found = self.list(Query { filter, most: 1 }).await?;
        let Some(found) = found.into_rows().next() else {
            return Ok(None);
        };
        let _turn = self.turn().await?;
        let ended = self.ask(|reply| Command::End { id, reply }).await?;
        Ok(ended.iter().any(|count| *count > 0).then_some(found))
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Busy> {
        let turn = timeout(PATIENCE, self.turn.acquire()).await;
        turn.map_err(|_| Busy)?.map_err(|_| Busy)
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    use crate::session::listing::Listing;

    /// A worker that has one session, and that answers the order to end it so, or not at all.
    fn worker(ended: Option<usize>) -> SessionTable {
        let (sender, mut inbox) = mpsc::channel(1);
        let table = SessionTable::of(std::slice::from_ref(&sender));
        tokio::spawn(async move {
            let (_sender, mut held) = (sender, Vec::new());
            while let Some(command) = inbox.recv().await {
                match command {
                    Command::List { reply, .. } => drop(reply.send(Listing::one(Row::sample(7)))),
                    Command::End { reply, .. } => match ended {
                        Some(count) => drop(reply.send(count)),
                        None => held.push(reply),
                    },
                    _ => {}
                }
            }
        });
        table
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_ended_in_between_was_not_ended_by_the_order() {
        let found = worker(Some(1)).end(7).await.expect("answered");
        assert_eq!(found.map(|row| row.id), Some(7));
        let found = worker(Some(0)).end(7).await.expect("answered");
        assert!(found.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_hangs_is_waited_for_with_patience() {
        let began = Instant::now();
        assert_eq!(worker(None).end(7).await.expect_err("busy"), Busy);
        assert!(began.elapsed() < 2 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_turn_is_waited_for_with_patience() {
        let table = worker(Some(1));
        let _turn = table.turn.acquire().await.expect("open");
        let (filter, began) = (Filter::default(), Instant::now());
        let asked = timeout(10 * PATIENCE, table.ended(&filter)).await;
        assert!(asked.expect("in time").is_err());
        assert!(began.elapsed() < 2 * PATIENCE);
    }
}
