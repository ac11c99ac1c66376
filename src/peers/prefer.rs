//! Which of two servers a client belongs to, when a peer names another than this howdah knows. Pure.
//!
//! What happened just now counts. What a peer tells of earlier (when it tells everything, and after a break) counts where its
//! entry was used later than ours; of two that were used at the same time, both sides take the same one.

use std::time::Duration;

/// What a peer tells of a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    pub(super) server: &'a str,
    /// How long the entry lives on; `None`: it was used just now.
    pub(super) left: Option<Duration>,
}

/// What is known here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    pub(super) server: &'a str,
    /// Where the client has a session, as long as an entry can live.
    pub(super) left: Duration,
}

/// Whether what was told replaces what is known.
pub(super) fn prefers(told: Told<'_>, own: Own<'_>) -> bool {
    let Some(left) = told.left else {
        return true;
    };
    if told.server == own.server {
        return left > own.left;
    }
    let at_once = left.abs_diff(own.left) < SLACK;
    if at_once {
        told.server < own.server
    } else {
        left > own.left
    }
}

/// What is further apart was not at the same time, however long the way took.
const SLACK: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(told: (&str, Option<u64>), own: (&str, u64)) -> bool {
        let told = Told {
            server: told.0,
            left: told.1.map(Duration::from_secs),
        };
        let own = Own {
            server: own.0,
            left: Duration::from_secs(own.1),
        };
        prefers(told, own)
    }

    #[test]
    fn what_happens_now_counts_and_of_what_was_the_later() {
        assert!(taken(("b", None), ("a", 60)));
        assert!(taken(("b", Some(50)), ("a", 40)));
        assert!(!taken(("b", Some(40)), ("a", 50)));
        assert!(taken(("a", Some(50)), ("a", 40)), "it lives longer");
        assert!(!taken(("a", Some(40)), ("a", 50)));
    }

    #[test]
    fn both_sides_take_the_same_one_where_both_were_used_at_the_same_time() {
        for (one, other) in [(60, 60), (60, 59)] {
            let here = taken(("a", Some(one)), ("b", other));
            let there = taken(("b", Some(other)), ("a", one));
            assert!(here && !there, "{one} {other}");
        }
    }
}
