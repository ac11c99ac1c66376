//! Listeners of a howdah that leads, or stands by: open, or closed.
//!
//! One that stands by is warm: it probes, discovers and obeys orders, and no listener is open. One that leads no more closes
//! them; sessions that it has go on, as their servers are as good as before.

use std::sync::Arc;

use super::App;
use super::step::Step;
use crate::cluster::Cluster;
use crate::telemetry::journal::{Event, Kind};

impl App {
    /// Opens the listeners where this howdah leads, closes them where it does not.
    pub(super) async fn follow_the_leader(&mut self) {
        let Some(cluster) = self.cluster.clone().filter(Cluster::is_exclusive) else {
            return;
        };
        let stands_by = !*cluster.leads().borrow();
        if stands_by == self.stands_by {
            return;
        }
        self.stands_by = stands_by;
        if stands_by {
            let runtimes = self.listeners.values_mut();
            let sockets: Vec<_> = runtimes
                .flat_map(|runtime| std::mem::take(&mut runtime.sockets))
                .collect();
            for socket in sockets {
                self.retire_socket(socket);
            }
            let sessions = self.handles.sessions();
            tracing::info!(sessions, "listeners are closed, open sessions go on");
        } else {
            self.open_all().await;
        }
        if self.has_entered {
            self.manager.status(self.status());
        }
        self.show_house();
    }

    /// Those of a howdah that leads which could not be opened when it began to.
    pub(super) async fn open_what_is_missing(&mut self) {
        let exclusive = self.cluster.as_ref().is_some_and(Cluster::is_exclusive);
        let closed = self
            .listeners
            .values()
            .any(|runtime| runtime.sockets.is_empty());
        if exclusive && !self.stands_by && closed && self.waiting.is_empty() {
            self.open_all().await;
            self.show_house();
        }
    }

    /// One that cannot be opened holds up no other, and is tried again.
    async fn open_all(&mut self) {
        let plan = self.plan.clone();
        for listener in &plan.listeners {
            match self.open(listener, &plan, &mut Vec::new()) {
                Ok(opened) => {
                    let step = Step::Follow {
                        plan: Arc::clone(listener),
                        opened,
                        tls: None,
                    };
                    self.take(vec![step]).await;
                }
                Err(error) => {
                    tracing::error!(listener = %listener.name, %error, "cannot be opened");
                    let event = Event::error(Kind::Listener, format!("cannot be opened: {error}"));
                    self.metrics.journal().tell(event.listener(&listener.name));
                }
            }
        }
    }
}
