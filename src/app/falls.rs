//! Servers that go down, and what becomes of the sessions they have: key `on_down`.

use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::listener::crew::Crew;
use crate::plan::OnDown;
use crate::pool::{Fall, Health, Pool};
use crate::session::Reason;
use crate::session::registry::Who;

/// Until the pool is gone.
pub(super) async fn watch(pool: Weak<Pool>, mut falls: mpsc::Receiver<Fall>, crew: Crew) {
    let mut drains = JoinSet::new();
    while let Some(fall) = falls.recv().await {
        while drains.try_join_next().is_some() {}
        let Some(now) = pool.upgrade() else {
            return;
        };
        let plan = Arc::clone(now.load().plan());
        if fall.server.is_distrusted() {
            // Its probes find it up: there is no reason to end what it serves.
            continue;
        }
        match plan.care.on_down {
            OnDown::Keep => {}
            OnDown::Reset => end(&now, &fall, &crew, Reason::ServerDown).await,
            OnDown::Drain => {
                let (pool, crew) = (pool.clone(), crew.clone());
                drains.spawn(async move {
                    sleep(plan.drain_timeout).await;
                    if let Some(pool) = pool.upgrade().filter(|pool| is_down_since(pool, &fall)) {
                        end(&pool, &fall, &crew, Reason::Drained).await;
                    }
                });
            }
        }
    }
}

/// Whether it has not come up since.
fn is_down_since(pool: &Pool, fall: &Fall) -> bool {
    let now = pool.load();
    let member = (now.members().iter()).find(|member| member.server.id() == fall.server.id());
    member.is_some_and(|member| member.health == Health::Down && member.since == fall.at)
}

async fn end(pool: &Pool, fall: &Fall, crew: &Crew, reason: Reason) {
    let sessions = fall.server.sessions_active();
    if sessions > 0 {
        tracing::warn!(
            pool = %pool.name(), server = %fall.server.name(), sessions, reason = reason.as_str(),
            "ending the sessions of a server that is down"
        );
        crew.cut(Who::On(fall.server.id()), reason).await;
    }
}
