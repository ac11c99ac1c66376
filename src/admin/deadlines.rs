//! The timers of drains: a drain with a timeout leaves one behind, which any later order for the same server takes away.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Command;
use crate::pool::ServerId;

/// They run beside the probes, not on the admin server's own thread, which may have to wait for everybody else on a busy
/// machine: a drain ends in time.
pub(super) struct Deadlines {
    runtime: Handle,
    timers: Mutex<HashMap<ServerId, AbortHandle>>,
}

impl Deadlines {
    pub(super) fn on(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            timers: Mutex::default(),
        }
    }

    /// Instead of the server's former one; none without a time.
    pub(super) fn set(
        &self,
        server: ServerId,
        after: Option<Duration>,
        commands: &mpsc::Sender<Command>,
    ) {
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        timers.retain(|_, timer| !timer.is_finished());
        if let Some(former) = timers.remove(&server) {
            former.abort();
        }
        let Some(after) = after else { return };
        let commands = commands.clone();
        let timer = self.runtime.spawn(async move {
            tokio::time::sleep(after).await;
            // Nobody to send to: howdah is stopping, which ends the sessions anyhow.
            let _ = commands.send(Command::Cut { server }).await;
        });
        timers.insert(server, timer.abort_handle());
    }
}
