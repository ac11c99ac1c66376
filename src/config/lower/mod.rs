//! Words → Plan: what belongs together, what is missing, what the service brings.
//!
//! Each part goes on past a fault with the default in its place, so that all are found in one run; whether a plan comes
//! out of it is decided by [`super::judge`] from the faults that were noted.

mod address;
mod admin;
mod alert;
mod certificate;
mod circle;
mod clients;
mod cluster;
mod collision;
mod command;
mod content;
mod count;
mod database;
mod discover;
mod exchange;
mod history;
mod http;
mod kerberos;
mod listener;
mod load;
mod log;
mod material;
pub(super) mod members;
mod names;
mod networks;
mod peers;
mod pool;
mod probe;
mod probe_rules;
mod protocol;
mod route;
mod server;
mod state;
mod tls;
mod vip;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub(super) use self::address::address;
use self::count::count;
pub(super) use self::material::reason;
use self::names::{judge_name, missing, pool_reference};
pub(super) use self::probe::lower as probe;
use super::cx::Cx;
use super::field::Field;
use super::file::{Admin, File, Global, History, Log, Pools, State, Vips};
use crate::plan::{Confine, CpuAffinity, GlobalPlan, Plan, RelayWay};

/// The plan, as far as it can be made.
pub(super) fn lower(file: &File, cx: &mut Cx) -> Option<Plan> {
    let global = global(&file.global.or(Global::default()), cx);
    let admin = admin::lower(&file.admin.or(Admin::default()), cx);
    let log = log::lower(&file.log.or(Log::default()), cx);
    let history = history::lower(&file.history.or(History::default()), cx);
    let cluster = cluster::lower(&file.cluster, cx).map(Arc::new);
    let state = state::lower(&file.state.or(State::default()), global.user.as_ref(), cx);
    let no_pools = Pools::default();
    let pools = file.pool.value().unwrap_or(&no_pools);
    if file.pool.is_absent() || file.pool.value().is_some_and(Pools::is_empty) {
        cx.error_anywhere("there is no pool in the file")
            .fix("add one: [pool.hive] with service = \"hiveserver2\" and servers = [\"HOST\"]");
    }
    let known = (!matches!(file.pool, Field::Faulty) && !pools.strays).then_some(pools);
    let listeners = listener::lower(&file.listener, known, admin.bind, cx);
    let plans = pool::lower(pools, &global, cx);
    pool::unused(pools, &file.listener, cx);
    let alerts = alert::lower(&file.alert, known, cx);
    let peers = peers::lower(&file.cluster, (known, &plans), cx).map(Arc::new);
    let vips = vip::lower(&file.vip.or(Vips::default()), &listeners, cx);
    circle::judge(pools, &listeners, &plans, cx);
    Some(Plan {
        global,
        admin,
        log,
        history,
        state,
        cluster,
        peers,
        listeners,
        pools: plans.into_iter().map(Arc::new).collect(),
        alerts,
        vips,
    })
}

fn global(words: &Global, cx: &mut Cx) -> GlobalPlan {
    "[global]".clone_into(&mut cx.owner);
    let workers = words
        .workers
        .value()
        .and_then(|workers| usize::try_from(workers.0).ok());
    GlobalPlan {
        workers: workers.and_then(NonZeroUsize::new),
        max_connections: count(&words.max_connections).unwrap_or(GlobalPlan::MAX_CONNECTIONS),
        max_per_second: count(&words.max_per_second),
        drain_timeout: words.drain_timeout.or(Duration::from_secs(30 * 60)),
        shutdown_delay: words.shutdown_delay.or(Duration::ZERO),
        relay: words.relay.or(RelayWay::Auto),
        cpu_affinity: words.cpu_affinity.or(CpuAffinity::Auto),
        user: words.user.get().and_then(|name| material::user(name, cx)),
        confine: words.confine.or(Confine::Auto),
    }
}
