//! Makes pools obey what wins, sees what was ordered in them, and says of this howdah what the others should know.
//!
//! Looks several times a second and whenever something was read: orders that are given here are seen in the pools themselves,
//! whoever gave them, and a server that comes back is told again what holds for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, interval};

use super::book::{Due, Key, Local, Mark, via};
use super::member::Seen;
use super::register::Given;
use super::shared::{Shared, State};
use super::views::{News, Place, carried};
use crate::base::time::{millis, of_millis};
use crate::base::word::Label;
use crate::plan::Balance;
use crate::pool::{Change, Member, Order, Origin, Pool, Refused};
use crate::telemetry::journal::{Event, Kind};

/// Until it is dropped.
pub(super) async fn run(shared: &Shared) {
    let mut ticks = interval(LOOK);
    let mut wide_at = Instant::now();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.learned.notified() => wide_at = Instant::now(),
        }
        let pools = (shared.house.pools)();
        for (pool, key, due) in look(shared, &pools) {
            obey(shared, &pool, &key, due).await;
        }
        if Instant::now() >= wide_at {
            wide_at = Instant::now() + WIDE;
            look_around(shared, &pools);
        }
    }
}

/// A look at what is ordered here. Gives what pools are to be told.
fn look(shared: &Shared, pools: &[Arc<Pool>]) -> Vec<(Arc<Pool>, Key, Due)> {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let mut state = shared.state();
    let changes = state.book.changes();
    let mut dues = Vec::new();
    for pool in pools {
        for member in pool.load_full().members() {
            let key = (pool.name().to_string(), member.plan.name.to_string());
            let due = state
                .book
                .look(&key, &local(member, now, wall), millis(wall));
            if due != Due::default() {
                dues.push((Arc::clone(pool), key, due));
            }
        }
    }
    let ordered = state.book.changes() != changes;
    drop(state);
    if ordered {
        shared.outgoing.notify_one();
    }
    dues
}

/// A look at everything that is told to others, and that others tell.
fn look_around(shared: &Shared, pools: &[Arc<Pool>]) {
    let now = Instant::now();
    let unready = (shared.house.unready)();
    let mut state = shared.state();
    let mut seen = BTreeMap::new();
    for pool in pools {
        let name = pool.name().as_str();
        let snapshot = pool.load_full();
        let counts = snapshot.plan().balance == Balance::LeastConnection;
        let mut servers = BTreeMap::new();
        for member in snapshot.members() {
            let server = member.plan.name.as_str();
            let elsewhere = match counts {
                true => carried(&state.others, now, name, server),
                false => 0,
            };
            pool.carried_elsewhere(&member.server, elsewhere);
            servers.insert(server.to_owned(), sight(member));
        }
        seen.insert(name.to_owned(), servers);
    }
    state.own.pools = seen;
    state.own.unready = unready;
    compare(shared, &mut state, pools, now);
}

fn sight(member: &Member) -> Seen {
    let sessions = member.server.sessions_active();
    Seen(
        member.health.as_str().into(),
        member.admin.as_str().into(),
        sessions,
    )
}

fn local(member: &Member, now: Instant, wall: SystemTime) -> Local {
    let mark = |origin: &Arc<Origin>| Mark {
        by: origin.by.to_string(),
        at: millis(origin.at),
    };
    let until = member.ordered.as_ref().and_then(|origin| origin.until);
    Local {
        order: member.admin.as_str(),
        ordered: member.ordered.as_ref().map(mark),
        until: until.map(|until| millis(wall + until.saturating_duration_since(now))),
        weight: member.weight,
        planned: member.plan.weight,
        weighed: member.weighed.as_ref().map(mark),
    }
}

/// Tells where views differ.
fn compare(shared: &Shared, state: &mut State, pools: &[Arc<Pool>], now: Instant) {
    let hold = |pool: &str| {
        let pool = pools.iter().find(|one| one.name().as_str() == pool);
        let probe = pool.and_then(|pool| {
            pool.load()
                .plan()
                .probe
                .as_ref()
                .map(|probe| probe.interval)
        });
        (probe.unwrap_or_default() * PROBES).clamp(HOLD_MIN, HOLD_MAX)
    };
    let State {
        differences,
        own,
        others,
        ..
    } = state;
    for news in differences.look(own, others, now, hold) {
        tell(shared, news);
    }
    shared
        .metrics
        .cluster_differences(differences.told().count());
    let fresh = others.values().filter(|word| word.is_fresh(now)).count();
    shared.metrics.cluster_members(fresh + 1);
}

fn tell(shared: &Shared, news: News) {
    let (place, event) = match news {
        News::Differ(place, here, there) => {
            let Place {
                pool,
                server,
                other,
            } = &place;
            tracing::warn!(%pool, %server, here, %other, there, "howdahs see a server differently");
            let text = format!("server is {here} here and {there} at {other}");
            let event = Event::warning(Kind::Cluster, text).reason("views-differ");
            (place, event.from(there).to(here))
        }
        News::Agree(place) => {
            let text = format!("server is the same here and at {} again", place.other);
            (
                place,
                Event::info(Kind::Cluster, text).reason("views-agree"),
            )
        }
    };
    let event = event.pool(&place.pool).server(&place.server);
    shared.metrics.journal().tell(event);
}

async fn obey(shared: &Shared, pool: &Pool, key: &Key, due: Due) {
    let snapshot = pool.load_full();
    let named = (snapshot.members().iter()).find(|member| member.plan.name.as_str() == key.1);
    let Some(member) = named else { return };
    if let Some(given) = due.order {
        let Some(order) = Order::named(&given.value) else {
            // A newer howdah knows more orders.
            tracing::debug!(order = given.value, "an order that is unknown here");
            return;
        };
        let change = Change::Order {
            server: member.plan.name.clone(),
            order,
            given: origin(&given),
        };
        if told(pool.send(change).await) {
            let text = format!("server is {order}, as ordered at {}", given.from);
            let event = Event::info(Kind::Order, text).from(member.admin).to(order);
            shared
                .metrics
                .journal()
                .tell(event.by(via(&given)).pool(&key.0).server(&key.1));
        }
    }
    if let Some(given) = due.weight {
        let weight = given.value.weight;
        let change = Change::Weight {
            server: member.plan.name.clone(),
            weight,
            given: origin(&given),
        };
        if told(pool.send(change).await) {
            let text = format!("server has weight {weight}, as ordered at {}", given.from);
            let event = Event::info(Kind::Weight, text)
                .from(member.weight)
                .to(weight);
            shared
                .metrics
                .journal()
                .tell(event.by(via(&given)).pool(&key.0).server(&key.1));
        }
    }
}

fn told(outcome: Result<(), Refused>) -> bool {
    if let Err(refused) = &outcome {
        tracing::debug!(%refused, "an order of another howdah");
    }
    outcome.is_ok()
}

/// As it was given there.
fn origin<T: Ord>(given: &Given<T>) -> Origin {
    let left = given.left(millis(SystemTime::now()));
    if let Some((left, false)) = left {
        let (from, seconds) = (&given.from, left / 1000);
        tracing::warn!(%from, seconds, "the clock there is far from ours: a drain lasts from now on for as long as it was ordered");
    }
    let left = left.map(|(left, _)| Duration::from_millis(left.min(LONGEST)));
    Origin {
        by: via(given).into(),
        at: of_millis(given.stamp),
        until: left.map(|left| Instant::now() + left),
    }
}

/// So often.
const LOOK: Duration = Duration::from_millis(100);
/// At everything else; what was read is looked at once.
const WIDE: Duration = Duration::from_millis(500);
/// A difference lasts for so many probes before it is told.
const PROBES: u32 = 3;
const HOLD_MIN: Duration = Duration::from_secs(5);
const HOLD_MAX: Duration = Duration::from_secs(120);
/// Milliseconds: a year. tokio's clock ends some years from now.
const LONGEST: u64 = 365 * 24 * 3600 * 1000;
