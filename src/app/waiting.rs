//! Listeners that wait for the first verdicts of their new pools.
//!
//! A new plan reaches each listener as a [`Step`]. A listener whose pools are all known takes its step at once; one with
//! a pool that is new waits until that pool can serve, or knows that it cannot, so that nobody is refused because nobody
//! has asked the servers yet. It waits for no other listener's pools, and not longer than a probe of its own may take.
//! Until then its new addresses are open, and connections wait there; an old listener follows the plan before.
//!
//! Listeners that hand an address over to another take their steps together; those of a howdah that takes over do so all, as its
//! predecessor serves until then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::App;
use super::step::{Handover, Step, Waiting, together};
use crate::plan::PoolPlan;

impl App {
    /// Takes each step now, or as soon as the new pools that it needs are known.
    pub(super) async fn begin(
        &mut self,
        steps: Vec<Step>,
        handovers: &[Handover],
        added: &[Arc<PoolPlan>],
    ) {
        let groups = match self.has_entered {
            true => together(steps, handovers),
            // What a successor takes before its predecessor yields would be cut with it, should it fail.
            false => vec![steps],
        };
        for steps in groups {
            let waiting = self.wait_for(steps, added);
            if waiting.is_over() {
                self.take(waiting.steps).await;
            } else {
                self.waiting.push(waiting);
            }
        }
        self.complete().await;
    }

    /// Takes the steps whose pools are known by now.
    pub(super) async fn advance(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let (over, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(Waiting::is_over);
        self.waiting = waiting;
        if !over.is_empty() {
            self.take_all(over).await;
        }
    }

    /// Waits no more: who has connected is served if it can be.
    pub(super) async fn hurry(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.take_all(waiting).await;
    }

    async fn take_all(&mut self, waiting: Vec<Waiting>) {
        for Waiting { steps, .. } in waiting {
            self.take(steps).await;
        }
        self.complete().await;
    }

    /// The last step makes a reload complete: nothing leads to the pools any more that left the file.
    async fn complete(&mut self) {
        if self.waiting.is_empty() {
            for name in std::mem::take(&mut self.leaving) {
                self.remove_pool(&name).await;
            }
            if self.reloads.complete() {
                self.manager.ready(self.status());
            }
        }
        self.show_house();
    }

    fn wait_for(&self, steps: Vec<Step>, added: &[Arc<PoolPlan>]) -> Waiting {
        let needed = |plan: &&Arc<PoolPlan>| steps.iter().any(|step| step.leads_to(&plan.name));
        let needed: Vec<_> = added.iter().filter(needed).collect();
        let patience = needed.iter().filter_map(|plan| plan.probe.as_ref());
        let patience = patience.map(|probe| probe.timeout).max();
        Waiting {
            pools: (needed.iter())
                .filter_map(|plan| Some(Arc::clone(&self.pools.get(&plan.name)?.pool)))
                .collect(),
            until: Instant::now() + patience.unwrap_or_default() + SPREAD,
            steps,
        }
    }
}

/// First questions to the servers of a pool are put within half of this.
const SPREAD: Duration = Duration::from_secs(1);
