//! What the peers' tasks and the accepting one share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::lesson::Lesson;
use super::link::Link;
use super::table::Table;
use crate::plan::{PeersPlan, PeersTls};
use crate::telemetry::Metrics;
use crate::tls::TlsError;
use crate::tls::accept::server_config;
use crate::tls::connect::Connector;

/// See the module.
pub(super) struct Mesh {
    pub(super) metrics: Metrics,
    pub(super) setup: ArcSwapOption<Setup>,
    pub(super) tables: watch::Sender<Arc<Vec<Table>>>,
    lesson: Mutex<Lesson>,
    /// What was said, and when.
    said: Mutex<HashMap<(&'static str, String), Instant>>,
    /// Where the connections of each go that it makes itself.
    expected: Mutex<HashMap<Arc<str>, mpsc::Sender<Link>>>,
}

/// The plan, and what was made for it.
pub(super) struct Setup {
    pub(super) plan: Arc<PeersPlan>,
    pub(super) tls: Option<Connectors>,
}

/// TLS in both directions.
#[derive(Clone)]
pub(super) struct Connectors {
    pub(super) accept: Arc<ServerConfig>,
    pub(super) connect: Connector,
}

impl Mesh {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            metrics: metrics.clone(),
            setup: ArcSwapOption::empty(),
            tables: watch::Sender::default(),
            lesson: Mutex::new(Lesson::new(Instant::now())),
            said: Mutex::default(),
            expected: Mutex::default(),
        }
    }

    pub(super) fn set(&self, plan: Arc<PeersPlan>, tls: Option<Connectors>) {
        self.setup.store(Some(Arc::new(Setup { plan, tls })));
    }

    /// Those who follow hear of it where they are others than before.
    pub(super) fn share(&self, tables: Vec<Table>) {
        self.tables.send_if_modified(|own| {
            let other = **own != tables;
            if other {
                *own = Arc::new(tables);
            }
            other
        });
    }

    pub(super) fn lesson(&self) -> MutexGuard<'_, Lesson> {
        self.lesson.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the log is to have this: what was said is not said again for a while.
    pub(super) fn may_say(&self, reason: &'static str, about: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        said.retain(|_, at| now.saturating_duration_since(*at) < SAID_AGAIN);
        let key = (reason, about.to_owned());
        let news = !said.contains_key(&key) && said.len() < SAID_MOST;
        if news {
            said.insert(key, now);
        }
        news
    }

    pub(super) fn expect(&self, name: &Arc<str>, links: mpsc::Sender<Link>) {
        self.expected().insert(Arc::clone(name), links);
    }

    pub(super) fn expects(&self, name: &str) -> Option<mpsc::Sender<Link>> {
        self.expected().get(name).cloned()
    }

    /// The others are peers no more: nobody waits for what they were asked.
    pub(super) fn retain(&self, wanted: impl Fn(&Arc<str>) -> bool) {
        let mut expected = self.expected();
        for (gone, _) in expected.extract_if(|name, _| !wanted(name)) {
            self.lesson().lost(&gone, Instant::now());
        }
    }

    pub(super) fn forget_all(&self) {
        self.retain(|_| false);
        self.setup.store(None);
    }

    fn expected(&self) -> MutexGuard<'_, HashMap<Arc<str>, mpsc::Sender<Link>>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connectors {
    pub(super) fn new(plan: &PeersTls) -> Result<Self, TlsError> {
        Ok(Self {
            accept: server_config(&plan.accept)?,
            connect: Connector::new(&plan.connect)?,
        })
    }
}

const SAID_AGAIN: Duration = Duration::from_secs(600);
/// Different things in that time; more are counted, and not said.
const SAID_MOST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_said_is_not_said_again_for_a_while_and_not_without_end() {
        let mesh = Mesh::new(&Metrics::new());
        assert!(mesh.may_say("server", "lb-2 hive a") && mesh.may_say("server", "lb-2 hive b"));
        assert!(!mesh.may_say("server", "lb-2 hive a"));
        assert!(mesh.may_say("table", "lb-2 hive a"), "another reason");
        tokio::time::advance(SAID_AGAIN).await;
        assert!(mesh.may_say("server", "lb-2 hive a"));
        // Whoever makes up names fills no memory, and no log.
        let said = (0..10 * SAID_MOST).filter(|name| mesh.may_say("server", &name.to_string()));
        assert_eq!(said.count(), SAID_MOST - 1);
    }

    #[tokio::test]
    async fn a_peer_that_is_taken_out_while_it_is_asked_leaves_the_question_to_another() {
        let mesh = Mesh::new(&Metrics::new());
        let [a, b]: [Arc<str>; 2] = ["a".into(), "b".into()];
        for name in [&a, &b] {
            mesh.expect(name, mpsc::channel(1).0);
        }
        let now = Instant::now();
        assert!(mesh.lesson().ask(&a, now) && !mesh.lesson().ask(&b, now));
        mesh.retain(|name| *name == b);
        assert!(mesh.expects("a").is_none() && mesh.expects("b").is_some());
        assert!(mesh.lesson().ask(&b, now));
    }
}
