//! A file asked alone: its pools as they would stand with every server up, and nobody here yet.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Explanation, Query, Rules, Scene, explain};
use crate::plan::{ListenerPlan, Plan, PoolName, PoolPlan};
use crate::pool::Pool;
use crate::session::{Destination, Limit, Sources, Switch};
use crate::telemetry::Metrics;

/// Where such a client would go; `None`: there is no such listener.
pub fn explain_file(plan: &Plan, listener: &str, query: &Query) -> Option<Explanation> {
    let mut listeners = plan.listeners.iter();
    let listener = listeners.find(|one| one.name.as_str() == listener)?;
    let pools: HashMap<PoolName, Destination> = (plan.pools.iter())
        .map(|pool| (pool.name.clone(), destination(pool)))
        .collect();
    let switch = switch(listener, &pools);
    let rules = Rules {
        plan: listener,
        switch: &switch,
        limit: &Limit::new(listener.max_connections, listener.max_per_second),
        udp_limit: &Limit::new(Some(listener.most_over_udp()), listener.max_per_second),
        process_limit: &Limit::new(
            Some(plan.global.max_connections),
            plan.global.max_per_second,
        ),
        sources: &Sources::new(),
    };
    Some(explain(rules, &Scene::File, query, Instant::now()))
}

/// Without probes every server counts as up.
fn destination(plan: &Arc<PoolPlan>) -> Destination {
    let unasked = PoolPlan {
        probe: None,
        ..PoolPlan::clone(plan)
    };
    let (pool, _) = Pool::new(Arc::new(unasked), &Metrics::new());
    Destination {
        metrics: Arc::clone(pool.metrics()),
        connector: None,
        pool,
    }
}

fn switch(listener: &ListenerPlan, pools: &HashMap<PoolName, Destination>) -> Switch {
    let find = |pool: &PoolName| pools.get(pool).cloned();
    let routes = listener.routes.iter();
    Switch {
        routes: routes
            .filter_map(|route| Some((route.sni.clone(), find(&route.pool)?)))
            .collect(),
        default: listener.pool.as_ref().and_then(find),
    }
}
