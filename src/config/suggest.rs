//! The nearest known word, and what people mean who write HAProxy's.

use super::foreign::{ADVICE, HAPROXY_KEYS, MISPLACED, OTHER_KEYS};

/// What to say to someone who wrote `word` where one of `known` should stand; `aliases` are words of other
/// programs with the known word that they stand for.
pub(super) fn value(word: &str, known: &[&str], aliases: &[(&str, &str)]) -> Option<String> {
    let lower = word.to_lowercase();
    if let Some((alias, meant)) = aliases.iter().find(|(alias, _)| *alias == lower) {
        return Some(did_you_mean(meant, Some(alias)));
    }
    let foreign = aliases
        .iter()
        .map(|(alias, meant)| (*alias, *meant, Some(*alias)));
    let own = known.iter().map(|known| (*known, *known, None));
    let near = nearest(&lower, own.chain(foreign))?;
    Some(did_you_mean(near.0, near.1))
}

/// The known key that `key` was probably meant to be, and how to say so.
pub(super) fn key(key: &str, known: &[&'static str]) -> Option<(&'static str, String)> {
    let word = key.to_lowercase().replace('-', "_");
    let find = |meant: &str| known.iter().find(|known| **known == meant).copied();
    let foreign = |list: &[(&str, &str)]| {
        let mut meant = list.iter().filter(|(foreign, _)| *foreign == word);
        meant.find_map(|(_, meant)| find(meant))
    };
    if let Some(meant) = foreign(HAPROXY_KEYS) {
        return Some((meant, format!("did you mean {meant}? (HAProxy says {key})")));
    }
    let own = known.iter().map(|known| (*known, *known, None));
    let near = nearest(&word, own).and_then(|(near, _)| find(near));
    let meant = near
        .or_else(|| foreign(OTHER_KEYS))
        .or_else(|| begins_alike(&word, known))?;
    let secret = if meant.ends_with("_file") && !word.contains("file") {
        " It names a file: no secret stands in this one"
    } else {
        ""
    };
    Some((meant, format!("did you mean {meant}?{secret}")))
}

/// `token` for `token_file`.
fn begins_alike(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let alike = |known: &&&str| {
        let rest = known.strip_prefix(word);
        rest.is_some_and(|rest| rest.starts_with('_') || word.len() > 3)
    };
    known.iter().find(alike).copied()
}

/// What howdah offers for a key that HAProxy's users know; searched when no key is near.
pub(super) fn advice(key: &str) -> Option<&'static str> {
    let lower = key.to_lowercase().replace('_', "-");
    let mut found = ADVICE.iter().filter(|(word, _)| *word == lower);
    found.next().map(|(_, advice)| *advice)
}

/// Where a key is that people look for in this table.
pub(super) fn misplaced(header: &str, key: &str) -> Option<&'static str> {
    let lower = key.to_lowercase().replace('_', "-");
    let mut found = MISPLACED
        .iter()
        .filter(|(table, word, _)| *table == header && *word == lower);
    found.next().map(|(.., advice)| *advice)
}

fn did_you_mean(meant: &str, alias: Option<&str>) -> String {
    match alias {
        Some(alias) => format!("did you mean {meant:?}? (HAProxy says {alias})"),
        None => format!("did you mean {meant:?}?"),
    }
}

/// Among (spelling, meaning, alias): closest by edit distance, if close at all.
fn nearest<'k>(
    word: &str,
    known: impl Iterator<Item = (&'k str, &'k str, Option<&'k str>)>,
) -> Option<(&'k str, Option<&'k str>)> {
    known
        .map(|(spelling, meaning, alias)| {
            (
                strsim::damerau_levenshtein(word, spelling),
                spelling,
                meaning,
                alias,
            )
        })
        .filter(|(distance, spelling, ..)| *distance <= tolerance(word, spelling))
        .min_by_key(|(distance, ..)| *distance)
        .map(|(_, _, meaning, alias)| (meaning, alias))
}

/// One slip in three letters, but never a whole other word.
fn tolerance(word: &str, spelling: &str) -> usize {
    match word.chars().count().max(spelling.chars().count()) {
        0..=2 => 0,
        longer => (longer / 3).min(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::foreign::BALANCE;

    const KNOWN: [&str; 5] = [
        "round-robin",
        "least-connection",
        "response-time",
        "random",
        "source-hash",
    ];

    #[test]
    fn a_near_miss_is_recognised() {
        let say = |word| value(word, &KNOWN, BALANCE);
        assert_eq!(
            say("least_connections").as_deref(),
            Some("did you mean \"least-connection\"?")
        );
        assert_eq!(
            say("leastcon").as_deref(),
            Some("did you mean \"least-connection\"? (HAProxy says leastconn)")
        );
        assert_eq!(
            say("roundrobin").as_deref(),
            Some("did you mean \"round-robin\"? (HAProxy says roundrobin)")
        );
        assert_eq!(say("Random").as_deref(), Some("did you mean \"random\"?"));
        assert_eq!(say("fastest"), None);
    }

    #[test]
    fn haproxys_keys_have_an_answer() {
        assert!(advice("timeout_client").is_some());
        assert_eq!(advice("weight"), None);
        let known = ["max_connections", "token_file", "interval"];
        let meant = |word| key(word, &known).map(|(meant, _)| meant);
        assert_eq!(meant("maxconn"), Some("max_connections"));
        assert_eq!(meant("max-connection"), Some("max_connections"));
        assert_eq!(meant("inter"), Some("interval"));
        assert_eq!(meant("token"), Some("token_file"));
        assert_eq!(meant("colour"), None);
    }
}
