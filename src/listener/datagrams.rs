//! The UDP socket of one worker at one address, from here until it is retired and its last session has ended.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Owner;
use super::inbox::Counted;
use super::spread::Local;
use crate::base::caught::caught;
use crate::base::fate::Fate;
use crate::session::datagram::{Carried, Newcomer, carry};

/// Carries what comes to `socket`. A panic ends the sessions that were there, and the socket goes on.
pub(super) async fn relay(
    socket: UdpSocket,
    owner: Arc<Owner>,
    local: Local,
    mut retired: watch::Receiver<Fate>,
) {
    let socket = Arc::new(socket);
    let welcome = || Newcomer {
        config: owner.load().config(),
        id: local.ids.fetch_add(1, Ordering::Relaxed),
        guard: Counted::on(&local.datagrams, local.index),
    };
    loop {
        let carried = caught(carry(Arc::clone(&socket), &welcome, &mut retired)).await;
        let listener = owner.load_full();
        match carried {
            Ok(Ok(Carried::ToTheEnd)) => return,
            Ok(Err(error)) => {
                tracing::error!(listener = %listener.name, %error, "a socket cannot be watched, and no datagrams come from it until howdah starts again: raise the limit of open files");
                return;
            }
            Ok(Ok(Carried::Panicked)) | Err(_) => {
                tracing::error!(listener = %listener.name, "relaying datagrams panicked: its sessions ended as internal, and it begins anew: report this");
                listener.metrics.accept_panicked();
                sleep(PAUSE).await;
            }
        }
    }
}

const PAUSE: Duration = Duration::from_millis(10);
