//! A howdah takes another one's place in the cluster: the session with ZooKeeper changes hands, and whatever it holds stays.
//!
//! ```text
//!  old: stops between two exchanges, closes its connection and not the session, tells it
//!  new: leads at once, for as long as the old one's lease; takes the session up; its first write renews the lease
//! ```
//! Nobody else notices: members, latches and their owner are the same. Until the old one has told it, the new one asks nothing
//! of ZooKeeper, so that a takeover that fails leaves the session where it is. The old one never takes it up again.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::handed::{Handed, left};
use super::shared::Leaving;
use super::{Cluster, GOODBYE, clock};
use crate::plan::Secret;
use crate::telemetry::journal::{Event, Kind};

impl Cluster {
    /// Stops, and tells what a successor needs to go on in our place: the session lasts, and what it holds. `None`: there is
    /// none. Waits for a moment at most; leases run out by themselves.
    pub async fn hand_over(&self) -> Option<Secret> {
        let shared = &self.0;
        let mut leaving = shared.leaving.subscribe();
        shared.leaving.send_replace(Leaving::HandingOver);
        let done = leaving.wait_for(|leaving| *leaving == Leaving::Done);
        // One that waits for an answer ends with it, and begins nothing more.
        let _ = timeout(GOODBYE, done).await;
        let state = shared.state();
        let (session, zxid) = state.session;
        let held = state.fences.iter().filter(|(_, latch)| latch.held);
        let now = Instant::now();
        let handed = Handed {
            session,
            zxid,
            alive: left(shared.alive.until(), now),
            leads: left(shared.lead.until(), now),
            vips: held.map(|(vip, _)| vip.clone()).collect(),
        };
        (session.id != 0).then(|| handed.write())
    }

    /// No predecessor is there any more. Where it has `handed` its session over, which says of time what was left after the
    /// given moment, this howdah goes on in it; else in a new one.
    pub fn enter(&self, handed: Option<(&Secret, Instant)>) {
        if let Some((text, asked)) = handed {
            // No longer than a session of ours could be, as it has our time when it is taken up.
            match Handed::read(text, self.0.plan.session_timeout * 2 / 3) {
                Some(handed) => self.go_on_in(handed, asked),
                None => self.tell_of_nothing(),
            }
        }
        self.0.entered.send_replace(true);
    }

    fn go_on_in(&self, handed: Handed, asked: Instant) {
        let (shared, now) = (&self.0, Instant::now());
        let mut state = shared.state();
        state.session = (handed.session, handed.zxid);
        for (vip, latch) in &mut state.fences {
            latch.held = handed.vips.contains(vip);
        }
        let latches: BTreeSet<String> = handed.vips.into_iter().collect();
        state.came = Some((latches, now + UNDECIDED));
        drop(state);
        shared.alive.renew(asked + handed.alive);
        if self.is_exclusive() && !handed.leads.is_zero() {
            shared.lead.renew(asked + handed.leads);
        }
        clock::look(shared, now);
    }

    fn tell_of_nothing(&self) {
        let text = "the session of the howdah before cannot be read: a new one is opened";
        tracing::warn!("{text}");
        let event = Event::warning(Kind::Cluster, text.to_owned());
        self.0.metrics.journal().tell(event);
    }
}

/// A virtual address that begins says within milliseconds whether its latch is wanted.
const UNDECIDED: Duration = Duration::from_secs(3);
