//! Datagrams: a client's address and port are a session, for as long as it is not idle.
//!
//! ```text
//!  client ──► listening socket ──► recvmmsg ──► table: known? ──────────► send ──► the session's own socket ──► server
//!                                                 │ no                               ▲ connected: the kernel drops
//!                                                 ▼                                  │ what others send to it
//!                                  admit ─ choose ─ connect ─ enter the table ───────┘
//!
//!  client ◄── sendmmsg ◄── answers of one round ◄── recv ◄── epoll: which sessions have an answer?
//! ```
//!
//! A [`port`] is one listening socket of one worker, and one task with all of its sessions: they are entries of a
//! [`table`], not tasks, and their sockets are watched by an epoll set of the port's own, so that a session costs
//! a socket and an entry, and a round of datagrams a handful of system calls.
//!
//! A session ends in exactly one `Outcome`, as one of TCP does: when nothing came either way for `timeouts.udp_idle`, when
//! the last of `timeouts.udp_responses` has come, when the server's machine says that nobody listens there, when an order
//! ends it, or when a full listener needs its place. A datagram that gets no session is counted by reason and leaves no
//! line: anybody can forge one.
//!
//! Invariants: no datagram is held back, so none is sent twice and none waits; a client stays on its server while its
//! session lasts; an answer leaves from the address that the client asked.

mod address;
mod batch;
mod dropped;
mod open;
mod orders;
mod port;
mod session;
mod sessions;
mod table;

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

pub use self::address::tell_destinations;
pub use self::open::Newcomer;
pub use self::orders::cut;
pub(super) use self::orders::list;
use self::orders::{Order, Orders};
use self::port::Port;
use super::end::Reason;
use super::registry::Who;
use crate::base::caught::caught;
use crate::base::fate::Fate;

/// Why [`carry`] is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The last session of a retired socket has ended.
    ToTheEnd,
    /// By a panic. The sessions that were there have ended, each with its account.
    Panicked,
}

/// Relays what comes to `socket`: until it is retired and the last session has ended, or until the sender of `retired` is
/// gone, which ends the sessions too. Of a socket that was given to another process nothing is read any more: answers go on. Each new session is one of `welcome`'s.
///
/// # Errors
/// Only when the runtime cannot watch the sockets at all.
pub async fn carry<G: Send>(
    socket: Arc<UdpSocket>,
    welcome: &(impl Fn() -> Newcomer<G> + Sync),
    retired: &mut watch::Receiver<Fate>,
) -> io::Result<Carried> {
    let mut port = Port::new(Arc::clone(&socket))?;
    let rounds = rounds(&mut port, socket, welcome, retired);
    if let Ok(done) = caught(rounds).await {
        return done.map(|()| Carried::ToTheEnd);
    }
    port.cut(Who::All, Reason::Internal);
    Ok(Carried::Panicked)
}

async fn rounds<G: Send>(
    port: &mut Port<G>,
    socket: Arc<UdpSocket>,
    welcome: &(impl Fn() -> Newcomer<G> + Sync),
    retired: &mut watch::Receiver<Fate>,
) -> io::Result<()> {
    let (clients, servers) = (watched(socket)?, watched(port.watch())?);
    let orders = Orders::enter();
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut armed = false;
    let mut fate = *retired.borrow();
    while !(fate != Fate::Open && port.is_empty()) {
        if let Some(due) = port.due()
            && (!armed || due < timer.deadline())
        {
            timer.as_mut().reset(due.max(Instant::now() + TICK));
            armed = true;
        }
        let more = tokio::select! {
            order = orders.next() => match order {
                Order::Cut(who, reason, reply) => {
                    let _ = reply.send(port.cut(who, reason));
                    false
                }
                Order::List(mut look) => {
                    let next = port.show(&mut look);
                    orders.go_on(look, next);
                    true
                }
            },
            told = retired.changed() => {
                if told.is_err() {
                    port.cut(Who::All, Reason::Drained);
                }
                fate = match *retired.borrow_and_update() {
                    Fate::Given => Fate::Given,
                    _ => Fate::Closing,
                };
                false
            }
            ready = servers.readable() => {
                let mut ready = ready?;
                let more = port.take_answers();
                if !more {
                    ready.clear_ready();
                }
                more
            }
            ready = clients.readable(), if fate != Fate::Given => {
                let mut ready = ready?;
                let more = port.take_questions(welcome, fate != Fate::Open);
                if !more {
                    ready.clear_ready();
                }
                more
            }
            () = timer.as_mut(), if armed => {
                port.end_idle();
                armed = false;
                false
            }
        };
        if more {
            // The sessions of this worker have their turn in between.
            yield_now().await;
        }
    }
    Ok(())
}

/// Tells when it can be read from, and not, as sockets of the runtime do, also each time that something was sent.
#[expect(deprecated, reason = "an owned descriptor stays the one that it is")]
fn watched<F: AsRawFd>(file: Arc<F>) -> io::Result<AsyncFd<Arc<F>>> {
    AsyncFd::with_interest(file, Interest::READABLE)
}

/// Idle sessions end so much later than they could, together with others.
const TICK: Duration = Duration::from_millis(20);
