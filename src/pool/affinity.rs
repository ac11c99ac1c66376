//! Which client belongs to which server: `sticky by = "source-ip"`.
//!
//! An entry lives while a session of its client lives, and `ttl` beyond the last one. The table is bounded:
//! the entry that is idle for longest goes first, one with sessions never; a client that finds no room is
//! balanced like any other. It belongs to the pool, not to a snapshot, so it survives reloads; whether the
//! server may still take sessions is judged at each choice, not here.
//!
//! Entries also come from outside: out of the memory of a former howdah, and from peers. They are *learned*, and not told
//! again to those who read the [`Feed`].

mod entries;
mod feed;

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use self::entries::{Entries, Entry, SHARDS};
use self::feed::Feed;
use super::ServerId;
use crate::plan::StickyPlan;

/// See the module. All times are passed in.
#[derive(Default)]
pub(super) struct Affinity {
    entries: Entries,
    /// Idle clients, oldest first; a client whose stamp is no longer its entry's came back since.
    idle: VecDeque<(IpAddr, u64)>,
    stamp: u64,
    evicted: u64,
    /// Counts what would be written otherwise than before.
    version: u64,
    feed: Option<Box<Feed>>,
}

/// What is known of a client that belongs to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickyEntry {
    /// Whose it is.
    pub server: ServerId,
    /// Sessions that keep the entry.
    pub sessions: u32,
    /// How long there have been none; `None` while there are some.
    pub idle: Option<Duration>,
}

/// An entry as others are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) client: IpAddr,
    pub(super) server: ServerId,
    /// How long it lives on without a session; `None`: it has some.
    pub(super) left: Option<Duration>,
}

impl Affinity {
    /// The server that this client belongs to.
    pub(super) fn find(
        &mut self,
        client: IpAddr,
        plan: &StickyPlan,
        now: Instant,
    ) -> Option<ServerId> {
        self.expire(plan, now);
        self.look(client, plan, now).map(|entry| entry.server)
    }

    /// What [`Self::find`] goes by, and leaves as it is.
    pub(super) fn look(
        &self,
        client: IpAddr,
        plan: &StickyPlan,
        now: Instant,
    ) -> Option<StickyEntry> {
        let entry = self.entries.get(&client)?;
        let idle = (entry.idle_since).map(|since| now.saturating_duration_since(since));
        idle.is_none_or(|idle| idle < plan.ttl)
            .then_some(StickyEntry {
                server: entry.server,
                sessions: entry.sessions,
                idle,
            })
    }

    /// A session of this client begins; false when it has no entry.
    pub(super) fn hold(&mut self, client: IpAddr) -> bool {
        let Some(entry) = self.entries.get_mut(&client) else {
            return false;
        };
        entry.sessions += 1;
        self.version += u64::from(entry.idle_since.take().is_some());
        if let Some(feed) = &mut self.feed {
            feed.push(client, entry.server);
        }
        true
    }

    /// The client belongs to this server from now on, and begins a session there; false when there is no room.
    pub(super) fn bind(&mut self, client: IpAddr, server: ServerId, plan: &StickyPlan) -> bool {
        if let Some(entry) = self.entries.get_mut(&client) {
            entry.server = server;
            self.version += 1;
            return self.hold(client);
        }
        if !self.make_room(plan) {
            return false;
        }
        let entry = Entry {
            server,
            sessions: 1,
            idle_since: None,
            stamp: 0,
        };
        self.entries.insert(client, entry);
        self.version += 1;
        if let Some(feed) = &mut self.feed {
            feed.push(client, server);
        }
        true
    }

    /// Somebody else knows that the client belongs to this server, for `left` from now on where it has no session; false when
    /// there is no room. One with less time than those before it is forgotten after them, and leads nobody after its time.
    pub(super) fn learn(&mut self, known: Known, plan: &StickyPlan, now: Instant) -> bool {
        let Known {
            client,
            server,
            left,
        } = known;
        let passed = plan.ttl.saturating_sub(left.unwrap_or(plan.ttl));
        // Shortly after its start, a machine's clock does not reach back so far.
        let since = now.checked_sub(passed).unwrap_or(now);
        if passed >= plan.ttl {
            return false;
        }
        let has_sessions = (self.entries.get_mut(&client)).is_some_and(|entry| {
            entry.server = server;
            entry.sessions > 0
        });
        self.version += 1;
        if has_sessions {
            return true;
        }
        if self.entries.get(&client).is_none() && !self.make_room(plan) {
            return false;
        }
        self.stamp += 1;
        let entry = Entry {
            server,
            sessions: 0,
            idle_since: Some(since),
            stamp: self.stamp,
        };
        self.entries.insert(client, entry);
        self.idle.push_back((client, self.stamp));
        self.tidy();
        true
    }

    /// Many at once, those that are there already left aside: the latest that find room. How many they are.
    pub(super) fn learn_all(
        &mut self,
        mut all: Vec<Known>,
        plan: &StickyPlan,
        now: Instant,
    ) -> usize {
        all.retain(|known| self.entries.get(&known.client).is_none());
        all.sort_by_key(|known| known.left.unwrap_or(plan.ttl));
        let room = plan.max_entries.saturating_sub(self.entries.len());
        let latest = all.split_off(all.len().saturating_sub(room));
        let latest = latest.into_iter();
        latest.filter(|known| self.learn(*known, plan, now)).count()
    }

    /// Those of one shard. All shards, one after the other, are the table: an entry that is there all the time is told once.
    pub(super) fn shard(
        &self,
        number: usize,
        plan: &StickyPlan,
        now: Instant,
    ) -> impl Iterator<Item = Known> {
        let known = move |(client, entry): (&IpAddr, &Entry)| entry.known(*client, plan, now);
        self.entries.shard(number).filter_map(known)
    }

    /// Changes whenever something is to be written.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Somebody reads what changes from now on.
    pub(super) fn open_feed(&mut self) -> u64 {
        let feed = self.feed.get_or_insert_with(|| Box::new(Feed::new()));
        feed.readers += 1;
        feed.position()
    }

    /// And reads no more.
    pub(super) fn close_feed(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.readers -= 1;
        }
        self.feed.take_if(|feed| feed.readers == 0);
    }

    /// At most so many that changed after `position`, which moves on, as they are now; false where some changes are kept no
    /// more.
    pub(super) fn changes(
        &self,
        position: &mut u64,
        most: usize,
        plan: &StickyPlan,
        now: Instant,
    ) -> (Vec<Known>, bool) {
        let Some(feed) = &self.feed else {
            return (Vec::new(), true);
        };
        let (clients, whole) = feed.take(position, most);
        let mut told = HashSet::new();
        let entry = |client: IpAddr| self.entries.get(&client)?.known(client, plan, now);
        let clients = clients.into_iter().filter(|client| told.insert(*client));
        (clients.filter_map(entry).collect(), whole)
    }

    /// A session that held the entry ended.
    pub(super) fn release(&mut self, client: IpAddr, now: Instant) {
        let Some(entry) = self.entries.get_mut(&client) else {
            return;
        };
        entry.sessions = entry.sessions.saturating_sub(1);
        if entry.sessions == 0 {
            self.stamp += 1;
            entry.stamp = self.stamp;
            entry.idle_since = Some(now);
            self.idle.push_back((client, self.stamp));
            self.version += 1;
            if let Some(feed) = &mut self.feed {
                feed.push(client, entry.server);
            }
            self.tidy();
        }
    }

    /// Applies new bounds; without a plan, every idle entry goes.
    pub(super) fn bound(&mut self, plan: Option<&StickyPlan>, now: Instant) {
        if let Some(plan) = plan {
            self.expire(plan, now);
        }
        let room = plan.map_or(0, |plan| plan.max_entries);
        while self.entries.len() > room && self.evict() {}
    }

    /// Entries now.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries that went for want of room since the last call.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    fn expire(&mut self, plan: &StickyPlan, now: Instant) {
        while let Some(since) = self.oldest_idle() {
            if now.saturating_duration_since(since) < plan.ttl {
                break;
            }
            self.remove_oldest();
        }
    }

    fn make_room(&mut self, plan: &StickyPlan) -> bool {
        while self.entries.len() >= plan.max_entries {
            if !self.evict() {
                return false;
            }
        }
        true
    }

    fn evict(&mut self) -> bool {
        let found = self.oldest_idle().is_some();
        if found {
            self.remove_oldest();
            self.evicted += 1;
        }
        found
    }

    /// Since when the front of the queue is idle, after dropping what is no longer idle.
    fn oldest_idle(&mut self) -> Option<Instant> {
        loop {
            let (client, stamp) = self.idle.front()?;
            let entry = self.entries.get(client);
            match entry
                .filter(|entry| entry.stamp == *stamp)
                .and_then(|entry| entry.idle_since)
            {
                Some(since) => return Some(since),
                None => self.idle.pop_front(),
            };
        }
    }

    fn remove_oldest(&mut self) {
        if let Some((client, _)) = self.idle.pop_front() {
            self.entries.remove(&client);
            self.version += 1;
        }
    }

    /// Clients that come and go leave stale stamps behind: bounded by the size of the table.
    fn tidy(&mut self) {
        if self.idle.len() > 2 * self.entries.len() + 16 {
            let entries = &self.entries;
            self.idle.retain(|(client, stamp)| {
                (entries.get(client))
                    .is_some_and(|entry| entry.stamp == *stamp && entry.idle_since.is_some())
            });
        }
    }
}

impl Entry {
    /// None: its time is over.
    fn known(&self, client: IpAddr, plan: &StickyPlan, now: Instant) -> Option<Known> {
        let idle = self.idle_since.map(|at| now.saturating_duration_since(at));
        let left = idle.map(|idle| plan.ttl.saturating_sub(idle));
        (left != Some(Duration::ZERO)).then_some(Known {
            client,
            server: self.server,
            left,
        })
    }
}

/// Pieces that a table is copied in.
pub(super) const PIECES: usize = SHARDS;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const TTL: Duration = Duration::from_secs(60);
    const HERE: ServerId = ServerId::for_tests(1);
    const THERE: ServerId = ServerId::for_tests(2);

    fn plan(max_entries: usize) -> StickyPlan {
        StickyPlan {
            ttl: TTL,
            max_entries,
        }
    }

    fn client(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn an_entry_lives_while_sessions_do_and_a_ttl_beyond() {
        let (mut table, plan, start) = (Affinity::default(), plan(10), Instant::now());
        assert!(table.bind(client(1), HERE, &plan));
        assert!(table.hold(client(1)));
        table.release(client(1), start);
        assert_eq!(table.find(client(1), &plan, start + 10 * TTL), Some(HERE));
        table.release(client(1), start + 10 * TTL);
        let nearly = start + 11 * TTL - Duration::from_millis(1);
        assert_eq!(table.find(client(1), &plan, nearly), Some(HERE));
        assert_eq!(table.find(client(1), &plan, start + 11 * TTL), None);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn coming_back_starts_the_ttl_anew() {
        let (mut table, plan, start) = (Affinity::default(), plan(10), Instant::now());
        table.bind(client(1), HERE, &plan);
        table.release(client(1), start);
        table.hold(client(1));
        table.release(client(1), start + TTL / 2);
        assert_eq!(table.find(client(1), &plan, start + TTL), Some(HERE));
        assert_eq!(table.find(client(1), &plan, start + TTL * 3 / 2), None);
    }

    #[test]
    fn the_longest_idle_makes_room_and_the_busy_stay() {
        let (mut table, plan, start) = (Affinity::default(), plan(3), Instant::now());
        for number in 1..=3 {
            assert!(table.bind(client(number), HERE, &plan));
        }
        assert!(!table.bind(client(4), HERE, &plan), "all are busy");
        table.release(client(3), start);
        table.release(client(1), start + TTL / 4);
        assert!(table.bind(client(5), HERE, &plan));
        assert_eq!(table.find(client(3), &plan, start + TTL / 2), None);
        assert_eq!(table.find(client(1), &plan, start + TTL / 2), Some(HERE));
        assert_eq!((table.len(), table.take_evicted()), (3, 1));
    }

    #[test]
    fn rebinding_keeps_the_sessions_counted() {
        let (mut table, plan, start) = (Affinity::default(), plan(3), Instant::now());
        table.bind(client(1), HERE, &plan);
        table.bind(client(1), THERE, &plan);
        table.release(client(1), start);
        assert_eq!(table.find(client(1), &plan, start + 2 * TTL), Some(THERE));
        table.release(client(1), start + 2 * TTL);
        assert_eq!(table.find(client(1), &plan, start + 3 * TTL), None);
    }

    #[test]
    fn new_bounds_apply_to_what_is_idle() {
        let (mut table, start) = (Affinity::default(), Instant::now());
        for number in 0..10 {
            table.bind(client(number), HERE, &plan(10));
        }
        (0..8).for_each(|number| table.release(client(number), start));
        table.bound(Some(&plan(4)), start);
        assert_eq!(table.len(), 4);
        table.bound(None, start);
        assert_eq!(table.len(), 2, "those with sessions");
        (8..10).for_each(|number| table.release(client(number), start));
        table.bound(None, start);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn a_client_that_comes_and_goes_costs_no_memory() {
        let (mut table, plan, start) = (Affinity::default(), plan(10), Instant::now());
        table.bind(client(1), HERE, &plan);
        table.bind(client(2), HERE, &plan);
        table.release(client(2), start);
        for _ in 0..10_000 {
            table.release(client(1), start);
            table.hold(client(1));
        }
        assert!(table.idle.len() < 32, "{}", table.idle.len());
    }
}
