//! Tells who leads, and which addresses may be held, the moment that it changes: also when nothing comes from outside.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::shared::Shared;
use crate::telemetry::journal::{Event, Kind};

/// Until it is dropped.
pub(super) async fn run(shared: &Shared) {
    loop {
        let now = Instant::now();
        look(shared, now);
        let until = shared.alive.until().filter(|until| *until > now);
        // A lease that is over changes only when somebody renews it.
        let until = until.unwrap_or(now + LONG);
        tokio::select! {
            () = shared.clock.notified() => {}
            () = sleep_until(until) => {}
        }
    }
}

fn look(shared: &Shared, now: Instant) {
    let leads = shared.lead.holds(now);
    let turned = shared
        .leads
        .send_if_modified(|known| std::mem::replace(known, leads) != leads);
    if turned {
        tell(shared, leads);
    }
    let alive = shared.alive.holds(now);
    for latch in shared.state().fences.values() {
        let may = latch.held && alive;
        latch
            .may
            .send_if_modified(|known| std::mem::replace(known, may) != may);
    }
}

fn tell(shared: &Shared, leads: bool) {
    shared.metrics.cluster_leads(leads);
    let name = &shared.name;
    let event = if leads {
        tracing::info!(%name, "leads: takes the sessions");
        Event::info(
            Kind::Cluster,
            format!("{name} leads: it takes the sessions"),
        )
        .to("leader")
    } else {
        tracing::warn!(%name, "leads no more: takes no new sessions");
        Event::warning(
            Kind::Cluster,
            format!("{name} leads no more: it takes no new sessions"),
        )
        .to("standby")
    };
    shared.metrics.journal().tell(event);
}

/// Nothing happens by itself.
const LONG: Duration = Duration::from_secs(3600);
