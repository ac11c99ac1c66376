//! What others may see of each virtual address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::machine::{State, Why};
use crate::base::time::rfc3339;
use crate::plan::{VipName, VipPlan};

/// One virtual address, as `GET /api/v1/status` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Unique.
    pub name: String,
    /// master, backup, fault or init.
    #[schemars(extend("enum" = ["init", "backup", "master", "fault"]))]
    pub state: String,
    /// Those that it is about.
    pub addresses: Vec<String>,
    /// Where they are put.
    pub interface: String,
    /// What it says of itself: 1 while its listeners are not ready.
    pub priority: u8,
    /// When its state became what it is: RFC 3339, UTC.
    pub since: String,
    /// What that came from, one sentence.
    pub why: String,
    /// Who was heard last; null: nobody yet.
    #[serde(default)]
    pub peer: Option<String>,
    /// And what that one said of itself; 0: it leaves.
    #[serde(default)]
    pub peer_priority: Option<u8>,
}

/// Where nodes write what they are, and others read it.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<BTreeMap<VipName, Status>>>);

impl Board {
    /// By name.
    pub fn all(&self) -> Vec<Status> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn enter(&self, plan: &VipPlan) {
        let status = Status {
            name: plan.name.to_string(),
            state: State::Init.as_str().to_owned(),
            addresses: plan.hosts().iter().map(ToString::to_string).collect(),
            interface: plan.interface.clone(),
            priority: plan.priority,
            since: now(),
            why: "waits for the first verdicts of its listeners".to_owned(),
            peer: None,
            peer_priority: None,
        };
        self.lock().insert(plan.name.clone(), status);
    }

    pub(super) fn leave(&self, name: &VipName) {
        self.lock().remove(name);
    }

    pub(super) fn change(&self, name: &VipName, change: impl FnOnce(&mut Status)) {
        if let Some(status) = self.lock().get_mut(name) {
            change(status);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<VipName, Status>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    pub(super) fn became(&mut self, state: State, why: String) {
        state.as_str().clone_into(&mut self.state);
        self.since = now();
        self.why = why;
    }
}

/// In a sentence.
pub(super) fn sentence(why: Why) -> &'static str {
    match why {
        Why::Begun => "it takes part",
        Why::TakenOver => "the howdah before it handed it over",
        Why::Silence => "the master is not heard any more",
        Why::Alone => "nobody else is heard",
        Why::Lower => "the master has a lower priority",
        Why::Left => "the master has left",
        Why::Higher => "another one has a higher priority, or the same and a higher address",
        Why::NotReady => "a listener that it tracks is not ready",
        Why::Link => "its interface cannot be used",
        Why::Fenced => "the cluster does not let it hold the address",
        Why::Slept => "howdah was frozen for longer than others wait for a master",
        Why::Stopped => "howdah stops, or the configuration has it no more",
        Why::HandedOver => "the howdah after it has it",
    }
}

fn now() -> String {
    rfc3339(SystemTime::now()).to_string()
}
