//! `[pool.NAME]` → [`PoolPlan`].

use std::time::Duration;

use super::server::Usual;
use super::tls::connect_tls;
use super::{count, database, discover, judge_name, kerberos, load, missing, probe, server};
use crate::base::keepalive;
use crate::config::choices::{StickyBy, WantedRole};
use crate::config::cx::Cx;
use crate::config::field::Field;
use crate::config::file::{Listener, Pool, Pools, ProbeWord, Sticky, Timeouts};
use crate::config::words::List;
use crate::plan::{
    self, CarePlan, GlobalPlan, OnRoleLost, PoolName, PoolPlan, QueuePlan, Role, RolePlan, Service,
    StickyPlan,
};

pub(super) fn lower(pools: &Pools, global: &GlobalPlan, cx: &mut Cx) -> Vec<PoolPlan> {
    let mut plans = Vec::new();
    for (name, words) in &pools.all {
        cx.owner = format!("pool {:?}", name.value);
        judge_name(name, "", "pool", cx);
        plans.push(one(&name.value, words, global, cx));
    }
    plans
}

fn one(name: &str, words: &Pool, global: &GlobalPlan, cx: &mut Cx) -> PoolPlan {
    if words.service.is_absent() {
        missing(&words.span, "service", &example(), cx);
    }
    // An unknown service is judged as HiveServer2, which has every default: no fault but its own comes of it.
    let service = words.service.or(Service::HIVESERVER2);
    let tls = words.tls.value().map(|tls| connect_tls(tls, cx));
    if let Some(span) = words.send_proxy.span()
        && service.refuses_proxy
        && words.service.value().is_some()
    {
        let what = format!(
            "{} sends PROXY headers to servers that do not read them",
            cx.owner
        );
        let why = format!(
            "{} takes the header for garbage and closes",
            service.as_str()
        );
        cx.warning(&span, what)
            .why(why)
            .fix("leave send_proxy out, unless something in between takes the header off");
    }
    let known = words.service.value().is_some();
    let inside = words.tls.span().filter(|_| service.tls_inside && known);
    database::judge_tls(inside, service.as_str(), cx);
    let probe = probe::lower(&words.probe, service, tls.as_ref(), cx);
    let server_defaults = server::defaults(&words.server_defaults, service);
    let usual = Usual {
        service,
        tls: !words.tls.is_absent(),
        defaults: &server_defaults,
    };
    let servers = server::lower(words, usual, cx);
    kerberos::judge_names(&words.probe, probe.as_ref(), &servers, cx);
    database::judge_clear(words, &servers, probe.as_ref(), cx);
    let care = care(words, service, cx);
    database::judge_role(words, care.role, probe.as_ref(), cx);
    PoolPlan {
        name: PoolName::new(name),
        discover: discover::lower(&words.discover, service, cx),
        service,
        balance: words.balance.or(service.balance),
        servers,
        server_defaults,
        send_proxy: words.send_proxy.value().copied(),
        sticky: sticky(&words.sticky, service, cx),
        probe,
        timeouts: timeouts(&words.timeouts.or(Timeouts::default()), service),
        queue: queue(words),
        care,
        load: load::lower(&words.load, service, tls.as_ref(), cx),
        tls,
        dial: words.dial.or(service.dial),
        drain_timeout: global.drain_timeout,
    }
}

/// What to write where the service is missing; a few words stand for all.
fn example() -> String {
    let mut all = Service::ALL.iter().map(|service| service.word);
    let first = all.next().unwrap_or_default();
    let few: Vec<&str> = all.by_ref().take(FEW_SERVICES).collect();
    let more = all.next().map_or("", |_| ", ...");
    let others = few.join(", ");
    format!("service = {first:?} (or {others}{more}), which brings port, probe and timeouts")
}

const FEW_SERVICES: usize = 3;

fn queue(words: &Pool) -> QueuePlan {
    let brought = QueuePlan::default();
    let most = count(&words.max_queue).and_then(|most| usize::try_from(most).ok());
    let timeouts = words.timeouts.or(Timeouts::default());
    QueuePlan {
        most: most.unwrap_or(brought.most),
        patience: timeouts.queue.or(brought.patience),
    }
}

fn care(words: &Pool, service: Service, cx: &mut Cx) -> CarePlan {
    let brought = CarePlan::DEFAULT;
    let threshold = count(&words.panic_threshold);
    CarePlan {
        slow_start: words.slow_start.or(brought.slow_start),
        panic_threshold: threshold
            .and_then(|percent| u8::try_from(percent).ok())
            .unwrap_or(brought.panic_threshold),
        on_down: words.on_down.or(brought.on_down),
        role: role(words, service, cx),
        goal: words.slo.value().copied(),
    }
}

fn role(words: &Pool, service: Service, cx: &mut Cx) -> RolePlan {
    let wanted = match words.role.value() {
        None => service.role.wanted,
        Some(WantedRole::Any) => None,
        Some(
            WantedRole::Active | WantedRole::Leader | WantedRole::Master | WantedRole::Primary,
        ) => Some(Role::Active),
        Some(WantedRole::Standby | WantedRole::Replica | WantedRole::Follower) => {
            Some(Role::Standby)
        }
    };
    let unasked = matches!(words.probe.value(), Some(ProbeWord::None));
    if let Some(span) = words.role.span()
        && wanted.is_some()
        && unasked
    {
        let what = format!(
            "{} wants servers in one role and asks none for it",
            cx.owner
        );
        cx.error(&span, what)
            .why("probe = \"none\"")
            .fix("leave probe out, or say role = \"any\"");
    }
    if let Some(span) = words.on_role_lost.span()
        && wanted.is_none()
    {
        let what = format!("{} says what a lost role costs, but wants none", cx.owner);
        cx.warning(&span, what)
            .why("without effect")
            .fix("say role = \"active\" or \"standby\" as well, or leave on_role_lost out");
    }
    let brought = match service.role.wanted {
        Some(_) => service.role.on_lost,
        None => OnRoleLost::Cut,
    };
    RolePlan {
        wanted,
        on_lost: words.on_role_lost.or(brought),
    }
}

fn sticky(field: &Field<Sticky>, service: Service, cx: &mut Cx) -> Option<StickyPlan> {
    let Some(words) = field.value() else {
        return service.sticky.map(|ttl| StickyPlan {
            ttl,
            max_entries: StickyPlan::ENTRIES,
        });
    };
    if words.by.or(StickyBy::SourceIp) == StickyBy::None {
        for (key, span) in [
            ("ttl", words.ttl.span()),
            ("max_entries", words.max_entries.span()),
        ] {
            if let Some(span) = span {
                let what = format!("sticky of {} has a {key} though it is turned off", cx.owner);
                cx.warning(&span, what)
                    .why("without effect")
                    .fix(format!("leave {key} out, or say by = \"source-ip\""));
            }
        }
        return None;
    }
    let entries = words
        .max_entries
        .value()
        .and_then(|entries| usize::try_from(entries.0).ok());
    Some(StickyPlan {
        ttl: words.ttl.or(Duration::from_secs(3600)),
        max_entries: entries.unwrap_or(StickyPlan::ENTRIES),
    })
}

fn timeouts(words: &Timeouts, service: Service) -> plan::Timeouts {
    plan::Timeouts {
        connect: words.connect.or(Duration::from_secs(3)),
        idle: words.idle.or(service.idle),
        half_close: words.half_close.or(Duration::from_secs(600)),
        udp_idle: words.udp_idle.or(service.udp_idle),
        udp_responses: count(&words.udp_responses),
        keepalive: words.keepalive.or(keepalive::DEFAULT),
        first_byte: words.first_byte.or(Duration::from_secs(60)),
    }
}

/// Warns of pools that no listener and no route names; not where a reference is wrong, which may have meant it.
pub(super) fn unused(pools: &Pools, listeners: &Field<List<Listener>>, cx: &mut Cx) {
    let Some(list) = listeners.value() else {
        return;
    };
    let routes = list
        .items
        .iter()
        .filter_map(|listener| listener.value.route.value());
    let routes = routes
        .flat_map(|routes| &routes.items)
        .map(|route| &route.value.pool);
    let own = list.items.iter().map(|listener| &listener.value);
    let wanting = own
        .clone()
        .any(|words| words.pool.value().is_none() && words.route.is_absent());
    let used: Vec<_> = own.map(|words| &words.pool).chain(routes).collect();
    let known = |pool: &&Field<String>| pool.value().is_none_or(|name| pools.names.contains(name));
    let wrong = |pool: &Field<String>| matches!(pool, Field::Faulty);
    if wanting || used.iter().any(|pool| wrong(pool) || !known(pool)) {
        return;
    }
    for (name, _) in &pools.all {
        if !used.iter().any(|pool| pool.value() == Some(&name.value)) {
            let what = format!("pool {:?} serves nobody", name.value);
            let fix = format!(
                "say pool = {:?} in a [[listener]] or a route, or leave the pool out",
                name.value
            );
            cx.warning(&name.span, what)
                .why("no listener names it")
                .fix(fix);
        }
    }
}
