//! A worker: one thread, one runtime, the sessions that live on it.
//!
//! A session uses nothing of another worker but atomics. Whoever wants something of a worker (listen on this socket,
//! serve this connection, end these sessions) sends it a command, which the worker takes from its inbox.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::accept::accept;
use super::datagrams::relay;
use super::inbox::Command;
use super::spread::Local;
use crate::session::lasting::Sweeps;
use crate::session::list::list;
use crate::session::registry::Who;
use crate::session::{Reason, datagram, ended, registry};

/// Obeys the commands of the inbox until the last of the worker handles is dropped. Each session is a task of its own;
/// those that are left then end with the runtime.
pub(super) async fn work(mut inbox: mpsc::Receiver<Command>, local: Local) {
    tokio::spawn(tick());
    while let Some(command) = inbox.recv().await {
        match command {
            Command::Listen {
                socket,
                owner,
                retired,
            } => {
                let local = local.clone();
                tokio::spawn(async move {
                    let name = owner.load().name().clone();
                    if let Err(error) = accept(socket, owner, local, retired).await {
                        tracing::error!(listener = %name, %error, "a socket cannot be watched: no sessions from it");
                    }
                });
            }
            Command::Datagrams {
                socket,
                owner,
                retired,
            } => {
                tokio::spawn(relay(socket, owner, local.clone(), retired));
            }
            Command::Serve(newcomer) => local.take_over(newcomer),
            Command::Cut { who, reason } => {
                registry::cut(who, reason);
                drop(datagram::cut(who, reason));
            }
            Command::End { id, reply } => {
                let ended = end(id);
                tokio::spawn(async move { reply.send(ended.await) });
            }
            Command::List { query, reply } => {
                tokio::spawn(list(query, reply));
            }
            Command::Echo { reply } => drop(reply.send(())),
            Command::Ended { filter, reply } => drop(reply.send(ended::list(&filter))),
        }
    }
}

/// Ordered at once; ports of UDP answer after what waits there.
fn end(id: u64) -> impl Future<Output = usize> {
    let (who, reason) = (Who::One(id), Reason::EndedByOrder);
    let (mut ended, ports) = (registry::cut(who, reason), datagram::cut(who, reason));
    async move {
        for port in ports {
            ended += port.await.unwrap_or_default();
        }
        ended
    }
}

/// Keeps the runtime's nearest timer at most a second away. Whenever a new timer is nearer than all others, tokio wakes
/// itself by a system call; the deadline of each connect would be such a timer. One wake-up a second costs less.
/// Lines of sessions that last are due by the same clock.
async fn tick() {
    let mut sweeps = Sweeps::begin();
    loop {
        sleep(TICK).await;
        sweeps.tick().await;
    }
}

/// Shorter than most deadlines that sessions set.
const TICK: Duration = Duration::from_secs(1);
