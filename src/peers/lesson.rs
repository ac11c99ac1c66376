//! Who is asked for everything that others know, after a start. Pure.
//!
//! One peer at a time is asked. One that says that others may know more is not asked again, and the next one is. Nobody
//! to ask for five seconds: this howdah goes on with what it knows, and yet asks the first one who comes. One that never comes to
//! an end is waited for a minute: what it has told counts, and the next one is asked.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Lesson {
    asked: Option<(Arc<str>, Instant)>,
    /// Those who know no more than they told.
    partial: HashSet<Arc<str>>,
    /// Somebody told everything, or everybody what they know.
    is_over: bool,
    /// When nobody is waited for any more.
    until: Instant,
}

impl Lesson {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            asked: None,
            partial: HashSet::new(),
            is_over: false,
            until: now + PATIENCE,
        }
    }

    /// Whether this peer is to be asked now; it is then.
    pub(super) fn ask(&mut self, peer: &Arc<str>, now: Instant) -> bool {
        let wanted = !self.is_over && self.asked.is_none() && !self.partial.contains(peer);
        if wanted {
            self.asked = Some((Arc::clone(peer), now));
        }
        wanted
    }

    /// Whether this peer was asked too long ago; it is waited for no longer then.
    pub(super) fn is_overdue(&mut self, peer: &Arc<str>, now: Instant) -> bool {
        let since = self.asked.as_ref().filter(|(asked, _)| asked == peer);
        let overdue = since.is_some_and(|(_, since)| now >= *since + LONGEST);
        if overdue {
            self.told(peer, false, now);
        }
        overdue
    }

    fn is_asked(&self, peer: &Arc<str>) -> bool {
        self.asked.as_ref().is_some_and(|(asked, _)| asked == peer)
    }

    /// The one who was asked has told everything, or all that it knows.
    pub(super) fn told(&mut self, peer: &Arc<str>, everything: bool, now: Instant) {
        if !self.is_asked(peer) {
            return;
        }
        self.asked = None;
        self.is_over |= everything;
        if !everything {
            self.partial.insert(Arc::clone(peer));
        }
        self.until = now + PATIENCE;
    }

    /// The connection to this peer is gone.
    pub(super) fn lost(&mut self, peer: &Arc<str>, now: Instant) {
        if self.is_asked(peer) {
            self.asked = None;
            self.until = now + PATIENCE;
        }
    }

    /// Whether this howdah may say of itself that it knows everything.
    pub(super) fn is_complete(&self, now: Instant) -> bool {
        self.is_over || self.asked.is_none() && now >= self.until
    }
}

/// As HAProxy has it (`PEER_RESYNC_TIMEOUT`).
const PATIENCE: Duration = Duration::from_secs(5);
/// For one lesson: a million entries take a few seconds.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> [Arc<str>; 2] {
        ["a".into(), "b".into()]
    }

    #[test]
    fn one_is_asked_at_a_time_and_one_that_knows_everything_is_the_last() {
        let ([a, b], now) = (names(), Instant::now());
        let mut lesson = Lesson::new(now);
        assert!(lesson.ask(&a, now));
        assert!(!lesson.ask(&b, now), "a is asked");
        assert!(!lesson.is_complete(now + 2 * PATIENCE), "a still tells");
        lesson.told(&b, true, now);
        assert!(!lesson.is_complete(now), "nobody asked b");
        lesson.told(&a, false, now);
        assert!(!lesson.ask(&a, now), "it has told what it knows");
        assert!(lesson.ask(&b, now));
        lesson.told(&b, true, now);
        assert!(lesson.is_complete(now) && !lesson.ask(&a, now));
    }

    #[test]
    fn who_has_learned_everything_asks_nobody_more_and_who_has_not_waits_anew() {
        let ([a, b], now) = (names(), Instant::now());
        let mut lesson = Lesson::new(now);
        assert!(lesson.ask(&a, now));
        lesson.told(&a, false, now + PATIENCE);
        assert!(
            !lesson.is_complete(now + PATIENCE * 3 / 2),
            "b may know more"
        );
        assert!(lesson.is_complete(now + PATIENCE * 2));
        assert!(lesson.ask(&b, now));
        lesson.told(&b, true, now);
        let c: Arc<str> = "c".into();
        assert!(!lesson.ask(&b, now) && !lesson.ask(&c, now));
    }

    #[test]
    fn nobody_is_waited_for_for_long_and_who_comes_late_is_asked_all_the_same() {
        let ([a, b], now) = (names(), Instant::now());
        let mut lesson = Lesson::new(now);
        assert!(!lesson.is_complete(now));
        assert!(lesson.is_complete(now + PATIENCE));
        assert!(lesson.ask(&a, now));
        lesson.lost(&b, now);
        assert!(!lesson.ask(&b, now));
        lesson.lost(&a, now);
        assert!(lesson.ask(&b, now));
    }
}
