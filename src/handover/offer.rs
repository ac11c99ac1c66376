//! The old one's side: offers what it listens on, waits for `serving`, and until then has changed nothing.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::PATIENCE;
use super::door::Successor;
use super::link::{BATCH, Link, LinkError, unexpected};
use super::message::{Described, Hello, Membership, Message, Welcome};
use crate::plan::Secret;

/// What a howdah gives away.
#[derive(Debug, Default)]
pub struct Offer {
    /// Each with a descriptor of its own.
    pub sockets: Vec<(Described, OwnedFd)>,
    /// What its pools remember, for whoever can read it.
    pub memory: Option<Vec<u8>>,
    /// What it is in a cluster.
    pub cluster: Option<Membership>,
}

/// A successor that serves. The old one stops accepting, then says so by [`Accepted::draining`].
#[derive(Debug)]
pub struct Accepted {
    link: Link,
    /// Who it is.
    pub hello: Hello,
    /// The sockets that it serves, by their place in the offer.
    pub kept: Vec<usize>,
    /// It goes on with our session with ZooKeeper.
    pub session: bool,
}

/// What is given away with the last word.
#[derive(Debug, Default)]
pub struct Last {
    /// What pools remember by now.
    pub memory: Option<Vec<u8>>,
    /// The session with ZooKeeper, for whoever asked for it.
    pub session: Option<Secret>,
}

/// Offers it all, and waits for the word that it is served, at most `preparation`.
///
/// # Errors
/// See [`LinkError`]: nothing has changed.
pub async fn offer(
    successor: Successor,
    welcome: Welcome,
    offer: Offer,
    preparation: Duration,
) -> Result<Accepted, LinkError> {
    let Successor { mut link, hello } = successor;
    link.send(&Message::Welcome(welcome), &[], PATIENCE).await?;
    for batch in offer.sockets.chunks(BATCH) {
        let sockets = batch.iter().map(|(described, _)| described.clone());
        let message = Message::Sockets {
            sockets: sockets.collect(),
        };
        let rights: Vec<_> = batch.iter().map(|(_, socket)| socket.as_fd()).collect();
        link.send(&message, &rights, PATIENCE).await?;
    }
    let memory = offer.memory.as_deref();
    let complete = Message::Complete {
        memory: memory.is_some(),
        cluster: offer.cluster,
    };
    link.send(&complete, &[], PATIENCE).await?;
    if let Some(memory) = memory {
        link.send_bytes(memory, PATIENCE).await?;
    }
    match link.receive(preparation).await?.0 {
        Message::Serving { kept, session }
            if kept.iter().all(|place| *place < offer.sockets.len()) =>
        {
            Ok(Accepted {
                link,
                hello,
                kept,
                session,
            })
        }
        Message::Failed { why } => Err(LinkError::Refused(why)),
        other => Err(unexpected(&other)),
    }
}

/// Says that it cannot be now.
pub async fn refuse(mut successor: Successor, why: &str) {
    let why = why.to_owned();
    // Who asked may have gone.
    let refused = Message::Refused { why };
    let _ = successor.link.send(&refused, &[], PATIENCE).await;
}

impl Accepted {
    /// Tells that nothing is accepted any more, and gives the last; waits until the successor has the control socket's path.
    ///
    /// # Errors
    /// See [`LinkError`]: the successor serves all the same.
    pub async fn draining(mut self, last: &Last) -> Result<(), LinkError> {
        let session = last.session.as_ref().filter(|_| self.session);
        let draining = Message::Draining {
            memory: last.memory.is_some(),
            session: session.is_some(),
        };
        self.link.send(&draining, &[], PATIENCE).await?;
        if let Some(session) = session {
            let bytes = session.expose().as_bytes();
            self.link.send_bytes(bytes, PATIENCE).await?;
        }
        if let Some(memory) = &last.memory {
            self.link.send_bytes(memory, PATIENCE).await?;
        }
        match self.link.receive(PATIENCE).await?.0 {
            Message::Settled => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}
