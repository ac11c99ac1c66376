//! The old one's side: offers what it listens on, waits for `serving`, and until then has changed nothing.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::PATIENCE;
use super::door::Successor;
use super::link::{BATCH, Link, LinkError, unexpected};
use super::message::{Described, Hello, Message, Welcome};

/// What a howdah gives away.
#[derive(Debug, Default)]
pub struct Offer {
    /// Each with a descriptor of its own.
    pub sockets: Vec<(Described, OwnedFd)>,
    /// What its pools remember, for whoever can read it.
    pub memory: Option<Vec<u8>>,
}

/// A successor that serves. The old one stops accepting, then says so by [`Accepted::draining`].
#[derive(Debug)]
pub struct Accepted {
    link: Link,
    /// Who it is.
    pub hello: Hello,
    /// The sockets that it serves, by their place in the offer.
    pub kept: Vec<usize>,
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
    };
    link.send(&complete, &[], PATIENCE).await?;
    if let Some(memory) = memory {
        link.send_bytes(memory, PATIENCE).await?;
    }
    match link.receive(preparation).await?.0 {
        Message::Serving { kept } if kept.iter().all(|place| *place < offer.sockets.len()) => {
            Ok(Accepted { link, hello, kept })
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
    /// Tells that nothing is accepted any more, and what pools remember by now; waits until the successor has the control
    /// socket's path.
    ///
    /// # Errors
    /// See [`LinkError`]: the successor serves all the same.
    pub async fn draining(mut self, memory: Option<&[u8]>) -> Result<(), LinkError> {
        let draining = Message::Draining {
            memory: memory.is_some(),
        };
        self.link.send(&draining, &[], PATIENCE).await?;
        if let Some(memory) = memory {
            self.link.send_bytes(memory, PATIENCE).await?;
        }
        match self.link.receive(PATIENCE).await?.0 {
            Message::Settled => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}
