//! Looks at the counters of all servers each ten seconds, for their time lines.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::admin::RuntimeView;
use crate::telemetry::timelines::{STEP, Timelines};

/// Without end; a thousand servers take less than a millisecond.
pub(super) async fn sample(view: Arc<ArcSwap<RuntimeView>>, timelines: Timelines) {
    let mut steps = interval_at(Instant::now() + STEP, STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        steps.tick().await;
        let view = view.load_full();
        let snapshots: Vec<_> = view
            .pools
            .iter()
            .map(|pool| (pool.name(), pool.load_full()))
            .collect();
        let all = snapshots.iter().flat_map(|(pool, snapshot)| {
            let members = snapshot.members().iter();
            members.map(|one| (*pool, one.server.name(), one.server.metrics().figures()))
        });
        timelines.sample(SystemTime::now(), all);
    }
}
