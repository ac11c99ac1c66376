//! The new one's side: asks for what the old one listens on, and says when it serves.

use std::os::unix::net::UnixStream;
use std::path::Path;

use tokio::time::Instant;

use super::PATIENCE;
use super::inherited::Inherited;
use super::link::{Link, LinkError, unexpected};
use super::message::{Membership, Message, Wants, Welcome};
use crate::plan::Secret;

/// What the old one gave.
#[derive(Debug)]
pub struct Claim {
    link: Link,
    /// When it was asked.
    pub since: Instant,
    /// Who it is.
    pub welcome: Welcome,
    /// What its pools remember.
    pub memory: Option<Vec<u8>>,
    /// What it is in a cluster.
    pub cluster: Option<Membership>,
}

/// What became of a claim.
#[derive(Debug)]
pub enum Confirmed {
    /// The old one drains, and waits for [`Yielded::settled`].
    Yielded(Yielded),
    /// It has died, or does not answer: nobody else is there.
    Alone(LinkError),
    /// It goes on, and so this one must not.
    GoesOn(LinkError),
}

/// The old one drains.
#[derive(Debug)]
pub struct Yielded {
    link: Link,
    /// What its pools remember by now.
    pub memory: Option<Vec<u8>>,
    /// Its session with ZooKeeper, where that was asked for.
    pub session: Option<Session>,
}

/// The old one's session with ZooKeeper.
#[derive(Debug)]
pub struct Session {
    /// As it was sent.
    pub bytes: Secret,
    /// What it says of time counts from here: before it can have been written.
    pub asked: Instant,
}

/// Who answers there.
///
/// # Errors
/// See [`LinkError`].
pub async fn look(stream: UnixStream) -> Result<Welcome, LinkError> {
    let mut link = Link::of(stream)?;
    link.send(&Message::hello(Wants::Look), &[], PATIENCE)
        .await?;
    match link.receive(PATIENCE).await?.0 {
        Message::Welcome(welcome) => Ok(welcome),
        other => Err(unexpected(&other)),
    }
}

/// Asks whoever is at the other end for everything.
///
/// # Errors
/// See [`LinkError`]; then the old one goes on.
pub async fn claim(stream: UnixStream) -> Result<(Claim, Inherited), LinkError> {
    let since = Instant::now();
    let mut link = Link::of(stream)?;
    link.send(&Message::hello(Wants::Takeover), &[], PATIENCE)
        .await?;
    let welcome = match link.receive(PATIENCE).await?.0 {
        Message::Welcome(welcome) => welcome,
        other => return Err(unexpected(&other)),
    };
    let mut inherited = Inherited::default();
    let (memory, cluster) = loop {
        match link.receive(PATIENCE).await? {
            (Message::Sockets { sockets }, rights) => inherited.extend(sockets, rights)?,
            (Message::Complete { memory, cluster }, _) => {
                let memory = match memory {
                    true => Some(link.receive_bytes(PATIENCE).await?),
                    false => None,
                };
                break (memory, cluster);
            }
            (other, _) => return Err(unexpected(&other)),
        }
    };
    let claim = Claim {
        link,
        since,
        welcome,
        memory,
        cluster,
    };
    Ok((claim, inherited))
}

impl Claim {
    /// Says that `kept` is served, asks for the old one's `session` with ZooKeeper where that is wanted, and hears that the old
    /// one drains. `path` is the control socket's, where the old one answers if it still means to go on.
    pub async fn serving(mut self, kept: Vec<usize>, session: bool, path: &Path) -> Confirmed {
        let asked = Instant::now();
        let answered = async {
            let serving = Message::Serving { kept, session };
            self.link.send(&serving, &[], PATIENCE).await?;
            match self.link.receive(PATIENCE).await?.0 {
                Message::Draining { memory, session } => Ok((memory, session)),
                other => Err(unexpected(&other)),
            }
        };
        match answered.await {
            Ok((memory, session)) => {
                // It drains, whatever comes of the rest.
                let session = self.last(session).await;
                let memory = self.last(memory).await;
                let session = session.and_then(|bytes| String::from_utf8(bytes).ok());
                let bytes = session.map(|text| Secret::new(&text));
                Confirmed::Yielded(Yielded {
                    link: self.link,
                    memory,
                    session: bytes.map(|bytes| Session { bytes, asked }),
                })
            }
            Err(error @ LinkError::Silent(_)) => Confirmed::Alone(error),
            Err(error) => match UnixStream::connect(path) {
                Ok(_) => Confirmed::GoesOn(error),
                Err(_) => Confirmed::Alone(error),
            },
        }
    }

    async fn last(&mut self, comes: bool) -> Option<Vec<u8>> {
        match comes {
            true => self.link.receive_bytes(PATIENCE).await.ok(),
            false => None,
        }
    }

    /// Gives up; the old one goes on.
    pub async fn failed(mut self, why: &str) {
        let why = why.to_owned();
        let failed = Message::Failed { why };
        // Its end says the same, only less.
        let _ = self.link.send(&failed, &[], PATIENCE).await;
    }
}

impl Yielded {
    /// The control socket's path is ours, and the service manager knows.
    pub async fn settled(mut self) {
        // The old one waits no longer than it has to.
        let _ = self.link.send(&Message::Settled, &[], PATIENCE).await;
    }
}
