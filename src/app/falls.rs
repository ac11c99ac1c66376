//! Servers that go down, give up their role or have been drained for long enough, and what becomes of the sessions they
//! have: keys `on_down`, `on_role_lost`, and the timeout of a drain.

use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::listener::handles::WorkerHandles;
use crate::plan::{CarePlan, OnDown, OnRoleLost, PoolName};
use crate::pool::{Fall, Health, Loss, Pool, Server};
use crate::session::Reason;
use crate::session::registry::Who;
use crate::telemetry::Journal;
use crate::telemetry::journal::{Event, Kind};

/// Until the pool is gone.
pub(super) async fn watch(
    pool: Weak<Pool>,
    mut falls: mpsc::Receiver<Fall>,
    handles: WorkerHandles,
) {
    let mut drains = JoinSet::new();
    while let Some(fall) = falls.recv().await {
        while drains.try_join_next().is_some() {}
        let Some(now) = pool.upgrade() else {
            return;
        };
        let plan = Arc::clone(now.load().plan());
        // Where its probes find it up, there is no reason to end what it serves.
        let spares = |server: &Arc<Server>| fall.what != Loss::Drain && server.is_distrusted();
        let Some(server) = (fall.server.upgrade()).filter(|server| !spares(server)) else {
            continue;
        };
        match fate(fall.what, &plan.care) {
            Fate::Keep => {}
            Fate::End(reason) => end(&now, &server, &handles, reason).await,
            Fate::Drain => {
                let (pool, handles) = (pool.clone(), handles.clone());
                drains.spawn(async move {
                    sleep(plan.drain_timeout).await;
                    if let Some((pool, server)) = pool.upgrade().zip(fall.server.upgrade())
                        && is_out_since(&pool, &server, fall.at)
                    {
                        end(&pool, &server, &handles, Reason::Drained).await;
                    }
                });
            }
        }
    }
}

/// What becomes of the sessions.
enum Fate {
    Keep,
    Drain,
    End(Reason),
}

fn fate(what: Loss, care: &CarePlan) -> Fate {
    match (what, care.on_down, care.role.on_lost) {
        (Loss::Drain, _, _) => Fate::End(Reason::Drained),
        (Loss::Health, OnDown::Keep, _) | (Loss::Role, _, OnRoleLost::Keep) => Fate::Keep,
        (Loss::Health, OnDown::Drain, _) | (Loss::Role, _, OnRoleLost::Drain) => Fate::Drain,
        (Loss::Health, OnDown::Reset, _) => Fate::End(Reason::ServerDown),
        (Loss::Role, _, OnRoleLost::Cut) => Fate::End(Reason::RoleLost),
    }
}

/// Whether it has not come up since.
fn is_out_since(pool: &Pool, server: &Server, at: Instant) -> bool {
    let now = pool.load();
    let member = (now.members().iter()).find(|member| member.server.id() == server.id());
    member.is_some_and(|member| member.health != Health::Up && member.since == at)
}

async fn end(pool: &Pool, server: &Server, handles: &WorkerHandles, reason: Reason) {
    end_sessions((pool.name(), pool.journal()), server, handles, reason).await;
}

/// Ends what sessions the server has, and says so once for all of them; it is of that pool.
pub(super) async fn end_sessions(
    (pool, journal): (&PoolName, &Journal),
    server: &Server,
    handles: &WorkerHandles,
    reason: Reason,
) {
    let sessions = server.sessions_active();
    if sessions > 0 {
        let (name, reason_word) = (server.name(), reason.as_str());
        tracing::warn!(%pool, server = %name, sessions, reason = reason_word, "{ENDING}");
        let text = format!("{ENDING} ({sessions} open)");
        let event = Event::warning(Kind::SessionEnded, text).reason(reason_word);
        journal.tell(event.pool(pool).server(name));
        handles.cut(Who::On(server.id()), reason).await;
    }
}

const ENDING: &str = "ending the sessions of a server that takes none any more";
