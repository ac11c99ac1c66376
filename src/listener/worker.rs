//! A worker: one thread, one runtime, the sessions that live on it.
//!
//! Workers share nothing on the road of a session but atomics. What must reach one from outside (a socket to
//! listen on, a connection handed over, an order to end sessions) comes through its inbox.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::accept::accept;
use super::inbox::Command;
use super::spread::Local;
use crate::session::registry;

/// The life of a worker: until the handles are dropped and the last session is over.
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
            Command::Serve(newcomer) => local.take_over(newcomer),
            Command::Cut { who, reason } => {
                registry::cut(who, reason);
            }
        }
    }
}

/// Keeps a timer always near. tokio wakes itself by a write to the kernel whenever a new timer comes in front of all
/// others, which the deadline of each connect would do; once a second costs less.
async fn tick() {
    loop {
        sleep(TICK).await;
    }
}

/// Shorter than the deadlines that sessions commonly set.
const TICK: Duration = Duration::from_secs(1);
