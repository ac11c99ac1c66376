//! The sessions of a port: found by their client, ended by age. Pure.
//!
//! Entries are linked in the order of their last datagram, so that who is idle the longest is at hand, and moving one to
//! the end of that order takes a few steps however many there are.

use std::collections::HashMap;
use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;

use super::address::Ends;

/// See the module.
pub(super) struct Table<S> {
    entries: Slab<Entry<S>>,
    found: HashMap<Ends, usize>,
    /// Idle the longest, and the shortest.
    oldest: Option<usize>,
    newest: Option<usize>,
    /// No session present is given less.
    least_idle: Duration,
}

struct Entry<S> {
    session: S,
    ends: Ends,
    /// How long it may be.
    idle: Duration,
    last: Instant,
    older: Option<usize>,
    newer: Option<usize>,
}

impl<S> Table<S> {
    pub(super) fn new() -> Self {
        Self {
            entries: Slab::new(),
            found: HashMap::new(),
            oldest: None,
            newest: None,
            least_idle: Duration::MAX,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whose session that is.
    pub(super) fn find(&self, ends: &Ends) -> Option<usize> {
        self.found.get(ends).copied()
    }

    /// The number that the next session will have.
    pub(super) fn vacant(&self) -> usize {
        self.entries.vacant_key()
    }

    /// A session that just had a datagram, for clients that have none.
    pub(super) fn insert(&mut self, ends: Ends, session: S, idle: Duration, now: Instant) {
        let index = self.entries.insert(Entry {
            session,
            ends,
            idle,
            last: now,
            older: None,
            newer: None,
        });
        self.found.insert(ends, index);
        self.least_idle = self.least_idle.min(idle);
        self.link(index);
    }

    pub(super) fn get(&mut self, index: usize) -> Option<(&mut S, Ends)> {
        let entry = self.entries.get_mut(index)?;
        Some((&mut entry.session, entry.ends))
    }

    /// A datagram passed, either way.
    pub(super) fn touch(&mut self, index: usize, now: Instant) {
        self.entries[index].last = now;
        if self.newest != Some(index) {
            self.unlink(index);
            self.link(index);
        }
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<S> {
        self.entries.get(index)?;
        self.unlink(index);
        let entry = self.entries.remove(index);
        self.found.remove(&entry.ends);
        if self.entries.is_empty() {
            self.give_back();
        }
        Some(entry.session)
    }

    /// Who is idle the longest.
    pub(super) fn oldest(&self) -> Option<usize> {
        self.oldest
    }

    /// Those for which `wanted` holds.
    pub(super) fn all(&self, wanted: impl Fn(&S) -> bool) -> Vec<usize> {
        let wanted = self.entries.iter().filter(|(_, one)| wanted(&one.session));
        wanted.map(|(index, _)| index).collect()
    }

    /// Shows `most` entries from `start` on, and when each had its last datagram; returns where the next slice begins, if
    /// there is one.
    pub(super) fn slice(
        &self,
        start: usize,
        most: usize,
        mut show: impl FnMut(&S, Instant),
    ) -> Option<usize> {
        let until = start.saturating_add(most);
        for entry in
            (start..until.min(self.entries.capacity())).filter_map(|index| self.entries.get(index))
        {
            show(&entry.session, entry.last);
        }
        (until < self.entries.capacity()).then_some(until)
    }

    /// When somebody may have been idle for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        let oldest = self.entries.get(self.oldest?)?;
        Some(oldest.last + self.least_idle)
    }

    /// Who has been idle for too long.
    pub(super) fn idle(&mut self, now: Instant) -> Vec<usize> {
        let mut over = Vec::new();
        let mut next = self.oldest;
        while let Some(index) = next {
            let entry = &self.entries[index];
            let silence = now.saturating_duration_since(entry.last);
            if silence < self.least_idle {
                break;
            }
            if silence >= entry.idle {
                over.push(index);
            }
            next = entry.newer;
        }
        if over.is_empty() && next != self.oldest {
            // Whoever had so little is gone, or it would be looked through in vain again and again.
            let present = self.entries.iter().map(|(_, entry)| entry.idle);
            self.least_idle = present.min().unwrap_or(Duration::MAX);
        }
        over
    }

    /// A burst must not keep its memory for good.
    fn give_back(&mut self) {
        if self.entries.capacity() > KEPT {
            self.entries = Slab::new();
            self.found = HashMap::new();
        }
        self.least_idle = Duration::MAX;
    }

    fn link(&mut self, index: usize) {
        let older = self.newest.replace(index);
        self.entries[index].older = older;
        self.entries[index].newer = None;
        match older {
            Some(older) => self.entries[older].newer = Some(index),
            None => self.oldest = Some(index),
        }
    }

    fn unlink(&mut self, index: usize) {
        let (older, newer) = (self.entries[index].older, self.entries[index].newer);
        match older {
            Some(older) => self.entries[older].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.entries[newer].older = older,
            None => self.newest = older,
        }
    }
}

/// Entries whose memory is kept while there are none.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(10);

    fn ends(port: u16) -> Ends {
        Ends {
            client: ([10, 0, 0, 1], port).into(),
            asked: None,
        }
    }

    fn table(sessions: &[(u16, Duration)], now: Instant) -> Table<u16> {
        let mut table = Table::new();
        for (port, idle) in sessions {
            table.insert(ends(*port), *port, *idle, now);
        }
        table
    }

    fn names(table: &mut Table<u16>, found: &[usize]) -> Vec<u16> {
        let name = |index: &usize| *table.get(*index).expect("there").0;
        found.iter().map(name).collect()
    }

    #[test]
    fn who_spoke_last_is_the_last_to_go() {
        let now = Instant::now();
        let mut table = table(&[(1, LONG), (2, LONG), (3, LONG)], now);
        let first = table.find(&ends(1)).expect("there");
        table.touch(first, now + SHORT);
        let mut gone = Vec::new();
        while let Some(oldest) = table.oldest() {
            gone.extend(table.remove(oldest));
        }
        assert_eq!(gone, [2, 3, 1]);
        assert!(table.is_empty() && table.find(&ends(1)).is_none());
        assert_eq!(table.due(), None);
    }

    #[test]
    fn each_has_the_time_that_it_began_with() {
        let now = Instant::now();
        let mut table = table(&[(1, LONG), (2, SHORT), (3, SHORT)], now);
        let third = table.find(&ends(3)).expect("there");
        table.touch(third, now + SHORT / 2);
        assert_eq!(table.due(), Some(now + SHORT));
        let over = table.idle(now + SHORT);
        assert_eq!(names(&mut table, &over), [2]);
        let over = table.idle(now + SHORT * 2);
        assert_eq!(names(&mut table, &over), [2, 3]);
        let over = table.idle(now + LONG);
        assert_eq!(names(&mut table, &over), [1, 2, 3]);
    }

    #[test]
    fn the_longer_time_of_a_reload_is_not_looked_for_in_vain() {
        let now = Instant::now();
        let mut table = table(&[(1, SHORT), (2, LONG)], now);
        let first = table.find(&ends(1)).expect("there");
        assert_eq!(table.idle(now + SHORT), [first]);
        table.remove(first);
        assert!(table.idle(now + SHORT).is_empty());
        assert_eq!(table.due(), Some(now + LONG));
    }

    #[test]
    fn a_burst_leaves_no_memory_behind() {
        let now = Instant::now();
        let many: Vec<(u16, Duration)> = (0..10_000).map(|port| (port, LONG)).collect();
        let mut table = table(&many, now);
        for index in table.all(|_| true) {
            table.remove(index);
        }
        assert_eq!((table.entries.capacity(), table.found.capacity()), (0, 0));
    }
}
