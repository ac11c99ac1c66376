//! From events to messages: what belongs together, and when it is told. Pure: events and the time come in.
//!
//! Events of one kind in one pool are a group. The first of a group waits for others (`group_wait`), later ones for the time
//! between two messages (`group_interval`). Groups that have something to tell when a message goes are told with it, and
//! there are so many messages a minute at most: fifty pools that fail at once are one message. A message is made anew for
//! each attempt, and counts as told only when the receiver took it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::group::{Group, Turn, turn};
use super::message::{Entry, Message};
use crate::plan::{AlertPlan, Kind};
use crate::telemetry::journal::Event;

/// See the module.
pub(super) struct Engine {
    plan: Arc<AlertPlan>,
    groups: BTreeMap<Place, Group>,
    /// Pool and server of those that are out by order.
    ordered: HashSet<(String, String)>,
    /// When the last messages went, for `max_per_minute`.
    sent: VecDeque<Instant>,
    /// Groups of the message that was made last.
    asked: Vec<Place>,
    /// Events that no message will tell of, since the last look.
    dropped: u64,
}

/// Pool and kind.
type Place = (String, &'static str);

impl Engine {
    pub(super) fn new(plan: Arc<AlertPlan>) -> Self {
        Self {
            plan,
            groups: BTreeMap::new(),
            ordered: HashSet::new(),
            sent: VecDeque::new(),
            asked: Vec::new(),
            dropped: 0,
        }
    }

    /// Another plan for the same receiver, who knows what it was told.
    pub(super) fn follow(&mut self, plan: Arc<AlertPlan>) {
        self.plan = plan;
    }

    /// Takes in what happened.
    pub(super) fn hear(&mut self, event: &Arc<Event>, now: Instant) {
        self.note_order(event, now);
        let about = &self.plan.about;
        let within = |pool: &String| about.pools.iter().any(|one| one.as_str() == pool);
        if !about.pools.is_empty() && !event.pool.as_ref().is_some_and(within) {
            return;
        }
        let matters = event.severity.reaches(about.severity);
        match turn(event) {
            Turn::Opens if matters && self.wants(event.kind) => self.open(event, now),
            Turn::Closes => self.close(event, matters, now),
            Turn::Notice if matters && self.wants(event.kind) => self.notice(event, now),
            Turn::Opens | Turn::Notice => {}
        }
    }

    fn wants(&self, kind: Kind) -> bool {
        let kinds = &self.plan.about.kinds;
        kinds.is_empty() || kinds.contains(&kind)
    }

    fn note_order(&mut self, event: &Event, now: Instant) {
        let (Kind::Order, Some(pool), Some(server)) = (event.kind, &event.pool, &event.server)
        else {
            return;
        };
        let named = (pool.clone(), server.clone());
        match event.to.as_deref() {
            Some("drain" | "draining" | "maintenance" | "maint")
                if self.ordered.len() < TROUBLES =>
            {
                self.ordered.insert(named);
            }
            Some("ready") if self.ordered.remove(&named) => {
                let place = (named.0, Kind::Health.as_str());
                if let Some(group) = self.groups.get_mut(&place) {
                    group.unmute(server, now);
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, event: &Arc<Event>, now: Instant) {
        let named = event.pool.clone().zip(event.server.clone());
        let muted =
            event.kind == Kind::Health && named.is_some_and(|named| self.ordered.contains(&named));
        let known: usize = self.groups.values().map(Group::troubles).sum();
        let group = self.groups.entry(place(event, event.kind)).or_default();
        if !group.open(event, muted, known < TROUBLES, now) {
            self.dropped += 1;
        }
    }

    fn close(&mut self, event: &Arc<Event>, matters: bool, now: Instant) {
        let kind = match event.kind {
            Kind::Reload => Kind::ReloadRefused,
            kind => kind,
        };
        if let Some(group) = self.groups.get_mut(&place(event, kind)) {
            group.close(event, now);
        }
        if event.kind == Kind::Reload && matters && self.wants(Kind::Reload) {
            self.notice(event, now);
        }
    }

    fn notice(&mut self, event: &Arc<Event>, now: Instant) {
        let group = self.groups.entry(place(event, event.kind)).or_default();
        if !group.notice(event, now) {
            self.dropped += 1;
        }
    }

    /// So many events were missed: the journal's ring was faster.
    pub(super) fn missed(&mut self, events: u64) {
        self.dropped += events;
    }

    /// Closes what belongs to nothing any more.
    pub(super) fn prune(&mut self, exists: impl Fn(&str, Option<&str>) -> bool, now: Instant) {
        let there = |event: &Event| {
            let pool = event.pool.as_deref();
            pool.is_none_or(|pool| exists(pool, event.server.as_deref()))
        };
        for group in self.groups.values_mut() {
            group.prune(there, now);
        }
        self.ordered
            .retain(|(pool, server)| exists(pool, Some(server)));
    }

    /// For a receiver who is new: it hears of what is wrong, and not of what was.
    pub(super) fn forget_what_is_over(&mut self) {
        for group in self.groups.values_mut() {
            group.forget_what_is_over();
        }
    }

    /// When there will be a message.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = self.groups.values().filter_map(|group| self.due_of(group));
        let due = due.min()?;
        Some(self.free_from().map_or(due, |free| free.max(due)))
    }

    fn due_of(&self, group: &Group) -> Option<Instant> {
        let pace = self.plan.pace;
        let news = group.news.map(|since| {
            let held = group.told.map(|told| told + pace.group_interval);
            held.map_or(since + pace.group_wait, |held| held.max(since))
        });
        let lasts = pace.repeat.filter(|_| group.open_troubles() > 0);
        let again = lasts.and_then(|repeat| group.told.map(|told| told + repeat));
        news.into_iter().chain(again).min()
    }

    /// From when on one more message is within `max_per_minute`.
    fn free_from(&self) -> Option<Instant> {
        let over = self.sent.len().checked_sub(self.plan.pace.max_per_minute)?;
        self.sent.get(over).map(|at| *at + MINUTE)
    }

    /// What there is to tell now; `hurry`: also what would wait.
    pub(super) fn message(&mut self, hurry: bool, now: Instant) -> Option<Message> {
        if !hurry && self.due().is_none_or(|due| due > now) {
            return None;
        }
        let pace = self.plan.pace;
        let mut entries: Vec<Entry> = Vec::new();
        self.asked.clear();
        for (place, group) in &mut self.groups {
            let told = group.told;
            let again = pace
                .repeat
                .is_some_and(|repeat| told.is_some_and(|told| told + repeat <= now));
            let held = told.is_some_and(|told| told + pace.group_interval > now);
            let tells = group.news.is_some() && (hurry || !held);
            if !tells && !again {
                continue;
            }
            let found = group.entries(again, self.plan.resolve, now);
            match found.is_empty() {
                true => group.settle(None),
                false => self.asked.push(place.clone()),
            }
            entries.extend(found);
        }
        if entries.is_empty() {
            return None;
        }
        let open = self.groups.values().map(Group::open_troubles).sum();
        Some(Message::new(self.plan.name.as_str(), entries, open))
    }

    /// The receiver took the message that was made last, or will never take it.
    pub(super) fn settled(&mut self, now: Instant) {
        for place in self.asked.drain(..) {
            if let Some(group) = self.groups.get_mut(&place) {
                group.settle(Some(now));
            }
        }
        self.sent.push_back(now);
        while self.sent.len() > self.plan.pace.max_per_minute {
            self.sent.pop_front();
        }
        let interval = self.plan.pace.group_interval;
        self.groups.retain(|_, group| {
            let held = group.told.is_some_and(|told| told + interval > now);
            held || !group.is_empty()
        });
    }

    /// Groups with something to tell.
    pub(super) fn pending(&self) -> usize {
        let news = self.groups.values().filter(|group| group.news.is_some());
        news.count()
    }

    /// Events that no message will tell of, since the last call.
    pub(super) fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

fn place(event: &Event, kind: Kind) -> Place {
    (event.pool.clone().unwrap_or_default(), kind.as_str())
}

const MINUTE: Duration = Duration::from_secs(60);
/// Troubles that are known at once: some 10 MiB. Far more servers than one howdah has.
const TROUBLES: usize = 10_000;

#[cfg(test)]
mod tests;
