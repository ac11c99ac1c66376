//! The control socket: bound before the process locks itself in, served after, removed at the end if it is still ours.
//!
//! A howdah that takes over binds beside the old one's socket, and renames over it when the old one has stopped accepting: the
//! path leads to one of the two at every moment.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener as Listening, UnixStream as Stream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, fchmod};
use rustix::process::{geteuid, getuid};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::link::{Link, LinkError, unexpected};
use super::message::{Hello, Message, Order, Wants, Welcome};
use super::predecessors::Predecessors;
use super::{PATIENCE, PROTOCOL};

/// Bound; nobody is answered before [`Door::open`].
#[derive(Debug)]
pub struct Door {
    listener: Listening,
    place: Place,
}

/// A file of ours in the file system.
#[derive(Debug)]
struct Place {
    /// Where everybody looks.
    path: PathBuf,
    /// Where it is now.
    at: PathBuf,
    inode: (u64, u64),
}

/// The door of a howdah that runs; its drop closes it, and removes what is still ours.
#[derive(Debug)]
pub struct Open {
    place: Place,
    task: tokio::task::AbortHandle,
}

/// What comes through the door.
#[derive(Debug)]
pub enum Caller {
    /// Somebody wants to take over: it was welcomed.
    Successor(Successor),
    /// A process 1 that was here before passes on a signal.
    Order(Order),
}

/// Who wants to take over.
#[derive(Debug)]
pub struct Successor {
    /// To it.
    pub link: Link,
    /// Who it is.
    pub hello: Hello,
}

impl Door {
    /// Binds at `path`, unless somebody answers there; `beside`: under another name there, until [`Open::take_the_path`].
    /// Whoever this process is must be who it stays, as the folder is that user's.
    ///
    /// # Errors
    /// `AddrInUse` when another howdah answers there; what the system says.
    pub fn bind(path: &Path, beside: bool) -> io::Result<Self> {
        if !beside && Stream::connect(path).is_ok() {
            return Err(ErrorKind::AddrInUse.into());
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let at = PathBuf::from(name);
        // Of a howdah that had this number and was killed.
        let _ = fs::remove_file(&at);
        let listener = listen(&at)?;
        let found = fs::symlink_metadata(&at)?;
        let mut place = Place {
            path: path.to_owned(),
            at,
            inode: (found.dev(), found.ino()),
        };
        if !beside {
            place.take()?;
        }
        Ok(Self { listener, place })
    }

    /// Where everybody looks.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// Answers from now on, on this runtime. `also`: a user who may come beside root and who we are now.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub fn open(
        self,
        also: u32,
        welcome: Welcome,
        predecessors: Predecessors,
        callers: mpsc::Sender<Caller>,
    ) -> io::Result<Open> {
        let listener = UnixListener::from_std(self.listener)?;
        let house = Arc::new(House {
            users: [0, also, getuid().as_raw(), geteuid().as_raw()],
            welcome,
            predecessors,
            callers,
        });
        let task = tokio::spawn(answer(listener, house)).abort_handle();
        let place = self.place;
        Ok(Open { place, task })
    }
}

/// Nobody's but ours from the first moment: what is bound has the mode of its socket.
fn listen(at: &Path) -> io::Result<Listening> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    socket.bind(&SockAddr::unix(at)?)?;
    socket.listen(BACKLOG)?;
    Ok(OwnedFd::from(socket).into())
}

impl Open {
    /// Renames over the predecessor's socket.
    ///
    /// # Errors
    /// What the system says; then the next howdah cannot find this one.
    pub fn take_the_path(&mut self) -> io::Result<()> {
        self.place.take()
    }

    /// Where everybody looks.
    pub fn path(&self) -> &Path {
        &self.place.path
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Place {
    fn take(&mut self) -> io::Result<()> {
        if self.at != self.path {
            fs::rename(&self.at, &self.path)?;
            self.at.clone_from(&self.path);
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.at);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.inode) {
            let _ = fs::remove_file(&self.at);
        }
    }
}

/// What those who come are told by.
struct House {
    users: [u32; 4],
    welcome: Welcome,
    predecessors: Predecessors,
    callers: mpsc::Sender<Caller>,
}

async fn answer(listener: UnixListener, house: Arc<House>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // They end with this one: predecessors then look who has the path.
    let mut talks = JoinSet::new();
    loop {
        while talks.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let house = Arc::clone(&house);
                talks.spawn(async move {
                    let _place = place;
                    if let Err(error) = house.talk(stream).await {
                        tracing::debug!(%error, "a conversation at the control socket is over");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket cannot accept");
                sleep(PAUSE).await;
            }
        }
    }
}

impl House {
    async fn talk(&self, stream: UnixStream) -> Result<(), LinkError> {
        let mut link = Link::watched(stream);
        let uid = link.peer()?;
        if !self.users.contains(&uid) {
            let why = "the control socket is for root and for the user of howdah".to_owned();
            return link.send(&Message::Refused { why }, &[], PATIENCE).await;
        }
        let hello = match link.receive(PATIENCE).await?.0 {
            Message::Hello(hello) => hello,
            other => return Err(unexpected(&other)),
        };
        if hello.protocol != PROTOCOL {
            let why = format!(
                "howdah {} speaks version {PROTOCOL} of the takeover, and not {}: stop it, and start the other",
                env!("CARGO_PKG_VERSION"),
                hello.protocol
            );
            return link.send(&Message::Refused { why }, &[], PATIENCE).await;
        }
        match hello.wants {
            Wants::Look => {
                let welcome = Message::Welcome(self.welcome.clone());
                link.send(&welcome, &[], PATIENCE).await
            }
            Wants::Report => self.listen(link).await,
            Wants::Takeover => {
                let caller = Caller::Successor(Successor { link, hello });
                // Full, or nobody hears: the caller finds the connection closed.
                self.callers.try_send(caller).map_err(|_| LinkError::Gone)
            }
        }
    }

    /// A predecessor, until it ends.
    async fn listen(&self, mut link: Link) -> Result<(), LinkError> {
        let Some(entry) = self.predecessors.enter() else {
            let why = "too many predecessors tell already".to_owned();
            return link.send(&Message::Refused { why }, &[], PATIENCE).await;
        };
        let welcome = Message::Welcome(self.welcome.clone());
        link.send(&welcome, &[], PATIENCE).await?;
        let mut hurried = self.predecessors.hurried();
        let mut told = false;
        loop {
            tokio::select! {
                heard = link.receive(SILENCE) => match heard?.0 {
                    Message::Left(left) => entry.says(left),
                    Message::Order { order } => {
                        let _ = self.callers.try_send(Caller::Order(order));
                    }
                    other => return Err(unexpected(&other)),
                },
                true = async { hurried.wait_for(|hurried| *hurried).await.is_ok() }, if !told => {
                    told = true;
                    link.send(&Message::Hurry, &[], PATIENCE).await?;
                }
            }
        }
    }
}

/// At once: predecessors, and one who asks.
const CONNECTIONS: usize = 96;
/// That wait to be answered.
const BACKLOG: i32 = 128;
/// A predecessor tells each second.
const SILENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(200);
