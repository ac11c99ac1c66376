//! What is known of one kind of trouble in one place, and what of it the receiver knows. Pure.
//!
//! A trouble opens and closes; a notice just happens. Between two messages a trouble may open any number of times: it stays one
//! entry that counts them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Entry, Status};
use crate::plan::Kind;
use crate::telemetry::journal::Event;

/// Of one kind in one pool, or at none.
#[derive(Default)]
pub(super) struct Group {
    /// By server or listener; empty for the pool as a whole.
    troubles: BTreeMap<String, Trouble>,
    notices: VecDeque<Arc<Event>>,
    /// Since when there is something to tell.
    pub(super) news: Option<Instant>,
    pub(super) told: Option<Instant>,
}

struct Trouble {
    /// The last that was heard.
    event: Arc<Event>,
    is_open: bool,
    /// The receiver knows that it is open.
    is_told: bool,
    /// Somebody ordered the server out: that is no news.
    is_muted: bool,
    has_news: bool,
    /// How often it opened since the last message, and when first.
    opened: u32,
    first: Instant,
}

/// What an event does to a group.
pub(super) enum Turn {
    Opens,
    Closes,
    Notice,
}

/// Whether `event` begins a trouble, ends one, or just happened.
pub(super) fn turn(event: &Event) -> Turn {
    let to = event.to.as_deref();
    match (event.kind, to) {
        (Kind::Health, Some("up")) | (Kind::Source, Some("live")) => Turn::Closes,
        (Kind::Listener, Some("reachable")) | (Kind::Reload, _) => Turn::Closes,
        (Kind::Health, _) | (Kind::ReloadRefused, _) => Turn::Opens,
        (Kind::Source, Some("stale")) | (Kind::Listener, Some("unreachable")) => Turn::Opens,
        (Kind::Conflict, Some("conflict")) | (Kind::Panic, Some("panic")) => Turn::Opens,
        (Kind::Conflict | Kind::Panic, _) => Turn::Closes,
        _ => Turn::Notice,
    }
}

impl Group {
    /// Returns false when there was no room.
    pub(super) fn open(
        &mut self,
        event: &Arc<Event>,
        muted: bool,
        room: bool,
        now: Instant,
    ) -> bool {
        let subject = subject(event);
        if !room && !self.troubles.contains_key(&subject) {
            return false;
        }
        let trouble = self.troubles.entry(subject).or_insert_with(|| Trouble {
            event: Arc::clone(event),
            is_open: false,
            is_told: false,
            is_muted: false,
            has_news: false,
            opened: 0,
            first: now,
        });
        trouble.is_muted = muted;
        let worse = trouble.is_open && trouble.is_told && trouble.event.to != event.to;
        trouble.event = Arc::clone(event);
        if worse && !muted {
            trouble.has_news = true;
            self.news.get_or_insert(now);
        }
        if !trouble.is_open {
            trouble.is_open = true;
            trouble.first = if trouble.opened == 0 {
                now
            } else {
                trouble.first
            };
            trouble.opened = trouble.opened.saturating_add(1);
            if !muted {
                trouble.has_news = true;
                self.news.get_or_insert(now);
            }
        }
        true
    }

    /// A trouble that nobody was told of, and that nobody needed to know of, is forgotten.
    pub(super) fn close(&mut self, event: &Arc<Event>, now: Instant) {
        let subject = subject(event);
        let Some(trouble) = self.troubles.get_mut(&subject).filter(|one| one.is_open) else {
            return;
        };
        trouble.is_open = false;
        trouble.event = Arc::clone(event);
        if !trouble.has_news && !trouble.is_told {
            self.troubles.remove(&subject);
            return;
        }
        trouble.has_news = true;
        self.news.get_or_insert(now);
    }

    /// Closes what belongs to nothing any more.
    pub(super) fn prune(&mut self, exists: impl Fn(&Event) -> bool, now: Instant) {
        let open = self.troubles.values().filter(|trouble| trouble.is_open);
        let gone: Vec<_> = open
            .filter(|trouble| !exists(&trouble.event))
            .map(|trouble| Arc::clone(&trouble.event))
            .collect();
        for event in gone {
            let event = Event {
                to: None,
                reason: None,
                text: "not configured any more".to_owned(),
                ..Event::clone(&event)
            };
            self.close(&Arc::new(event), now);
        }
    }

    /// Somebody put the server back to work: what is wrong with it is news from now on.
    pub(super) fn unmute(&mut self, server: &str, now: Instant) {
        if let Some(trouble) = self.troubles.get_mut(server)
            && std::mem::take(&mut trouble.is_muted)
            && trouble.is_open
            && !trouble.is_told
        {
            trouble.has_news = true;
            self.news.get_or_insert(now);
        }
    }

    /// Returns false when an older one was dropped for it.
    pub(super) fn notice(&mut self, event: &Arc<Event>, now: Instant) -> bool {
        self.news.get_or_insert(now);
        self.notices.push_back(Arc::clone(event));
        let fits = self.notices.len() <= NOTICES;
        if !fits {
            self.notices.pop_front();
        }
        fits
    }

    pub(super) fn troubles(&self) -> usize {
        self.troubles.len()
    }

    pub(super) fn open_troubles(&self) -> usize {
        let open = self
            .troubles
            .values()
            .filter(|one| one.is_open && !one.is_muted);
        open.count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.troubles.is_empty() && self.notices.is_empty()
    }

    /// What there is to tell; `again`: what lasts as well.
    pub(super) fn entries(&self, again: bool, resolve: bool, now: Instant) -> Vec<Entry> {
        let troubles = self.troubles.values().filter(|one| {
            let lasts = one.is_open && one.is_told && again;
            lasts || (one.has_news && (one.is_open || resolve))
        });
        let troubles = troubles.map(|trouble| {
            let status = match trouble.is_open {
                true => Status::Firing,
                false => Status::Resolved,
            };
            let over = (trouble.opened > 1).then(|| now.duration_since(trouble.first));
            Entry::new(&trouble.event, status, trouble.opened, over)
        });
        let notices = self.notices.iter();
        let notices = notices.map(|event| Entry::new(event, Status::Event, 1, None::<Duration>));
        troubles.chain(notices).collect()
    }

    /// The receiver knows it all now, or will never.
    pub(super) fn settle(&mut self, told: Option<Instant>) {
        self.troubles.retain(|_, trouble| trouble.is_open);
        for trouble in self
            .troubles
            .values_mut()
            .filter(|one| !one.is_muted || one.has_news)
        {
            trouble.is_told = true;
            trouble.has_news = false;
            trouble.opened = 0;
        }
        self.notices.clear();
        self.news = None;
        self.told = told.or(self.told);
    }

    /// What is over before anybody could be told is no news for somebody new.
    pub(super) fn forget_what_is_over(&mut self) {
        self.troubles.retain(|_, trouble| trouble.is_open);
        for trouble in self.troubles.values_mut() {
            trouble.opened = 1;
        }
        self.notices.clear();
        if !self.troubles.values().any(|trouble| trouble.has_news) {
            self.news = None;
        }
    }
}

fn subject(event: &Event) -> String {
    let named = event.server.as_ref().or(event.listener.as_ref());
    named.cloned().unwrap_or_default()
}

/// Of one group; a message shows fewer.
const NOTICES: usize = 100;
