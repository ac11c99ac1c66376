//! One side of a session: a client or a server that does what it is told, and tells what it sees.
//!
//! A task of its own drives the connection. It follows [`Orders`], which the cell changes at any time, and keeps
//! [`Told`], which the cell awaits. A peer never decides anything.

use std::io;
use std::time::{Duration, Instant};

use ::howdah::standin::Bytes;
use socket2::{SockRef, Socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::bytes::Saying;

/// What a peer is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders {
    /// Takes what comes.
    pub(crate) reads: bool,
    /// Says so many bytes in all.
    pub(crate) says: u64,
    /// And then.
    pub(crate) then: Then,
    /// Does nothing at all, as a process that was stopped.
    pub(crate) stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Stays.
    Stays,
    /// Ends its own direction in order, and goes on reading.
    Ends,
    /// Ends its own direction by FIN alone, where TLS asks for close_notify before it.
    EndsMute,
    /// Resets the connection, whatever it has still to say.
    Resets,
}

/// What a peer has done and seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) said: u64,
    pub(crate) heard: u64,
    /// The first wrong byte came among those before this position.
    pub(crate) wrong: Option<u64>,
    /// Some of what it has said still waits in TLS.
    pub(crate) held: bool,
    /// Its own end is out.
    pub(crate) ended: bool,
    /// How and when the other's stream ended.
    pub(crate) seen: Option<(Seen, Instant)>,
    /// When the connection turned out to be reset, though the other's stream may have ended before.
    pub(crate) broken: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    End,
    Reset(io::ErrorKind),
}

pub(crate) struct Peer {
    orders: watch::Sender<Orders>,
    told: watch::Receiver<Told>,
    task: AbortHandle,
    /// Both ends of the connection, as `/proc/net/tcp` writes them.
    pub(crate) ends: (std::net::SocketAddr, std::net::SocketAddr),
}

impl Peer {
    /// Reads, and says nothing yet. `tcp` is the socket below `stream`.
    pub(crate) fn new(
        stream: Box<dyn Bytes>,
        tcp: Socket,
        mine: Saying,
        theirs: Saying,
    ) -> io::Result<Self> {
        let ends = |address: socket2::SockAddr| address.as_socket().ok_or(io::ErrorKind::Other);
        let ends = (ends(tcp.local_addr()?)?, ends(tcp.peer_addr()?)?);
        let (orders, ordered) = watch::channel(Orders {
            reads: true,
            says: 0,
            then: Then::Stays,
            stopped: false,
        });
        let (tell, told) = watch::channel(Told::default());
        let (reader, writer) = split(stream);
        let driver = Driver {
            reader,
            writer,
            tcp,
            mine,
            theirs,
            orders: ordered,
            tell,
        };
        let task = tokio::spawn(driver.run()).abort_handle();
        Ok(Self {
            orders,
            told,
            task,
            ends,
        })
    }

    pub(crate) fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(change);
    }

    pub(crate) fn told(&self) -> Told {
        self.told.borrow().clone()
    }

    /// Until `wanted` holds of what it tells; false when it does not within `patience`.
    pub(crate) async fn tells(&self, patience: Duration, wanted: impl Fn(&Told) -> bool) -> bool {
        let mut told = self.told.clone();
        let met = told.wait_for(|told| wanted(told));
        matches!(tokio::time::timeout(patience, met).await, Ok(Ok(_)))
    }

    /// Nothing of what it is to say waits on its side of the socket.
    pub(crate) fn said_all(&self) -> bool {
        let (told, orders) = (self.told(), *self.orders.borrow());
        told.said >= orders.says && !told.held
    }

    /// Says no more than it has said by now, and `more` where it is speaking.
    pub(crate) fn says_no_more(&self, more: u64) {
        let said = self.told().said;
        self.order(|orders| {
            if orders.says == u64::MAX {
                orders.says = said + more;
            }
        });
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A handle of the same socket, for what lies below TLS.
pub(crate) fn below(stream: &TcpStream) -> io::Result<Socket> {
    SockRef::from(stream).try_clone()
}

struct Driver {
    reader: ReadHalf<Box<dyn Bytes>>,
    writer: WriteHalf<Box<dyn Bytes>>,
    tcp: Socket,
    mine: Saying,
    theirs: Saying,
    orders: watch::Receiver<Orders>,
    tell: watch::Sender<Told>,
}

impl Driver {
    async fn run(mut self) {
        let mut room = vec![0; PIECE];
        let mut rests = false;
        loop {
            let orders = *self.orders.borrow_and_update();
            if orders.then == Then::Resets {
                // Dropping the last handle of the socket sends it.
                let _ = self.tcp.set_linger(Some(Duration::ZERO));
                return;
            }
            let now = self.tell.borrow().clone();
            let works = !orders.stopped;
            let reads = works && orders.reads && now.seen.is_none();
            let speaks = works && now.broken.is_none() && !now.ended;
            let left = usize::try_from(orders.says.saturating_sub(now.said)).unwrap_or(usize::MAX);
            let says = speaks && left > 0;
            let flushes = speaks && now.held;
            let ends = speaks && !says && !flushes && orders.then != Then::Stays;
            if ends && orders.then == Then::EndsMute {
                let _ = self.tcp.shutdown(std::net::Shutdown::Write);
                self.tell.send_modify(|told| told.ended = true);
                continue;
            }
            let looks = works && now.seen.is_some() && now.broken.is_none();
            let step = if says && !rests {
                Some(Step::Say(self.mine.next(left.min(PIECE))))
            } else if flushes {
                Some(Step::Flush)
            } else {
                ends.then_some(Step::End)
            };
            tokio::select! {
                changed = self.orders.changed() => if changed.is_err() { return },
                heard = self.reader.read(&mut room), if reads => self.heard(heard, &room),
                done = take(step, &mut self.writer), if step.is_some() => {
                    rests |= self.took(step, done) && orders.says == u64::MAX;
                }
                () = sleep(if now.said < MUCH { REST } else { LONG_REST }), if rests || looks => {
                    rests = false;
                    // A reset behind an end in order shows in no read.
                    if looks && !matches!(self.tcp.take_error(), Ok(None)) {
                        self.broke();
                    }
                }
            }
        }
    }

    fn heard(&mut self, heard: io::Result<usize>, room: &[u8]) {
        let broken = self.tell.borrow().broken;
        let seen = match heard {
            // The kernel tells of a reset once: who heard of it when writing reads an end.
            Ok(0) if broken.is_some() => Some(Seen::Reset(io::ErrorKind::BrokenPipe)),
            Ok(0) => Some(Seen::End),
            Ok(_) => None,
            Err(ref error) => Some(Seen::Reset(error.kind())),
        };
        let count = heard.unwrap_or(0);
        let right = self.theirs.matches(&room[..count]);
        self.tell.send_modify(|told| {
            told.heard += count as u64;
            if !right {
                told.wrong.get_or_insert(told.heard);
            }
            told.seen = seen.map(|seen| (seen, broken.unwrap_or_else(Instant::now)));
            if matches!(seen, Some(Seen::Reset(_))) {
                told.broken.get_or_insert_with(Instant::now);
            }
        });
    }

    /// True when something was said.
    fn took(&mut self, step: Option<Step>, done: io::Result<usize>) -> bool {
        match (step, done) {
            (_, Err(_)) => self.broke(),
            (Some(Step::Say(_)), Ok(count)) => {
                self.mine.advance(count);
                self.tell.send_modify(|told| {
                    told.said += count as u64;
                    told.held = true;
                });
                return true;
            }
            (Some(Step::Flush), Ok(_)) => self.tell.send_modify(|told| told.held = false),
            (_, Ok(_)) => self.tell.send_modify(|told| told.ended = true),
        }
        false
    }

    fn broke(&self) {
        self.tell.send_modify(|told| {
            told.broken.get_or_insert_with(Instant::now);
        });
    }
}

/// What a peer does next with its own direction.
#[derive(Clone, Copy)]
enum Step {
    Say(&'static [u8]),
    Flush,
    End,
}

async fn take(step: Option<Step>, writer: &mut WriteHalf<Box<dyn Bytes>>) -> io::Result<usize> {
    match step {
        Some(Step::Say(bytes)) => writer.write(bytes).await,
        Some(Step::Flush) => writer.flush().await.map(|()| 0),
        _ => writer.shutdown().await.map(|()| 0),
    }
}

/// What is read or written at once: more than a relay's buffer holds.
const PIECE: usize = 128 * 1024;

/// Between two pieces of an endless saying, so that many sessions at once leave the machine room; and between two
/// looks at a socket whose stream has ended.
const REST: Duration = Duration::from_millis(20);

/// The same, once so [`MUCH`] is said that the session is amid a bulk.
const LONG_REST: Duration = Duration::from_millis(200);

/// More than a relay moves at once, so that splice and full buffers come into play.
pub(crate) const MUCH: u64 = 500_000;
