//! The watchdog of the service manager hears of us as long as the control thread goes round and every worker answers.
//!
//! The beat is asked for by the loops of [`App`](super::App) themselves ([`Pulse::due`]): one that is stuck, in a call or in a wait,
//! asks no more. Then the workers are asked, and with their answers it is sent. A howdah that has a successor beats no more, as it
//! would speak for one that hangs.

use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use crate::handover::manager::Manager;
use crate::listener::handles::WorkerHandles;

/// See the module. The default is that of a howdah to which nobody listens.
#[derive(Default)]
pub(super) struct Pulse(Option<Beats>);

struct Beats {
    within: Duration,
    ticks: Interval,
    manager: Manager,
    handles: WorkerHandles,
    /// The workers were asked, and have not all answered.
    asked: Option<JoinHandle<()>>,
}

/// Beats without asking anybody until it is dropped.
pub(super) struct Kept(Option<AbortHandle>);

impl Pulse {
    /// The first beat is due at once.
    pub(super) fn of(manager: &Manager, handles: &WorkerHandles) -> Self {
        Self(manager.watchdog().map(|within| Beats {
            within,
            ticks: ticks(within),
            manager: manager.clone(),
            handles: handles.clone(),
            asked: None,
        }))
    }

    /// Completes when it is time to [`Self::beat`]; never, where nobody listens. Cancel-safe.
    pub(super) async fn due(&mut self) {
        match &mut self.0 {
            Some(beats) => drop(beats.ticks.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Asks the workers, and says that we are alive when all have answered.
    pub(super) fn beat(&mut self) {
        if let Some(beats) = &mut self.0
            && beats.asked.as_ref().is_none_or(JoinHandle::is_finished)
        {
            beats.ask();
        }
    }

    /// Goes on by itself while what is under way cannot ask, and has bounds of its own.
    pub(super) fn keep(&self) -> Kept {
        Kept(self.0.as_ref().map(|beats| {
            let (manager, mut ticks) = (beats.manager.clone(), ticks(beats.within));
            let going_on = async move {
                loop {
                    ticks.tick().await;
                    manager.alive();
                }
            };
            tokio::spawn(going_on).abort_handle()
        }))
    }
}

impl Beats {
    fn ask(&mut self) {
        let (within, manager, handles) = (self.within, self.manager.clone(), self.handles.clone());
        self.asked = Some(tokio::spawn(async move {
            if timeout(within, handles.echo()).await.is_ok() {
                manager.alive();
            } else {
                tracing::error!(
                    "a worker does not answer: the service manager hears nothing of us"
                );
            }
        }));
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        // It holds the handles of the workers, who end when nobody does.
        if let Some(asked) = &self.asked {
            asked.abort();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(kept) = &self.0 {
            kept.abort();
        }
    }
}

/// Three within the time that the manager waits, so that one may be late.
fn ticks(within: Duration) -> Interval {
    let mut ticks = interval(within / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
