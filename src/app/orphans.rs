//! Process 1 buries whoever has lost its parent: successors, and what commands in the container leave behind.
//!
//! Nothing here waits for a child of its own: what runs the programs of probes tells its end by a pipe.

use rustix::process::{WaitOptions, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Buries from now on, where this is process 1.
pub(super) fn bury_as_process_1() {
    if std::process::id() == 1 {
        tokio::spawn(bury());
    }
}

async fn bury() {
    let Ok(mut ended) = signal(SignalKind::child()) else {
        return;
    };
    loop {
        // One signal may stand for many.
        while wait(WaitOptions::NOHANG).is_ok_and(|one| one.is_some()) {}
        if ended.recv().await.is_none() {
            return;
        }
    }
}
