//! What a running howdah knows of its pools: who is down and why, who is full, how old a list is.

use tokio::time::Instant;

use super::finding::Code::{
    Conflict, DiscoveryStale, ManyRetries, Panic, PoolDown, PoolFull, ServerDown, Unserved,
};
use super::finding::Finding;
use super::finding::Level::{Error, Warning};
use super::servers;
use crate::base::unit::show_duration;
use crate::pool::{Member, Pool, Standing};

pub(super) fn of(pool: &Pool, now: Instant) -> Vec<Finding> {
    let snapshot = pool.load();
    let members = snapshot.members();
    let mut found = Vec::new();
    if !snapshot.can_serve() && !snapshot.is_panic() {
        found.push(nobody(pool, members));
    }
    found.extend(
        members
            .iter()
            .filter(|one| one.standing == Standing::Down)
            .map(|one| down(pool, one, now)),
    );
    if snapshot.is_panic() {
        found.push(Finding::new(
            (Warning, Panic),
            place(pool),
            "so few of its servers are up that those that are down take sessions too (panic_threshold)",
            "some sessions fail at once, so that those that are up are not crushed by all",
            "bring servers back; see server-down",
        ));
    }
    if snapshot.is_conflict() {
        found.push(Finding::new(
            (Error, Conflict),
            place(pool),
            "several servers say that they are the active one",
            "the first keeps the sessions; that it is the right one, howdah cannot know: data may part",
            "look at the servers' own failover (ZKFC, ZooKeeper election), and end the wrong one",
        ));
    }
    found.extend(full(pool, members));
    found.extend(stale(pool, now));
    found.extend(counted(pool));
    let named = members.iter().map(|one| {
        (
            one.server.name().to_string(),
            one.server.addresses().to_vec(),
        )
    });
    found.extend(servers::resolved(
        snapshot.plan(),
        &named.collect::<Vec<_>>(),
    ));
    found
}

fn nobody(pool: &Pool, members: &[Member]) -> Finding {
    let ordered = members
        .iter()
        .filter(|one| matches!(one.standing, Standing::Draining | Standing::Maintenance));
    let ordered = ordered.count();
    let fix = match ordered {
        0 => "see what is said of each server below, or `howdah status`".to_owned(),
        some => format!(
            "{some} of its servers are out by order: `howdah ready {}/SERVER` puts one back",
            pool.name()
        ),
    };
    Finding::new(
        (Error, PoolDown),
        place(pool),
        match members.len() {
            0 => "it has no server".to_owned(),
            all => format!("none of its {all} servers takes sessions"),
        },
        "every client of it is refused (no-server)",
        fix,
    )
}

fn down(pool: &Pool, member: &Member, now: Instant) -> Finding {
    let since = show_duration(std::time::Duration::from_secs(
        now.saturating_duration_since(member.since).as_secs(),
    ));
    let name = member.server.name();
    let last = member.server.last_probe();
    let (reason, detail) = last
        .as_deref()
        .map_or(("", ""), |last| (last.reason, last.detail.as_str()));
    let what = match member.server.is_distrusted() {
        true => format!(
            "{name} is out since {since}, for what sessions saw of it; its probes say: {detail}"
        ),
        false => format!("{name} is down since {since}: {reason}, {detail}"),
    };
    Finding::new(
        (Warning, ServerDown),
        place(pool),
        what,
        "the other servers carry its sessions",
        mend(reason),
    )
}

/// What usually helps.
fn mend(reason: &str) -> String {
    let known = MENDS.iter().find(|(word, _)| *word == reason);
    let known = known.map(|(_, fix)| (*fix).to_owned());
    known.unwrap_or_else(|| {
        let shown = if reason.is_empty() { "each reason" } else { reason };
        format!("docs/operating/probes.md says what {shown} means; `howdah probe POOL/SERVER` asks it again, step by step")
    })
}

fn full(pool: &Pool, members: &[Member]) -> Option<Finding> {
    let mut up = members
        .iter()
        .filter(|one| one.standing.is_on_offer())
        .peekable();
    up.peek()?;
    up.all(|one| one.standing_now() == Standing::Full).then(|| {
        Finding::new(
            (Error, PoolFull),
            place(pool),
            "every server that is up has max_connections sessions",
            "new sessions wait (max_queue, timeouts.queue), and are refused then",
            "add servers, raise max_connections where the servers bear it (HiveServer2: max.worker.threads), or find who holds so many: `howdah sessions --idle 1h`",
        )
    })
}

fn stale(pool: &Pool, now: Instant) -> Option<Finding> {
    let freshness = pool.freshness().filter(|one| !one.live)?;
    let snapshot = pool.load();
    let source = snapshot.plan().discover.as_ref()?;
    let age = freshness.age(now);
    let age = age.map_or_else(
        || "none was ever heard".to_owned(),
        |age| {
            format!(
                "the one in force is {} old",
                show_duration(std::time::Duration::from_secs(age.as_secs()))
            )
        },
    );
    Some(Finding::new(
        (Warning, DiscoveryStale),
        place(pool),
        format!("{source} lists no servers: {}; {age}", freshness.why),
        "servers that come are not found; those that go are only missed by their probes",
        "reach it from this machine: howdah asks again by itself",
    ))
}

/// Since the start.
fn counted(pool: &Pool) -> Vec<Finding> {
    let (served, unserved) = pool.metrics().served_total();
    let (all, retries) = (served + unserved, pool.metrics().retries_total());
    let percent = |part: u64| part as f64 * 100.0 / all.max(1) as f64;
    let mut found = Vec::new();
    if all >= ENOUGH && retries * 20 > all {
        found.push(Finding::new(
            (Warning, ManyRetries),
            place(pool),
            format!("{retries} further attempts for {all} sessions since the start ({:.0}%)", percent(retries)),
            "servers that count as up refuse or do not answer: each such session waits for a connect that fails",
            "`howdah_server_dial_failures_total` says which server and why; shorter probe intervals, or a deeper probe, take it out sooner",
        ));
    }
    if all >= ENOUGH && unserved * 100 > all {
        found.push(Finding::new(
            (Warning, Unserved),
            place(pool),
            format!("{unserved} of {all} sessions got no server since the start ({:.1}%)", percent(unserved)),
            "their clients saw a refusal",
            "the session log says why: `reason` no-server, limit, queue-timeout, connect-refused (docs/operating/access-log.md)",
        ));
    }
    found
}

fn place(pool: &Pool) -> String {
    format!("pool \"{}\"", pool.name())
}

/// Sessions: fewer say nothing.
const ENOUGH: u64 = 100;

const MENDS: [(&str, &str); 3] = [
    (
        "clock-skew",
        "set the clocks of this machine and of the KDC by NTP: tickets bear five minutes",
    ),
    (
        "connect-refused",
        "nobody listens there: start the server, or mend its port in the file",
    ),
    (
        "connect-timeout",
        "a firewall drops, or the machine is off: try `howdah probe` from this machine",
    ),
];
