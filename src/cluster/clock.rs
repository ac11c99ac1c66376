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

pub(super) fn look(shared: &Shared, now: Instant) {
    let leads = shared.lead.holds(now);
    let turned = shared
        .leads
        .send_if_modified(|known| std::mem::replace(known, leads) != leads);
    if turned {
        tell(shared, leads);
    }
    let alive = shared.alive.holds(now);
    for latch in shared.state().fences.values() {
        latch.tell(latch.held && alive);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::sync::watch;
    use tokio::time::sleep;

    use super::*;
    use crate::cluster::shared::{Latch, tests::shared};

    #[tokio::test(start_paused = true)]
    async fn what_was_held_ends_by_the_clock_when_nothing_is_heard_any_more() {
        let shared = shared();
        let (_wants, wants) = watch::channel(true);
        let (may, mut allowed) = watch::channel(false);
        let held = |held| Latch {
            wants: wants.clone(),
            may: may.clone(),
            held,
        };
        shared.state().fences = BTreeMap::from([("front".to_owned(), held(false))]);
        let mut leads = shared.leads.subscribe();
        let until = Instant::now() + Duration::from_secs(4);
        let hears = async {
            shared.alive.renew(until);
            shared.lead.renew(until);
            shared.clock.notify_one();
            leads.changed().await.unwrap();
            assert!(*leads.borrow_and_update());
            assert!(!*allowed.borrow(), "its latch is another's");
            shared.state().fences = BTreeMap::from([("front".to_owned(), held(true))]);
            shared.clock.notify_one();
            allowed.changed().await.unwrap();
            assert!(*allowed.borrow_and_update());
            // And nothing more comes.
            allowed.changed().await.unwrap();
            assert!(!*allowed.borrow_and_update());
            assert!(!*leads.borrow_and_update());
            assert_eq!(Instant::now(), until);
            sleep(Duration::from_secs(60)).await;
            assert!(!leads.has_changed().unwrap());
        };
        tokio::select! {
            () = run(&shared) => unreachable!("runs until it is dropped"),
            () = hears => {}
        }
    }
}
