//! What is ordered of one server, as howdahs share it: two registers, in each of which the newest order stands.
//!
//! Pure. An order carries a stamp: the wall clock of where it was given, in milliseconds, or one more than the newest stamp
//! that its giver knew, where that is larger. So an order that is given in knowledge of another is always newer, whatever
//! the clocks say; of two that were given out of each other's sight the later one stands, as far as clocks agree. Merging is
//! the same in any order and any number of times, so that nothing has to come exactly once, or in turn.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::member::TEXT_MAX;

/// An order, by whom and where it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Given<T> {
    pub(super) value: T,
    /// See the module.
    pub(super) stamp: u64,
    /// As the journal has it there.
    pub(super) by: String,
    /// The name of that howdah.
    pub(super) from: String,
    /// Of a drain: when sessions that are left are ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<u64>,
    /// How long that was when it was ordered, in milliseconds: machines whose clocks differ have it in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lasts: Option<u64>,
}

/// A weight, and what the file gave the server when it was ordered: a file that says something else now is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Weight {
    pub(super) weight: u16,
    pub(super) planned: u16,
}

/// All that is ordered of one server; what a znode of `orders` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The word of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) order: Option<Given<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) weight: Option<Given<Weight>>,
}

impl<T: Ord> Given<T> {
    /// Of two that were stamped alike and differ in anything, one and the same everywhere: else each would write its own over
    /// the other's for ever. A giver who is named at first hand goes before "alice via lb-1", out of a memory.
    fn rank(&self) -> impl Ord {
        let Self {
            value,
            stamp,
            by,
            from,
            until,
            lasts,
        } = self;
        (*stamp, Reverse(by.len()), from, by, value, until, lasts)
    }

    /// What is left of it at `now`, in milliseconds, and whether clocks agree.
    ///
    /// Its end is a time of day of who gave it. A clock that is behind his would make it longer than it was ordered, and one
    /// that is far ahead would end every session the moment that it is heard of: then it lasts from now on for as long as it
    /// was ordered.
    pub(super) fn left(&self, now: u64) -> Option<(u64, bool)> {
        let left = self.until?.saturating_sub(now);
        Some(match self.lasts {
            Some(lasts) if left == 0 || left > lasts.saturating_add(CLOSE) => (lasts, false),
            Some(lasts) => (left.min(lasts), true),
            None => (left, true),
        })
    }

    fn is_sane(&self) -> bool {
        self.stamp <= STAMP_MAX && self.by.len() <= TEXT_MAX && self.from.len() <= TEXT_MAX
    }
}

impl Entry {
    /// Whether howdahs write such: no clock shows a stamp that no later one could outdo.
    pub(super) fn is_sane(&self) -> bool {
        let order = self.order.as_ref().is_none_or(Given::is_sane);
        order && self.weight.as_ref().is_none_or(Given::is_sane)
    }

    /// Takes what is newer of the other. Whether that was anything.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        let order = take(&mut self.order, other.order.as_ref());
        let weight = take(&mut self.weight, other.weight.as_ref());
        order || weight
    }
}

fn take<T: Clone + Ord>(own: &mut Option<Given<T>>, other: Option<&Given<T>>) -> bool {
    let newer = match (own.as_ref(), other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(own), Some(other)) => other.rank() > own.rank(),
    };
    if newer {
        *own = other.cloned();
    }
    newer
}

/// The stamp of an order that was given at `at` by our clock, `now` being later, in knowledge of one stamped `known`.
///
/// One that was given long ago and is seen only now comes from a memory: it was not given in knowledge of what is known
/// since.
pub(super) fn stamp(at: u64, now: u64, known: Option<u64>) -> u64 {
    match known {
        Some(known) if now.saturating_sub(at) < FRESH => at.max(known.saturating_add(1)),
        _ => at,
    }
}

/// Milliseconds: clocks that differ by less are those of machines with NTP.
const CLOSE: u64 = 5_000;
/// Milliseconds: an order is seen here well before.
const FRESH: u64 = 10_000;
/// The end of the year 9999.
const STAMP_MAX: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;

    fn given(value: &str, stamp: u64, from: &str) -> Entry {
        Entry {
            order: Some(Given {
                value: value.into(),
                stamp,
                by: "alice".into(),
                from: from.into(),
                until: None,
                lasts: None,
            }),
            weight: None,
        }
    }

    fn weight(weight: u16, stamp: u64) -> Entry {
        Entry {
            order: None,
            weight: Some(Given {
                value: Weight { weight, planned: 1 },
                stamp,
                by: "bob".into(),
                from: "lb-2".into(),
                until: None,
                lasts: None,
            }),
        }
    }

    #[test]
    fn a_drain_is_never_longer_than_ordered_and_no_clock_ends_it_at_once() {
        let minute = 60_000;
        let mut order = given("draining", 1_000_000, "lb-1").order.expect("one");
        assert_eq!(order.left(1_000_000), None);
        order.until = Some(1_000_000 + minute);
        order.lasts = Some(minute);
        for (now, left) in [
            (1_000_000, (minute, true)),
            (1_010_000, (50_000, true)),
            // Some seconds behind, an hour behind, some seconds ahead, an hour ahead.
            (998_000, (minute, true)),
            (1_000_000 - 600_000, (minute, false)),
            (1_059_000, (1000, true)),
            (1_000_000 + 3_600_000, (minute, false)),
        ] {
            assert_eq!(order.left(now), Some(left), "at {now}");
        }
        // Of an older howdah.
        order.lasts = None;
        assert_eq!(order.left(2_000_000), Some((0, true)));
    }

    #[test]
    fn merging_is_the_same_in_any_order_and_any_number_of_times() {
        let all = [
            given("draining", 5, "lb-1"),
            given("ready", 7, "lb-2"),
            given("maintenance", 7, "lb-3"),
            weight(3, 6),
            weight(9, 2),
        ];
        let merged = |order: &[usize]| {
            let mut entry = Entry::default();
            for place in order {
                entry.merge(&all[*place]);
            }
            entry
        };
        let wanted = merged(&[0, 1, 2, 3, 4]);
        assert_eq!(
            wanted.order.as_ref().map(|one| one.value.as_str()),
            Some("maintenance")
        );
        assert_eq!(wanted.weight.as_ref().map(|one| one.value.weight), Some(3));
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut order: Vec<usize> = (0..5).chain(0..5).collect();
            random.shuffle(&mut order);
            assert_eq!(merged(&order), wanted, "{order:?}");
        }
        let mut again = wanted.clone();
        assert!(!again.merge(&wanted), "the same again is no news");
    }

    #[test]
    fn two_that_order_the_same_in_the_same_moment_come_to_rest_on_one() {
        let (mut first, mut second) = (given("draining", 7, "lb-1"), given("draining", 7, "lb-2"));
        let later = second.clone();
        let news = [second.merge(&first), first.merge(&later)];
        assert_eq!(first, second);
        assert_eq!(news.iter().filter(|news| **news).count(), 1);
        // As lb-3 recalls it from its state file.
        let mut recalled = given("draining", 7, "lb-3");
        if let Some(order) = &mut recalled.order {
            order.by = "alice via lb-2".into();
        }
        assert!(!first.merge(&recalled));
        assert!(recalled.merge(&first));
        assert_eq!(recalled, first);
    }

    #[test]
    fn a_stamp_that_nothing_could_outdo_is_not_of_ours() {
        assert!(given("draining", STAMP_MAX, "lb-1").is_sane());
        assert!(!given("draining", u64::MAX, "lb-1").is_sane());
        assert!(!given("draining", 7, &"x".repeat(2000)).is_sane());
        assert!(!weight(3, u64::MAX).is_sane());
    }

    #[test]
    fn an_order_and_a_weight_given_at_once_are_both_kept() {
        let mut entry = given("draining", 5, "lb-1");
        assert!(entry.merge(&weight(3, 5)));
        assert!(entry.order.is_some() && entry.weight.is_some());
    }

    #[test]
    fn who_knows_an_order_outdoes_it_whatever_the_clock_says() {
        // A clock that is an hour behind.
        assert_eq!(stamp(1_000_000, 1_000_100, Some(4_600_000)), 4_600_001);
        assert_eq!(stamp(1_000_000, 1_000_100, Some(500)), 1_000_000);
        assert_eq!(stamp(1_000_000, 1_000_100, None), 1_000_000);
        // What was remembered from before does not.
        assert_eq!(stamp(1_000_000, 1_900_000, Some(1_500_000)), 1_000_000);
    }
}
