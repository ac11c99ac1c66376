//! Every order that is known, and what of it is still to be done: here, or in ZooKeeper.
//!
//! Pure. Orders come from three sides: given here (the pools show who ordered what, and when), read from ZooKeeper, and
//! recalled from a file. All become [`Entry`]s and are merged; what wins is obeyed here and written there. Orders for servers
//! that are unknown here are kept for who knows them.

use std::collections::BTreeMap;

use super::register::{Entry, Given, Weight, stamp};
use crate::pool::Order;

/// Pool and server.
pub(super) type Key = (String, String);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Of this howdah.
    name: String,
    slots: BTreeMap<Key, Slot>,
    changes: u64,
}

#[derive(Debug, Default)]
struct Slot {
    entry: Entry,
    /// What the pool showed when it was looked at last.
    order: Option<Mark>,
    weight: Option<Mark>,
}

/// By whom, and when by his clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) by: String,
    pub(super) at: u64,
}

/// A server as its pool has it.
#[derive(Clone, Debug)]
pub(super) struct Local {
    /// The word of its order.
    pub(super) order: &'static str,
    /// `None`: nobody has ordered anything.
    pub(super) ordered: Option<Mark>,
    /// Of a drain: when what is left is ended, in milliseconds since 1970.
    pub(super) until: Option<u64>,
    pub(super) weight: u16,
    /// As the file gives it.
    pub(super) planned: u16,
    pub(super) weighed: Option<Mark>,
}

impl Local {
    /// Whether the server is as ordered. A drain that was ordered again may end at another time than the one before.
    fn obeys(&self, given: &Given<String>, name: &str) -> bool {
        let told = |mark: &Mark| mark.at == given.stamp && mark.by == via(given);
        let endless = self.until.is_none() && given.until.is_none();
        let known = given.from == name || self.ordered.as_ref().is_some_and(told);
        given.value == self.order && (endless || known || self.order != Order::Drain.as_str())
    }
}

/// What a pool is still to be told of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) order: Option<Given<String>>,
    pub(super) weight: Option<Given<Weight>>,
}

impl Book {
    pub(super) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            slots: BTreeMap::new(),
            changes: 0,
        }
    }

    /// Counts what changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// A pool shows this server: what was ordered here since becomes known. Gives what it is to be told.
    pub(super) fn look(&mut self, key: &Key, local: &Local, now: u64) -> Due {
        let nothing = local.ordered.is_none() && local.weighed.is_none();
        if nothing && !self.slots.contains_key(key) {
            return Due::default();
        }
        let slot = self.slots.entry(key.clone()).or_default();
        let own = Entry {
            order: given(
                &self.name,
                local.ordered.as_ref(),
                &slot.order,
                slot.entry.order.as_ref(),
                now,
            )
            .map(|given| given.of(local.order.to_owned(), local.until)),
            weight: given(
                &self.name,
                local.weighed.as_ref(),
                &slot.weight,
                slot.entry.weight.as_ref(),
                now,
            )
            .map(|given| {
                let value = Weight {
                    weight: local.weight,
                    planned: local.planned,
                };
                given.of(value, None)
            }),
        };
        slot.order.clone_from(&local.ordered);
        slot.weight.clone_from(&local.weighed);
        self.changes += u64::from(slot.entry.merge(&own));
        let order = slot.entry.order.clone();
        let weight = slot.entry.weight.clone();
        Due {
            order: order.filter(|one| !local.obeys(one, &self.name)),
            // Where the file says something else than it did then, the file is newer.
            weight: weight.filter(|one| {
                one.value.planned == local.planned && one.value.weight != local.weight
            }),
        }
    }

    /// A znode says so. Whether that was news.
    pub(super) fn learn(&mut self, key: Key, entry: &Entry) -> bool {
        if self.slots.len() >= SLOTS_MAX && !self.slots.contains_key(&key) {
            return false;
        }
        let news = self.slots.entry(key).or_default().entry.merge(entry);
        self.changes += u64::from(news);
        news
    }

    /// All that is known.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        let known = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.entry != Entry::default());
        known.map(|(key, slot)| (key, &slot.entry))
    }
}

/// An order that lacks what is ordered.
struct Fresh {
    stamp: u64,
    /// By our clock.
    at: u64,
    by: String,
    from: String,
}

impl Fresh {
    fn of<T>(self, value: T, until: Option<u64>) -> Given<T> {
        Given {
            value,
            stamp: self.stamp,
            by: self.by,
            from: self.from,
            until,
            lasts: until.map(|until| until.saturating_sub(self.at)),
        }
    }
}

/// What the pool shows, where it is another than before and not what we told it ourselves.
fn given<T>(
    name: &str,
    shown: Option<&Mark>,
    before: &Option<Mark>,
    known: Option<&Given<T>>,
    now: u64,
) -> Option<Fresh> {
    let mark = shown.filter(|mark| before.as_ref() != Some(mark))?;
    if known.is_some_and(|known| known.stamp == mark.at && via(known) == mark.by) {
        return None;
    }
    Some(Fresh {
        stamp: stamp(mark.at, now, known.map(|known| known.stamp)),
        at: mark.at,
        by: mark.by.clone(),
        from: name.to_owned(),
    })
}

/// Who gave it, and where, as the pools and the journal of the others have it.
pub(super) fn via<T>(given: &Given<T>) -> String {
    format!("{} via {}", given.by, given.from)
}

/// Orders of all pools.
const SLOTS_MAX: usize = 20_000;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cluster) fn local(order: &'static str, mark: Option<(&str, u64)>) -> Local {
        Local {
            order,
            ordered: mark.map(|(by, at)| Mark { by: by.into(), at }),
            until: None,
            weight: 1,
            planned: 1,
            weighed: None,
        }
    }

    fn key() -> Key {
        ("hive".into(), "hs2-1".into())
    }

    fn entry(book: &Book) -> Entry {
        book.entries()
            .next()
            .map(|(_, entry)| entry.clone())
            .unwrap_or_default()
    }

    #[test]
    fn an_order_given_here_is_obeyed_there_with_the_name_of_its_giver_and_comes_to_rest() {
        let (mut here, mut there) = (Book::of("lb-1"), Book::of("lb-2"));
        let now = 1_000_000;
        assert_eq!(
            here.look(&key(), &local("ready", None), now),
            Due::default()
        );
        assert_eq!(here.entries().count(), 0);
        here.look(&key(), &local("draining", Some(("alice", now))), now);
        assert!(there.learn(key(), &entry(&here)));
        let due = there
            .look(&key(), &local("ready", None), now)
            .order
            .expect("an order");
        assert_eq!(
            (due.value.as_str(), via(&due).as_str()),
            ("draining", "alice via lb-1")
        );
        // Obeyed: the pool shows it under that name, which is no order of its own.
        let obeyed = local("draining", Some(("alice via lb-1", due.stamp)));
        assert_eq!(there.look(&key(), &obeyed, now + 5), Due::default());
        assert_eq!(entry(&there), entry(&here));
        assert!(!here.learn(key(), &entry(&there)));
    }

    #[test]
    fn a_later_order_stands_also_where_the_clock_lags() {
        let (mut here, mut there) = (Book::of("lb-1"), Book::of("lb-2"));
        here.look(
            &key(),
            &local("draining", Some(("alice", 9_000_000))),
            9_000_000,
        );
        there.learn(key(), &entry(&here));
        let obeyed = local("draining", Some(("alice via lb-1", 9_000_000)));
        there.look(&key(), &obeyed, 1_000_000);
        // Hours behind, and given in knowledge of the first.
        there.look(&key(), &local("ready", Some(("bob", 1_000_500))), 1_000_600);
        assert!(here.learn(key(), &entry(&there)));
        let shown = local("draining", Some(("alice", 9_000_000)));
        let due = here
            .look(&key(), &shown, 9_000_500)
            .order
            .expect("an order");
        assert_eq!((due.value.as_str(), due.by.as_str()), ("ready", "bob"));
    }

    #[test]
    fn a_drain_that_is_ordered_again_with_another_end_ends_then_everywhere() {
        let (mut here, mut there) = (Book::of("lb-1"), Book::of("lb-2"));
        here.look(&key(), &local("draining", Some(("alice", 1000))), 1000);
        there.learn(key(), &entry(&here));
        let obeyed = local("draining", Some(("alice via lb-1", 1000)));
        assert_eq!(there.look(&key(), &obeyed, 1100), Due::default());
        let mut again = local("draining", Some(("bob", 2000)));
        again.until = Some(9000);
        assert_eq!(here.look(&key(), &again, 2000), Due::default());
        there.learn(key(), &entry(&here));
        let due = there.look(&key(), &obeyed, 2100).order.expect("an order");
        let told = (due.by.as_str(), due.until, due.lasts);
        assert_eq!(told, ("bob", Some(9000), Some(7000)));
        let mut obeyed = local("draining", Some(("bob via lb-1", 2000)));
        obeyed.until = Some(9001);
        assert_eq!(there.look(&key(), &obeyed, 2200), Due::default());
        assert_eq!(entry(&there), entry(&here));
    }

    #[test]
    fn what_a_file_remembers_does_not_undo_what_was_ordered_since() {
        let mut book = Book::of("lb-1");
        let newer = Entry {
            order: Some(Given {
                value: "ready".into(),
                stamp: 5_000_000,
                by: "bob".into(),
                from: "lb-2".into(),
                until: None,
                lasts: None,
            }),
            weight: None,
        };
        book.learn(key(), &newer);
        let recalled = local("draining", Some(("alice", 1_000_000)));
        let due = book
            .look(&key(), &recalled, 6_000_000)
            .order
            .expect("an order");
        assert_eq!(due.value, "ready");
        assert_eq!(entry(&book), newer);
    }

    #[test]
    fn a_weight_counts_until_the_file_names_another() {
        let mut book = Book::of("lb-1");
        let mut shown = local("ready", None);
        shown.weight = 5;
        shown.weighed = Some(Mark {
            by: "alice".into(),
            at: 1000,
        });
        assert_eq!(book.look(&key(), &shown, 1000), Due::default());
        let mut other = Book::of("lb-2");
        other.learn(key(), &entry(&book));
        let due = other.look(&key(), &local("ready", None), 1000);
        assert_eq!(due.weight.map(|given| given.value.weight), Some(5));
        let replanned = Local {
            weight: 2,
            planned: 2,
            ..local("ready", None)
        };
        assert_eq!(other.look(&key(), &replanned, 1000), Due::default());
    }
}
