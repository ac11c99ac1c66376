//! Which worker serves a connection, and how it gets there.
//!
//! Whoever accepted a connection compares the workers' sessions and hands it over where another has clearly fewer.
//! It stays with the one that serves it for the whole of its life.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::Listener;
use super::inbox::{Command, Counted, Counts, Newcomer};
use crate::session::{Arrival, serve};

/// A worker's view of itself and of the others.
#[derive(Clone)]
pub(super) struct Local {
    pub(super) index: usize,
    pub(super) counts: Counts,
    /// Sessions over UDP, which stay where the kernel put them: they say nothing about where a connection should go.
    pub(super) datagrams: Counts,
    pub(super) peers: Peers,
    pub(super) ids: Arc<AtomicU64>,
}

/// The others' inboxes. Weak, as each worker would keep its own open otherwise.
#[derive(Clone)]
pub(super) struct Peers(Arc<[mpsc::WeakSender<Command>]>);

impl Peers {
    pub(super) fn of(inboxes: &[mpsc::Sender<Command>]) -> Self {
        Self(inboxes.iter().map(mpsc::Sender::downgrade).collect())
    }
}

impl Local {
    /// Finds a worker for a connection that this one accepted.
    pub(super) fn welcome(&self, stream: TcpStream, peer: SocketAddr, listener: &Arc<Listener>) {
        let chosen = place(self.index, self.counts.each());
        if chosen == self.index {
            let counted = Counted::on(&self.counts, self.index);
            return self.serve(stream, peer, Arc::clone(listener), counted);
        }
        match stream.into_std() {
            Ok(stream) => {
                let counted = Counted::on(&self.counts, chosen);
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
            newcomer.counted = Counted::on(&self.counts, self.index);
            self.take_over(newcomer);
        }
    }

    pub(super) fn take_over(&self, newcomer: Newcomer) {
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
        let config = listener.config();
        tokio::spawn(serve(Arrival { stream, peer, id }, config, counted));
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
