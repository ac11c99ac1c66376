//! The journal: what happened, in order, for whoever asks later or follows now.
//!
//! Rooms tell an [`Event`] at the one place where it happens. The journal numbers it, keeps it in a bounded ring and wakes
//! those who follow. Who tells never waits for who reads: a [`Follower`] has no queue of its own but a place in the ring,
//! and one that is too slow hears how many events it missed.
//!
//! Numbers begin at the time of the start, in milliseconds. So those of a later run are larger, also where no store kept
//! the earlier ones, and who asks for what came after a number of the last run gets what came since. Where the clock was set
//! back in between, the numbers of this run go up behind the stored ones as soon as these are read. There is no event for
//! a session: they have the access log.

mod event;
mod ring;
mod written;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use prometheus::{IntCounter, IntCounterVec};
use tokio::sync::watch;

pub use self::event::{Event, Kind, Severity, about};
use self::ring::{Bounds, Moved, Ring};

/// Cheap to clone; clones are the same journal.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    ring: Mutex<Ring>,
    /// The last number that was given.
    newest: watch::Sender<u64>,
    told: IntCounterVec,
    missed: IntCounter,
}

/// Some events, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Oldest first.
    pub events: Vec<Arc<Event>>,
    /// Ask for what comes after this one next.
    pub last: u64,
    /// Events that should be among these and are kept no more.
    pub lost: u64,
}

/// Hears of every event after the one that it has heard last.
pub struct Follower {
    journal: Journal,
    after: u64,
    /// When `after` was set.
    moved: Moved,
    newest: watch::Receiver<u64>,
}

impl Journal {
    pub(super) fn new(told: IntCounterVec, missed: IntCounter) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let first = since.map_or(1, |since| since.as_millis());
        let ring = Ring::new(u64::try_from(first).unwrap_or(1), BOUNDS);
        Self(Arc::new(Shared {
            ring: Mutex::new(ring),
            newest: watch::Sender::new(0),
            told,
            missed,
        }))
    }

    /// Never waits for a reader.
    pub fn tell(&self, event: Event) {
        let words = [event.kind.as_str(), event.severity.as_str()];
        self.0.told.with_label_values(&words).inc();
        let seq = self.ring().push(event);
        self.0
            .newest
            .send_modify(|newest| *newest = seq.max(*newest));
    }

    /// Puts events of earlier runs, in their order, before those of this one.
    pub fn restore(&self, earlier: Vec<Event>) {
        self.ring().restore(earlier);
    }

    /// The number of the newest event; 0 before the first.
    pub fn last(&self) -> u64 {
        self.ring().last()
    }

    /// The first `limit` after that number that are wanted.
    pub fn after(&self, seq: u64, limit: usize, wanted: impl Fn(&Event) -> bool) -> Page {
        let ring = self.ring();
        let mut found = ring.after(seq).filter(|event| wanted(event));
        let events: Vec<_> = found.by_ref().take(limit).cloned().collect();
        let more = found.next().is_some();
        let reached = events.last().filter(|_| more).map(|event| event.seq);
        Page {
            last: reached.unwrap_or_else(|| ring.last()),
            lost: ring.lost(seq),
            events,
        }
    }

    /// The newest `limit` that are wanted.
    pub fn newest(&self, limit: usize, wanted: impl Fn(&Event) -> bool) -> Page {
        let ring = self.ring();
        let found = ring.after(0).rev().filter(|event| wanted(event));
        let mut events: Vec<_> = found.take(limit).cloned().collect();
        events.reverse();
        Page {
            events,
            last: ring.last(),
            lost: 0,
        }
    }

    /// From the event after that number on: 0 for all that are kept, [`Journal::last`] for those to come.
    pub fn follow(&self, after: u64) -> Follower {
        Follower {
            journal: self.clone(),
            after,
            moved: self.ring().moved(),
            newest: self.0.newest.subscribe(),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// The events that came since the last call, at least one and at most some hundred, or that some were missed. Cancel-safe.
    pub async fn next(&mut self) -> Page {
        loop {
            self.newest.borrow_and_update();
            let moved = self.journal.ring().moved();
            self.after = moved.since(self.moved, self.after);
            self.moved = moved;
            let page = self.journal.after(self.after, BATCH, |_| true);
            if !page.events.is_empty() {
                self.after = page.last;
                self.journal.0.missed.inc_by(page.lost);
                return page;
            }
            if self.newest.changed().await.is_err() {
                // The sender lives as long as the journal, which is held here.
                std::future::pending().await
            }
        }
    }
}

/// Ten thousand events of the usual length are some 5 MiB; a week of a platform's failures is a few hundred.
const BOUNDS: Bounds = Bounds {
    events: 10_000,
    bytes: 8 * 1024 * 1024,
};
/// Events that a follower takes at once.
const BATCH: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;
    use tokio_test::{assert_pending, assert_ready, task};

    fn tell(journal: &Journal, count: usize) {
        for number in 0..count {
            let kind = if number % 2 == 0 {
                Kind::Health
            } else {
                Kind::Order
            };
            journal.tell(Event::info(kind, number).pool("hive"));
        }
    }

    fn texts(page: &Page) -> Vec<&str> {
        page.events
            .iter()
            .map(|event| event.text.as_str())
            .collect()
    }

    #[test]
    fn pages_go_on_where_the_last_one_ended() {
        let metrics = Metrics::new();
        let journal = metrics.journal();
        tell(journal, 7);
        let orders = |event: &Event| event.kind == Kind::Order;
        let first = journal.after(0, 2, orders);
        assert_eq!(texts(&first), ["1", "3"]);
        let second = journal.after(first.last, 2, orders);
        assert_eq!(texts(&second), ["5"]);
        assert_eq!(second.last, journal.last());
        assert_eq!(
            texts(&journal.after(second.last, 2, orders)),
            Vec::<&str>::new()
        );
        assert_eq!(texts(&journal.newest(2, |_| true)), ["5", "6"]);
    }

    #[test]
    fn a_follower_hears_of_what_comes_and_of_what_it_missed() {
        let metrics = Metrics::new();
        let journal = metrics.journal();
        tell(journal, 2);
        let mut follower = journal.follow(journal.last());
        {
            let mut next = task::spawn(follower.next());
            assert_pending!(next.poll());
            tell(journal, 1);
            assert!(next.is_woken());
            assert_eq!(texts(&assert_ready!(next.poll())), ["0"]);
        }
        tell(journal, BOUNDS.events + 5);
        let mut seen = 0;
        let first = assert_ready!(task::spawn(follower.next()).poll());
        assert_eq!((first.lost, first.events.len()), (5, BATCH));
        seen += first.events.len();
        while seen < BOUNDS.events {
            let page = assert_ready!(task::spawn(follower.next()).poll());
            assert_eq!(page.lost, 0);
            seen += page.events.len();
        }
        assert_pending!(task::spawn(follower.next()).poll());
        let text = metrics.render();
        assert!(text.contains("howdah_journal_missed_total 5"), "{text}");
    }

    #[test]
    fn a_follower_hears_nothing_twice_when_numbers_move() {
        let metrics = Metrics::new();
        let journal = metrics.journal();
        tell(journal, 2);
        let mut follower = journal.follow(journal.last());
        let mut earlier = Event::info(Kind::Reload, "of the last run");
        earlier.seq = journal.last() + 1_000;
        journal.restore(vec![earlier]);
        assert_eq!(journal.after(0, 9, |_| true).events.len(), 3);
        tell(journal, 1);
        let page = assert_ready!(task::spawn(follower.next()).poll());
        assert_eq!(texts(&page), ["0"]);
    }

    #[test]
    fn ten_thousand_events_take_what_is_said() {
        let mut ring = Ring::new(1, BOUNDS);
        let detail =
            "connect: nobody listens at 10.1.2.3:10000: connection refused; it was up for 3h12m";
        let mut bytes = 0;
        for _ in 0..BOUNDS.events {
            let event = Event::warning(Kind::Health, format!("server is down: {detail}"))
                .pool("hive")
                .server("hs2-1.example.com:10000")
                .from("up")
                .to("down")
                .reason("connect-refused");
            bytes += event.size();
            ring.push(event);
        }
        assert!(bytes < 6 * 1024 * 1024, "{bytes} bytes");
        assert_eq!(ring.after(0).count(), BOUNDS.events);
    }
}
