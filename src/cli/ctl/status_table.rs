//! The status as tables for people: listeners, and each pool with its servers.
//!
//! Why a server takes no sessions stands below its pool, in a line of its own, once for all for which it is the same.

use std::time::{Duration, SystemTime};

use super::cluster_table;
use super::table::Align::{Left, Name, Right, State};
use super::table::{Table, bare, clean, wrap};
use super::terminal::View;
use crate::admin::status::{
    DepartedStatus, DiscoveryStatus, ListenerStatus, LoadStatus, PoolStatus, ServerStatus, Status,
};

/// Lines that end with a newline; `now` gives probes their age.
pub(super) fn print(status: &Status, now: SystemTime, view: View) -> String {
    let version = clean(&status.version);
    let uptime = span(Duration::try_from_secs_f64(status.uptime_seconds).unwrap_or_default());
    let generation = status.generation;
    let head = format!("howdah {version}, up {uptime}, configuration no. {generation}");
    let mut text = wrap(&head, 0, view.width) + "\n";
    text.push_str(&notices(status, view.width));
    text.push_str(&listeners(status).fit(view.colour, view.width));
    for pool in &status.pools {
        text.push('\n');
        text.push_str(&headline(pool, view.width));
        let whole = servers(pool, now, true);
        // The name that orders take, where there is room for it.
        let table = match whole.natural_width() <= view.width {
            true => whole,
            false => servers(pool, now, false),
        };
        text.push_str(&table.fit(view.colour, view.width));
        text.push_str(&troubles(pool, now, view.width));
        text.push_str(&departed(pool, view.width));
    }
    text
}

/// What somebody should know before the tables.
fn notices(status: &Status, width: usize) -> String {
    let mut text = String::new();
    let mut say = |line: String| text.push_str(&wrap(&line, 0, width));
    if let Some(draining) = &status.draining {
        let (sessions, left) = (draining.sessions_left, draining.seconds_left);
        let left = span(Duration::try_from_secs_f64(left).unwrap_or_default());
        say(format!(
            "DRAINING: takes no new sessions, has {sessions} left, and ends with them or in {left}"
        ));
    }
    if let Some(cluster) = &status.cluster {
        say(cluster_table::headline(cluster));
    }
    for one in &status.predecessors {
        let left = span(Duration::from_secs(one.seconds_left));
        say(format!(
            "process {} (howdah {}), taken over from at {}, drains: {} sessions, {left} at most",
            one.pid,
            clean(&one.version),
            clean(&one.since),
            one.sessions
        ));
    }
    if !status.needs_restart.is_empty() {
        let keys = clean(&status.needs_restart.join(", "));
        say(format!("waits for a restart: {keys}"));
    }
    if let Some(refused) = &status.refused_reload {
        let (at, error) = (clean(&refused.at), clean(&refused.error));
        say(format!("the reload at {at} was refused: {error}"));
    }
    for vip in &status.vips {
        let [name, state, since, why] =
            [&vip.name, &vip.state, &vip.since, &vip.why].map(|one| clean(one));
        let addresses = clean(&vip.addresses.join(", "));
        say(format!(
            "vip {name} ({addresses}): {state} since {since}, {why}"
        ));
    }
    for peer in &status.peers {
        let (name, address) = (clean(&peer.name), clean(&peer.address));
        let (sent, received) = (peer.entries_sent, peer.entries_received);
        let why = peer.why.as_deref().map(clean);
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let state = clean(&peer.state);
        say(format!(
            "peer {name} at {address} is {state}{why}; {sent} sticky entries sent, {received} received"
        ));
    }
    if let Some(state) = &status.state_file {
        let file = clean(&state.file);
        if let Some(error) = &state.error {
            say(format!(
                "the state file {file} is not written: {}",
                clean(error)
            ));
        }
        if let Some(unread) = &state.unread {
            say(format!(
                "the state file of the former howdah, {file}, {}",
                clean(unread)
            ));
        }
    }
    text.push_str(if text.is_empty() { "" } else { "\n" });
    text
}

fn listeners(status: &Status) -> Table {
    let mut table = Table::new(&[
        ("LISTENER", Name),
        ("ADDRESS", Name),
        ("SESSIONS", Right),
        ("TOTAL", Right),
    ])
    .spare(&["TOTAL"]);
    for one in &status.listeners {
        table.row(vec![
            clean(&one.name),
            bound(one),
            of_most(one.sessions_active, one.max_connections),
            one.sessions_total.to_string(),
        ]);
    }
    table
}

/// Where it listens.
fn bound(listener: &ListenerStatus) -> String {
    let mut bound: Vec<String> = listener.bind.iter().map(ToString::to_string).collect();
    if bound.is_empty() {
        return "not bound".into();
    }
    if listener.protocol.iter().any(|protocol| protocol == "udp") {
        bound.insert(0, clean(&listener.protocol.join(",")));
    }
    bound.join(" ")
}

/// Like `120/480`, where there is a bound.
fn of_most(sessions: u64, most: Option<u32>) -> String {
    match most {
        Some(most) => format!("{sessions}/{most}"),
        None => sessions.to_string(),
    }
}

/// What stands above a pool's servers.
fn headline(pool: &PoolStatus, width: usize) -> String {
    let (name, service, balance) = (
        clean(&pool.name),
        clean(&pool.service),
        clean(&pool.balance),
    );
    let all = pool.servers.len();
    let (taking, waiting) = pool.serving();
    let mut head =
        format!("pool {name}: {service}, {balance}, {taking} of {all} servers take sessions");
    match waiting {
        0 => {}
        1 => head.push_str(", 1 backup stands by"),
        some => head.push_str(&format!(", {some} backups stand by")),
    }
    match pool.queue {
        0 => {}
        1 => head.push_str(", 1 session waits for a place"),
        some => head.push_str(&format!(", {some} sessions wait for a place")),
    }
    let (listed, stale) = pool.discovery.as_ref().map(source).unwrap_or_default();
    head.push_str(&listed);
    let mut text = wrap(&head, 0, width);
    let mut say = |line: &str| text.push_str(&wrap(line, INDENT, width));
    stale.iter().for_each(|line| say(line));
    if pool.conflict {
        say(
            "CONFLICT: several servers say that they are the active one; the first keeps the sessions",
        );
    }
    if pool.panic {
        say("PANIC: so few servers are up that those that are down take sessions too");
    }
    text
}

/// Who lists servers, and for a line of its own that the list is old.
fn source(discovery: &DiscoveryStatus) -> (String, Option<String>) {
    let word = clean(&discovery.source);
    let listed = format!(", listed by {word}");
    if discovery.state == "live" {
        return (listed, None);
    }
    let age = discovery.age_seconds.map(Duration::try_from_secs_f64);
    let age = match age {
        Some(age) => format!("the list is {} old", span(age.unwrap_or_default())),
        None => "no list yet".into(),
    };
    let why = discovery.error.as_deref().unwrap_or("not heard yet");
    // A faulty file's report begins so, which the line says already.
    let why = why.trim_start_matches("error: ");
    let why = clean(why.lines().next().unwrap_or_default());
    (listed, Some(format!("STALE: {age}: {why}")))
}

/// Why servers take no sessions, or soon will not: one line for all of the pool for which it is the same.
fn troubles(pool: &PoolStatus, now: SystemTime, width: usize) -> String {
    let mut groups: Vec<(String, Vec<&ServerStatus>)> = Vec::new();
    for server in &pool.servers {
        let Some(trouble) = trouble(server) else {
            continue;
        };
        match groups.iter_mut().find(|(known, _)| *known == trouble) {
            Some((_, servers)) => servers.push(server),
            None => groups.push((trouble, vec![server])),
        }
    }
    let line = |(trouble, servers): &(String, Vec<&ServerStatus>)| {
        let whose = whose(servers, pool.servers.len());
        let since = match servers.as_slice() {
            [one] => since(one, now),
            _ => String::new(),
        };
        wrap(&format!("{trouble}{since}{whose}"), INDENT, width)
    };
    groups.iter().map(line).collect()
}

/// Like `down, connect-refused: nobody listens`; none where all is well.
fn trouble(server: &ServerStatus) -> Option<String> {
    let last = server.last_probe.as_ref();
    let failed = last.is_some_and(|last| last.verdict != "up");
    if !failed && server.health == "up" {
        return None;
    }
    // What has not been asked yet has no trouble.
    let last = last?;
    let health = clean(&server.health);
    let reason = clean(server.reason.as_deref().unwrap_or(&last.verdict));
    let detail = match bare(&last.detail) {
        "" => String::new(),
        detail => format!(": {}", clean(detail)),
    };
    Some(match server.health.as_str() {
        "up" => format!("up, and last asked {reason}{detail}"),
        _ => format!("{health}, {reason}{detail}"),
    })
}

/// Which servers; at most a few by name.
fn whose(servers: &[&ServerStatus], of: usize) -> String {
    if servers.len() == of && of > 1 {
        return format!(" (all {of})");
    }
    let names = servers.iter().map(|one| clean(&one.name));
    let names: Vec<String> = names.take(NAMED).collect();
    let names = names.join(", ");
    match servers.len().saturating_sub(NAMED) {
        0 => format!(" ({names})"),
        more => format!(" ({names} and {more} more)"),
    }
}

/// How long its health has been so.
fn since(server: &ServerStatus, now: SystemTime) -> String {
    let at = server.since.as_deref().and_then(time);
    let age = at.map(|at| now.duration_since(at).unwrap_or_default());
    age.map_or_else(String::new, |age| format!(", for {}", span(age)))
}

fn time(text: &str) -> Option<SystemTime> {
    let time = text.parse::<jiff::Timestamp>().ok()?;
    Some(SystemTime::from(time))
}

/// Servers that left and still have sessions.
fn departed(pool: &PoolStatus, width: usize) -> String {
    let line = |one: &DepartedStatus| {
        let (name, sessions) = (clean(&one.name), one.sessions_active);
        let left = one.seconds_left.map(Duration::try_from_secs_f64);
        let end = match left {
            Some(left) => format!("ended in {}", span(left.unwrap_or_default())),
            None => "until they end".into(),
        };
        let word = if sessions == 1 { "session" } else { "sessions" };
        wrap(
            &format!("left: {name}, {sessions} {word}, {end}"),
            INDENT,
            width,
        )
    };
    pool.departed.iter().map(line).collect()
}

/// `whole`: with the pool before the name, as orders take it.
fn servers(pool: &PoolStatus, now: SystemTime, whole: bool) -> Table {
    let tells = |one: &ServerStatus| !one.address.starts_with(&one.name);
    let addresses = pool.servers.iter().any(tells);
    let roles = pool.servers.iter().any(|one| one.role.is_some());
    let columns = [
        (true, ("SERVER", Name)),
        (addresses, ("ADDRESS", Name)),
        (true, ("HEALTH", State)),
        (true, ("ADMIN", State)),
        (roles, ("ROLE", Left)),
        (true, ("WEIGHT", Right)),
        (true, ("SESSIONS", Right)),
        (true, ("TOTAL", Right)),
        (true, ("PROBE", Left)),
    ];
    let wanted = columns.iter().filter(|(wanted, _)| *wanted);
    let heads: Vec<_> = wanted.map(|(_, column)| *column).collect();
    let mut table = Table::new(&heads).spare(&["PROBE", "TOTAL", "WEIGHT", "ADDRESS", "ROLE"]);
    for one in &pool.servers {
        let name = match whole {
            true => format!("{}/{}", clean(&pool.name), clean(&one.name)),
            false => clean(&one.name),
        };
        let cells = [
            name,
            clean(&one.address),
            clean(&one.health),
            clean(&one.admin),
            clean(one.role.as_deref().unwrap_or("-")),
            weight(one),
            of_most(one.sessions_active, one.max_connections),
            one.sessions_total.to_string(),
            probe(one, now),
        ];
        let cells = cells.into_iter().zip(&columns);
        let cells = cells.filter(|(_, (wanted, _))| *wanted);
        table.row(cells.map(|(cell, _)| cell).collect());
    }
    table
}

/// Like `3`, or `3 at 45%` where it says that it bears no more.
fn weight(server: &ServerStatus) -> String {
    match &server.load {
        Some(LoadStatus {
            withdrawn: Some(word),
            ..
        }) => format!("{} {}", server.weight, clean(word)),
        Some(load) if load.factor < 1.0 => {
            format!("{} at {:.0}%", server.weight, load.factor * 100.0)
        }
        _ => server.weight.to_string(),
    }
}

/// How long the last answer took, and its age: `1.2 ms, 3 s ago`.
fn probe(server: &ServerStatus, now: SystemTime) -> String {
    let Some(last) = &server.last_probe else {
        return if server.recalled {
            "none yet (from memory)"
        } else if server.health == "unknown" {
            "none yet"
        } else {
            "-"
        }
        .into();
    };
    let took = Duration::try_from_secs_f64(last.duration_seconds).unwrap_or_default();
    match time(&last.at).map(|at| now.duration_since(at).unwrap_or_default()) {
        Some(age) => format!("{}, {} ago", span(took), span(age)),
        None => span(took),
    }
}

/// Short, with as many digits as matter.
fn span(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.as_secs_f64() * 1e3);
    match seconds {
        0 if millis < 9.95 => format!("{millis:.1} ms"),
        0 => format!("{millis:.0} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Of what stands below a pool's headline.
const INDENT: usize = 2;
/// Servers that are told by name.
const NAMED: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::status::{
        DrainStatus, ListenerStatus, PeerStatus, PredecessorStatus, ProbeStatus, RefusedStatus,
        StateFileStatus,
    };
    use crate::vip;

    fn server(name: &str, address: &str, health: &str, active: u64) -> ServerStatus {
        let up = health == "up";
        ServerStatus {
            name: name.into(),
            address: address.into(),
            weight: 1,
            backup: name == "standby",
            health: health.into(),
            since: (!up).then(|| "2027-01-15T07:55:00.000Z".into()),
            role: None,
            load: None,
            on_offer: up,
            admin: "ready".into(),
            max_connections: Some(480),
            sessions_active: active,
            sessions_total: 1_000 * active,
            recalled: false,
            ordered: None,
            reason: Some(if up { "ok" } else { "connect-refused" }.into()),
            last_probe: Some(ProbeStatus {
                verdict: health.into(),
                detail: if up { "" } else { "nobody\x1b[2J listens" }.into(),
                duration_seconds: 0.00123,
                at: "2027-01-15T08:00:00.000Z".into(),
            }),
        }
    }

    fn status() -> Status {
        Status {
            version: "0.1.0".into(),
            pid: 4711,
            uptime_seconds: 7_261.5,
            generation: 3,
            state: "running".into(),
            draining: None,
            predecessors: Vec::new(),
            needs_restart: Vec::new(),
            cluster: None,
            refused_reload: None,
            vips: Vec::new(),
            peers: Vec::new(),
            state_file: None,
            listeners: vec![ListenerStatus {
                name: "hive".into(),
                bind: vec![([0, 0, 0, 0], 10_000).into()],
                protocol: vec!["tcp".into()],
                sessions_active: 120,
                sessions_total: 120_000,
                max_connections: None,
                pools: vec!["hive".into()],
            }],
            pools: vec![PoolStatus {
                name: "hive".into(),
                service: "hiveserver2".into(),
                balance: "least-connection".into(),
                panic: false,
                conflict: false,
                queue: 0,
                sticky_entries: None,
                discovery: None,
                departed: Vec::new(),
                servers: vec![
                    server("hs2-1.example.com", "hs2-1.example.com:10000", "up", 120),
                    server("old", "hs2-3.example.com:10000", "down", 0),
                ],
            }],
        }
    }

    fn view(width: usize) -> View {
        View {
            colour: false,
            width,
            height: None,
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_003)
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let expected = "\
howdah 0.1.0, up 2 h 1 min, configuration no. 3

LISTENER  ADDRESS        SESSIONS   TOTAL
hive      0.0.0.0:10000       120  120000

pool hive: hiveserver2, least-connection, 1 of 2 servers take sessions
SERVER                  ADDRESS                  HEALTH  ADMIN  WEIGHT  SESSIONS   TOTAL  PROBE
hive/hs2-1.example.com  hs2-1.example.com:10000  up      ready       1   120/480  120000  1.2 ms, 3 s ago
hive/old                hs2-3.example.com:10000  down    ready       1     0/480       0  1.2 ms, 3 s ago
  down, connect-refused: nobody?[2J listens, for 5 min (old)
";
        assert_eq!(print(&status(), now(), view(120)), expected);
    }

    /// The picture of docs/operating/status.md; a failure prints what belongs there.
    #[test]
    fn the_document_shows_what_is_printed() {
        let mut status = status();
        let named = |name: &str, health: &str, active, total| ServerStatus {
            sessions_total: total,
            ..server(name, &format!("{name}:10000"), health, active)
        };
        let mut down = named("hs2-2.example.com", "down", 0, 98_112);
        if let Some(probe) = &mut down.last_probe {
            probe.detail = "10.1.0.8:10000: Connection refused (os error 111)".into();
        }
        let mut leaving = named("hs2-3.example.com", "up", 7, 101_090);
        leaving.admin = "draining".into();
        leaving.on_offer = false;
        let first = named("hs2-1.example.com", "up", 120, 120_000);
        status.pools[0].servers = vec![first, down, leaving];
        let text = print(&status, now(), view(100));
        let document = include_str!("../../../docs/operating/status.md");
        assert!(
            document.contains(&text),
            "docs/operating/status.md lacks\n{text}"
        );
    }

    /// A phone, or a pane beside others.
    #[test]
    fn forty_columns_have_health_orders_and_sessions() {
        let text = print(&status(), now(), view(40));
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(40), "{text}");
        let heads = text.lines().find(|line| line.starts_with("SERVER"));
        let heads: Vec<_> = heads.unwrap_or_default().split_whitespace().collect();
        assert_eq!(heads, ["SERVER", "HEALTH", "ADMIN", "SESSIONS"], "{text}");
    }

    /// As an operator of forty servers with long names sees it at three in the morning.
    #[test]
    fn long_names_fit_the_terminal_and_a_reason_is_told_once() {
        let mut status = status();
        let name = |number| {
            format!("coordinator-{number:02}.rack-17.analytics.hadoop.prod.example.com:21050")
        };
        let pool = &mut status.pools[0];
        pool.servers = (0..40)
            .map(|number| {
                let health = if number < 2 { "up" } else { "down" };
                server(&name(number), &name(number), health, 7)
            })
            .collect();
        for width in [80, 100, 160] {
            let text = print(&status, now(), view(width));
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(
                widest.is_some_and(|widest| widest <= width),
                "{widest:?}: {text}"
            );
            let told = text.matches("connect-refused").count();
            assert_eq!(told, 1, "{text}");
            assert!(text.contains("and 35 more)"), "{text}");
        }
        let wide = print(&status, now(), view(160));
        assert!(wide.contains(&format!("hive/{}", name(39))), "{wide}");
        let narrow = print(&status, now(), view(80));
        for number in 0..40 {
            assert!(
                narrow.contains(&format!("coordinator-{number:02}…")),
                "{narrow}"
            );
        }
    }

    #[test]
    fn a_server_that_is_up_and_begins_to_fail_is_told() {
        let mut status = status();
        let pool = &mut status.pools[0];
        pool.servers[1].health = "up".into();
        let text = print(&status, now(), view(100));
        assert!(
            text.contains("up, and last asked connect-refused"),
            "{text}"
        );
    }

    #[test]
    fn what_somebody_should_know_is_told_first() {
        assert_eq!(notices(&status(), 120), "");
        let status = Status {
            draining: Some(DrainStatus {
                sessions_left: 120,
                seconds_left: 90.0,
            }),
            predecessors: vec![PredecessorStatus {
                pid: 4711,
                version: "0.1.0".into(),
                since: "2027-01-15T07:00:00.000Z".into(),
                sessions: 12,
                seconds_left: 90,
                pools: Vec::new(),
            }],
            needs_restart: vec!["admin.bind".into(), "log.format".into()],
            refused_reload: Some(RefusedStatus {
                at: "2027-01-15T08:00:00.000Z".into(),
                error: "the configuration is faulty; nothing has changed".into(),
                faults: Vec::new(),
            }),
            vips: vec![vip::Status {
                name: "front".into(),
                state: "backup".into(),
                addresses: vec!["192.0.2.10".into()],
                interface: "eth0".into(),
                priority: 100,
                since: "2027-01-15T08:00:00.000Z".into(),
                why: "it takes part".into(),
                peer: None,
                peer_priority: None,
            }],
            peers: vec![PeerStatus {
                name: "lb-2".into(),
                address: "10.0.0.2:1024".into(),
                state: "away".into(),
                since: "2027-01-15T08:00:00.000Z".into(),
                entries_sent: 7,
                entries_received: 2,
                why: Some("nobody answers at its address".into()),
            }],
            state_file: Some(StateFileStatus {
                file: "/var/lib/howdah/state.json".into(),
                saved_at: None,
                bytes: 0,
                error: Some("No space left on device (os error 28)".into()),
                unread: Some("is no state file of howdah".into()),
            }),
            ..status()
        };
        let expected = "\
DRAINING: takes no new sessions, has 120 left, and ends with them or in 1 min
process 4711 (howdah 0.1.0), taken over from at 2027-01-15T07:00:00.000Z, drains: 12 sessions, 1 min at most
waits for a restart: admin.bind, log.format
the reload at 2027-01-15T08:00:00.000Z was refused: the configuration is faulty; nothing has changed
vip front (192.0.2.10): backup since 2027-01-15T08:00:00.000Z, it takes part
peer lb-2 at 10.0.0.2:1024 is away: nobody answers at its address; 7 sticky entries sent, 2 received
the state file /var/lib/howdah/state.json is not written: No space left on device (os error 28)
the state file of the former howdah, /var/lib/howdah/state.json, is no state file of howdah

";
        assert_eq!(notices(&status, 120), expected);
    }

    #[test]
    fn a_backup_that_stands_by_takes_no_sessions() {
        let mut status = status();
        let pool = &mut status.pools[0];
        pool.servers.push(server("standby", "hs2-4:10000", "up", 0));
        let said = "1 of 3 servers take sessions, 1 backup stands by\n";
        assert!(
            headline(pool, 120).ends_with(said),
            "{}",
            headline(pool, 120)
        );
        pool.servers[0].health = "down".into();
        let said = "1 of 3 servers take sessions\n";
        assert!(
            headline(pool, 120).ends_with(said),
            "{}",
            headline(pool, 120)
        );
    }

    #[test]
    fn colours_change_no_width() {
        let plain = print(&status(), now(), view(100));
        let colourful = View {
            colour: true,
            ..view(100)
        };
        let mut painted = print(&status(), now(), colourful);
        assert!(painted.contains("\x1b[32mup\x1b[0m"));
        for code in ["\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"] {
            painted = painted.replace(code, "");
        }
        assert_eq!(painted, plain);
    }

    #[test]
    fn spans() {
        let shown = |seconds: f64| span(Duration::from_secs_f64(seconds));
        assert_eq!(shown(0.0012), "1.2 ms");
        assert_eq!(shown(0.25), "250 ms");
        assert_eq!(shown(59.9), "59 s");
        assert_eq!(shown(3_599.0), "59 min");
        assert_eq!(shown(90_000.0), "25 h 0 min");
        assert_eq!(shown(200_000.0), "2 d 7 h");
    }
}
