//! Virtual addresses: begun when their listeners have first verdicts, told which of them can serve, ended before anything else.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::sleep;

use super::App;
use crate::admin::RuntimeView;
use crate::plan::ListenerName;
use crate::vip::Vips;

impl App {
    /// `holding`: the howdah before this one hands its addresses over.
    pub(super) async fn begin_vips(&self, holding: bool) {
        let (vips, view) = (Arc::clone(&self.vips), Arc::clone(&self.view));
        vips.not_ready(not_ready(&view.load()));
        vips.begin(holding).await;
        if vips.are_there() {
            self.tasks.spawn(follow(vips, view));
        }
    }
}

/// Sessions that a listener could not serve should not wait for the second that the log waits.
async fn follow(vips: Arc<Vips>, view: Arc<ArcSwap<RuntimeView>>) {
    loop {
        sleep(LOOK_EVERY).await;
        vips.not_ready(not_ready(&view.load()));
    }
}

/// Of those that virtual addresses depend on.
fn not_ready(view: &RuntimeView) -> Vec<ListenerName> {
    let vips = view.plan.iter().flat_map(|plan| &plan.vips);
    let tracked: Vec<&ListenerName> = vips.flat_map(|vip| &vip.track).collect();
    let listeners = (view.listeners.iter()).filter(|one| tracked.contains(&&one.name));
    let silent = listeners.filter(|one| one.why_not_ready(view).is_some());
    silent.map(|one| one.name.clone()).collect()
}

/// A look at the snapshots of a few pools.
const LOOK_EVERY: Duration = Duration::from_millis(100);
