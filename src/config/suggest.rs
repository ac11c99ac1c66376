//! The nearest known word, and what people mean who write HAProxy's.

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

/// The known key that `key` was probably meant to be.
pub(super) fn key<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = key.to_lowercase().replace('-', "_");
    let own = known.iter().map(|known| (*known, *known, None));
    nearest(&lower, own).map(|(known, _)| known)
}

/// What howdah offers for a key that HAProxy's users know; searched when no key is near.
pub(super) fn haproxy(key: &str) -> Option<&'static str> {
    let lower = key.to_lowercase().replace('_', "-");
    HAPROXY
        .iter()
        .find(|(word, _)| *word == lower)
        .map(|(_, advice)| *advice)
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
    let longer = word.chars().count().max(spelling.chars().count());
    (longer / 3).clamp(1, 4)
}

/// HAProxy's balance words.
pub(super) const BALANCE: &[(&str, &str)] = &[
    ("leastconn", "least-connection"),
    ("roundrobin", "round-robin"),
    ("static-rr", "round-robin"),
    ("source", "source-hash"),
];

/// HAProxy's keywords with their place in howdah.
const HAPROXY: &[(&str, &str)] = &[
    (
        "algorithm",
        "howdah says balance = \"least-connection\" (round-robin, response-time, random, source-hash)",
    ),
    ("backend", "HAProxy's backend is a pool here: [pool.NAME]"),
    (
        "check",
        "servers are probed by default; how is said in [pool.NAME.probe], `probe = \"none\"` turns it off",
    ),
    (
        "crt",
        "howdah says [listener.tls] certificates = [{ cert = \"FILE\", key = \"FILE\" }]",
    ),
    (
        "default-backend",
        "howdah says pool = \"NAME\" in the [[listener]]",
    ),
    (
        "default-server",
        "what holds for all servers stands in [pool.NAME], [pool.NAME.probe] and [pool.NAME.timeouts]",
    ),
    (
        "defaults",
        "the service of a pool brings the defaults; the rest stands in [global]",
    ),
    ("fallback", "howdah says backup = true at the server"),
    (
        "frontend",
        "HAProxy's frontend is a listener here: [[listener]]",
    ),
    (
        "httpchk",
        "howdah says [pool.NAME.probe] type = \"http\", path = \"/\", expect_status = [200]",
    ),
    (
        "inter",
        "howdah says interval = \"5s\" in [pool.NAME.probe]",
    ),
    (
        "fastinter",
        "howdah says fast_interval = \"250ms\" in [pool.NAME.probe]",
    ),
    (
        "listen",
        "HAProxy's listen is two things here: a [[listener]] and the [pool.NAME] that it names",
    ),
    (
        "maxconn",
        "howdah says max_connections, in [global], in a [[listener]] or at a server",
    ),
    (
        "mode",
        "howdah carries bytes of TCP, there is no other mode: leave the key out",
    ),
    ("nbthread", "howdah says workers in [global]"),
    (
        "option",
        "howdah has no options of that kind; a check is said in [pool.NAME.probe]",
    ),
    (
        "retries",
        "a failed connect goes to another server at once until timeouts.connect is over",
    ),
    (
        "send-proxy-v2",
        "howdah says send_proxy = \"v2\" in [pool.NAME]",
    ),
    (
        "server",
        "servers stand in one list of the pool: servers = [\"HOST:PORT\", ...]",
    ),
    (
        "ssl",
        "howdah says [pool.NAME.tls] ca = \"FILE\" towards servers, and [listener.tls] towards clients",
    ),
    (
        "stats",
        "the dashboard and the metrics are always there, on [admin] bind",
    ),
    (
        "stick-table",
        "howdah says [pool.NAME.sticky] by = \"source-ip\", ttl = \"1h\"",
    ),
    (
        "stick",
        "howdah says [pool.NAME.sticky] by = \"source-ip\", ttl = \"1h\"",
    ),
    (
        "tcp-check",
        "howdah says [pool.NAME.probe] type = \"tcp\", or the type of the service",
    ),
    (
        "timeout",
        "howdah says [pool.NAME.timeouts] connect, idle, half_close, first_byte",
    ),
    (
        "timeout-client",
        "howdah has one idle time for both sides: [pool.NAME.timeouts] idle",
    ),
    (
        "timeout-server",
        "howdah has one idle time for both sides: [pool.NAME.timeouts] idle",
    ),
    (
        "timeout-connect",
        "howdah says [pool.NAME.timeouts] connect",
    ),
    ("timeout-tunnel", "howdah says [pool.NAME.timeouts] idle"),
    ("timeout-check", "howdah says timeout in [pool.NAME.probe]"),
    (
        "use-backend",
        "howdah says [[listener.route]] sni = [\"NAME\"], pool = \"NAME\"",
    ),
    (
        "user",
        "howdah does not change its user: let systemd or the container start it as the one you want",
    ),
    (
        "group",
        "howdah does not change its user: let systemd or the container start it as the one you want",
    ),
    (
        "daemon",
        "howdah stays in the foreground: let systemd or the container keep it",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(haproxy("stick-table").is_some());
        assert!(haproxy("timeout_client").is_some());
        assert_eq!(haproxy("weight"), None);
    }
}
