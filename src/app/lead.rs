//! Listeners of a howdah that leads, or stands by: open, or closed.
//!
//! One that stands by is warm: it probes, discovers and obeys orders, and no listener is open. One that leads no more closes
//! them; sessions that it has go on, as their servers are as good as before.
//!
//! A successor of one that leads stands by until that one yields. It has the sockets by then, its own and its predecessor's:
//! connections wait in them for the moment in between, and the other howdahs do not notice.

use std::sync::Arc;

use super::App;
use super::step::Step;
use crate::cluster::Cluster;
use crate::handover::claim::Session;
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
        // What a successor was shown is not so any more: it gives up, and may try again.
        if let Some(giving) = self.giving.take() {
            let why = match stands_by {
                true => "this howdah leads no more",
                false => "this howdah leads from now on",
            };
            self.was_not_taken_over(giving.pid(), &why);
        }
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
            for (listener, opened) in std::mem::take(&mut self.held_back) {
                self.listen(&listener, opened).await;
            }
            self.open_all().await;
        }
        if self.has_entered {
            self.manager.status(self.status());
        }
        self.show_house();
    }

    /// Whether the predecessor leads, and this howdah does when that one yields.
    pub(super) fn follows_a_leader(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.leads)
    }

    /// The predecessor has yielded: this howdah goes on in its place.
    pub(super) async fn take_the_place(&mut self, session: Option<&Session>) {
        if let Some(cluster) = &self.cluster {
            cluster.enter(session.map(|session| (&session.bytes, session.asked)));
        }
        self.place = None;
        self.follow_the_leader().await;
        // Where it does not lead in spite of all, nobody may wait there.
        self.held_back.clear();
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
