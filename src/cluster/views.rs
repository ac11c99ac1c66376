//! Where howdahs see different things, and what the others carry.
//!
//! Pure. A server that is up here and down there is told once, when it has been so for a while: probes do not all ask at
//! the same moment. Word from a howdah that has written nothing for [`STALE`] does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::member::{Member, Seen};

/// The last word of another howdah.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) member: Member,
    /// By our clock.
    pub(super) heard: Instant,
}

impl Word {
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) < STALE
    }
}

/// Sessions that others have on a server.
pub(super) fn carried(
    others: &BTreeMap<String, Word>,
    now: Instant,
    pool: &str,
    server: &str,
) -> u32 {
    let fresh = others.values().filter(|word| word.is_fresh(now));
    let seen = fresh.filter_map(|word| word.member.server(pool, server));
    seen.fold(0, |sum, Seen(_, _, sessions)| sum.saturating_add(*sessions))
}

/// A server that is one thing here and another there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) pool: String,
    pub(super) server: String,
    pub(super) other: String,
}

/// Since when, and how.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) here: String,
    pub(super) there: String,
    pub(super) since: Instant,
    pub(super) told: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Differences(BTreeMap<Place, Difference>);

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Here and there.
    Differ(Place, String, String),
    /// Again.
    Agree(Place),
}

impl Differences {
    /// Compares. `hold`: how long a difference in that pool must last.
    pub(super) fn look(
        &mut self,
        own: &Member,
        others: &BTreeMap<String, Word>,
        now: Instant,
        hold: impl Fn(&str) -> Duration,
    ) -> Vec<News> {
        let mut seen = BTreeSet::new();
        let mut news = Vec::new();
        for (other, word) in others.iter().filter(|(_, word)| word.is_fresh(now)) {
            for (pool, server, here, there) in unlike(own, &word.member) {
                let place = Place {
                    pool: pool.to_owned(),
                    server: server.to_owned(),
                    other: other.clone(),
                };
                let known = self.0.entry(place.clone()).or_insert_with(|| Difference {
                    here: here.to_owned(),
                    there: there.to_owned(),
                    since: now,
                    told: false,
                });
                here.clone_into(&mut known.here);
                there.clone_into(&mut known.there);
                if !known.told && now.saturating_duration_since(known.since) >= hold(pool) {
                    known.told = true;
                    news.push(News::Differ(
                        place.clone(),
                        here.to_owned(),
                        there.to_owned(),
                    ));
                }
                seen.insert(place);
            }
        }
        let over: Vec<Place> = self
            .0
            .keys()
            .filter(|place| !seen.contains(place))
            .cloned()
            .collect();
        for place in over {
            if self.0.remove(&place).is_some_and(|one| one.told) {
                news.push(News::Agree(place));
            }
        }
        news
    }

    /// Those that were told and last.
    pub(super) fn told(&self) -> impl Iterator<Item = (&Place, &Difference)> {
        self.0.iter().filter(|(_, one)| one.told)
    }
}

/// Servers with a verdict on both sides, which is not the same.
fn unlike<'a>(
    own: &'a Member,
    other: &'a Member,
) -> impl Iterator<Item = (&'a str, &'a str, &'a str, &'a str)> {
    own.pools.iter().flat_map(move |(pool, servers)| {
        servers
            .iter()
            .filter_map(move |(server, Seen(here, _, _))| {
                let Seen(there, _, _) = other.server(pool, server)?;
                let decided = |health: &str| matches!(health, "up" | "alive" | "down");
                let differ = here != there && decided(here) && decided(there);
                differ.then_some((
                    pool.as_str(),
                    server.as_str(),
                    here.as_str(),
                    there.as_str(),
                ))
            })
    })
}

/// A howdah that has written nothing for so long does not count.
pub(super) const STALE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn member(health: &str, sessions: u32) -> Member {
        let seen = Seen(health.into(), "ready".into(), sessions);
        let servers = BTreeMap::from([("hs2-1".to_owned(), seen)]);
        Member {
            pools: BTreeMap::from([("hive".to_owned(), servers)]),
            ..Member::default()
        }
    }

    fn others(health: &str, sessions: u32, heard: Instant) -> BTreeMap<String, Word> {
        let member = member(health, sessions);
        BTreeMap::from([("lb-2".to_owned(), Word { member, heard })])
    }

    #[tokio::test(start_paused = true)]
    async fn a_difference_is_told_once_when_it_has_lasted_and_once_when_it_is_over() {
        let (start, hold) = (Instant::now(), |_: &str| Duration::from_secs(5));
        let mut differences = Differences::default();
        let mut look = |own: &str, other: &str, second: u64| {
            let now = start + Duration::from_secs(second);
            differences.look(&member(own, 0), &others(other, 0, now), now, hold)
        };
        assert_eq!(look("up", "down", 0), []);
        assert_eq!(look("up", "up", 1), [], "it did not last");
        assert_eq!(look("up", "down", 2), []);
        assert_eq!(look("up", "down", 6), []);
        let place = Place {
            pool: "hive".into(),
            server: "hs2-1".into(),
            other: "lb-2".into(),
        };
        let differ = News::Differ(place.clone(), "up".into(), "down".into());
        assert_eq!(look("up", "down", 7), [differ]);
        assert_eq!(look("up", "down", 8), []);
        assert_eq!(look("up", "unknown", 9), [News::Agree(place)]);
        assert_eq!(look("unknown", "down", 10), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_carry_counts_while_their_word_is_fresh() {
        let now = Instant::now();
        let mut all = others("up", 7, now);
        all.extend([(
            "lb-3".to_owned(),
            Word {
                member: member("up", 5),
                heard: now,
            },
        )]);
        assert_eq!(carried(&all, now, "hive", "hs2-1"), 12);
        assert_eq!(carried(&all, now, "hive", "another"), 0);
        assert_eq!(carried(&all, now + STALE, "hive", "hs2-1"), 0);
        all.remove("lb-2");
        assert_eq!(
            carried(&all, now, "hive", "hs2-1"),
            5,
            "one that vanished is subtracted at once"
        );
    }
}
