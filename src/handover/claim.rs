//! The new one's side: asks for what the old one listens on, and says when it serves.

use std::os::unix::net::UnixStream;
use std::path::Path;

use super::PATIENCE;
use super::inherited::Inherited;
use super::link::{Link, LinkError, unexpected};
use super::message::{Message, Wants, Welcome};

/// What the old one gave.
#[derive(Debug)]
pub struct Claim {
    link: Link,
    /// Who it is.
    pub welcome: Welcome,
    /// What its pools remember.
    pub memory: Option<Vec<u8>>,
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
    let mut link = Link::of(stream)?;
    link.send(&Message::hello(Wants::Takeover), &[], PATIENCE)
        .await?;
    let welcome = match link.receive(PATIENCE).await?.0 {
        Message::Welcome(welcome) => welcome,
        other => return Err(unexpected(&other)),
    };
    let mut inherited = Inherited::default();
    let memory = loop {
        match link.receive(PATIENCE).await? {
            (Message::Sockets { sockets }, rights) => inherited.extend(sockets, rights)?,
            (Message::Complete { memory: false }, _) => break None,
            (Message::Complete { memory: true }, _) => {
                break Some(link.receive_bytes(PATIENCE).await?);
            }
            (other, _) => return Err(unexpected(&other)),
        }
    };
    let claim = Claim {
        link,
        welcome,
        memory,
    };
    Ok((claim, inherited))
}

impl Claim {
    /// Says that `kept` is served, and hears that the old one drains. `path` is the control socket's, where the old one
    /// answers if it still means to go on.
    pub async fn serving(mut self, kept: Vec<usize>, path: &Path) -> Confirmed {
        let answered = async {
            let serving = Message::Serving { kept };
            self.link.send(&serving, &[], PATIENCE).await?;
            match self.link.receive(PATIENCE).await?.0 {
                Message::Draining { memory: false } => Ok(None),
                // It drains, whatever comes of the rest.
                Message::Draining { memory: true } => {
                    Ok(self.link.receive_bytes(PATIENCE).await.ok())
                }
                other => Err(unexpected(&other)),
            }
        };
        match answered.await {
            Ok(memory) => Confirmed::Yielded(Yielded {
                link: self.link,
                memory,
            }),
            Err(error @ LinkError::Silent(_)) => Confirmed::Alone(error),
            Err(error) => match UnixStream::connect(path) {
                Ok(_) => Confirmed::GoesOn(error),
                Err(_) => Confirmed::Alone(error),
            },
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
