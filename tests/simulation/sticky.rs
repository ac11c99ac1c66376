//! The sticky table as the documents have it, in its plainest form: every question looks at every entry.

use std::collections::HashMap;
use std::net::IpAddr;

use howdah::plan::StickyPlan;
use howdah::pool::ServerId;
use tokio::time::Instant;

#[derive(Default)]
pub(crate) struct Table {
    entries: HashMap<IpAddr, Entry>,
    releases: u64,
    pub(crate) evicted: u64,
    /// Entries when the table last gained or lost one for want of room.
    pub(crate) shown: usize,
}

struct Entry {
    server: ServerId,
    sessions: u32,
    /// Since when it has none, and in which order that came.
    idle: Option<(Instant, u64)>,
}

impl Table {
    pub(crate) fn find(&self, client: IpAddr, plan: &StickyPlan, now: Instant) -> Option<ServerId> {
        let entry = self.entries.get(&client)?;
        entry.lives(plan, now).then_some(entry.server)
    }

    pub(crate) fn hold(&mut self, client: IpAddr) -> bool {
        let Some(entry) = self.entries.get_mut(&client) else {
            return false;
        };
        entry.sessions += 1;
        entry.idle = None;
        true
    }

    pub(crate) fn bind(&mut self, client: IpAddr, server: ServerId, plan: &StickyPlan) -> bool {
        if let Some(entry) = self.entries.get_mut(&client) {
            entry.server = server;
            return self.hold(client);
        }
        while self.entries.len() >= plan.max_entries {
            if !self.evict() {
                return false;
            }
        }
        let entry = Entry {
            server,
            sessions: 1,
            idle: None,
        };
        self.entries.insert(client, entry);
        true
    }

    pub(crate) fn release(&mut self, client: IpAddr, now: Instant) {
        self.releases += 1;
        let entry = self
            .entries
            .get_mut(&client)
            .expect("busy entries never go");
        entry.sessions -= 1;
        if entry.sessions == 0 {
            entry.idle = Some((now, self.releases));
        }
    }

    pub(crate) fn bound(&mut self, plan: Option<&StickyPlan>, now: Instant) {
        if let Some(plan) = plan {
            self.expire(plan, now);
        }
        let room = plan.map_or(0, |plan| plan.max_entries);
        while self.entries.len() > room && self.evict() {}
        self.show();
    }

    /// What Prometheus is told from now on.
    pub(crate) fn show(&mut self) {
        self.shown = self.entries.len();
    }

    /// As the pool does whenever it looks for a client.
    pub(crate) fn expire(&mut self, plan: &StickyPlan, now: Instant) {
        self.entries.retain(|_, entry| entry.lives(plan, now));
    }

    fn evict(&mut self) -> bool {
        let idle = self
            .entries
            .iter()
            .filter_map(|(client, entry)| Some((entry.idle?.1, *client)));
        let Some((_, client)) = idle.min() else {
            return false;
        };
        self.entries.remove(&client);
        self.evicted += 1;
        true
    }
}

impl Entry {
    fn lives(&self, plan: &StickyPlan, now: Instant) -> bool {
        (self.idle).is_none_or(|(since, _)| now.saturating_duration_since(since) < plan.ttl)
    }
}
