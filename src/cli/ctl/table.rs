//! The status as a table for people.

use std::time::{Duration, SystemTime};

use crate::admin::status::{
    DepartedStatus, DiscoveryStatus, LoadStatus, PoolStatus, ServerStatus, Status,
};

/// Lines that end with a newline; `now` gives probes their age.
pub(super) fn print(status: &Status, now: SystemTime, colour: bool) -> String {
    let version = clean(&status.version);
    let uptime = span(Duration::try_from_secs_f64(status.uptime_seconds).unwrap_or_default());
    let generation = status.generation;
    let mut text = format!("howdah {version}, up {uptime}, configuration no. {generation}\n\n");
    text.push_str(&notices(status));
    text.push_str(&listeners(status).print(colour));
    for pool in &status.pools {
        text.push('\n');
        text.push_str(&headline(pool));
        text.push_str(&servers(pool, now).print(colour));
        text.push_str(&departed(pool));
    }
    text
}

/// What somebody should know before the tables.
fn notices(status: &Status) -> String {
    let mut text = String::new();
    if let Some(draining) = &status.draining {
        let (sessions, left) = (draining.sessions_left, draining.seconds_left);
        let left = span(Duration::try_from_secs_f64(left).unwrap_or_default());
        text.push_str(&format!(
            "DRAINING: takes no new sessions, has {sessions} left, and ends with them or in {left}\n"
        ));
    }
    if !status.needs_restart.is_empty() {
        let keys = clean(&status.needs_restart.join(", "));
        text.push_str(&format!("waits for a restart: {keys}\n"));
    }
    if let Some(refused) = &status.refused_reload {
        let (at, error) = (clean(&refused.at), clean(&refused.error));
        text.push_str(&format!("the reload at {at} was refused: {error}\n"));
    }
    text.push_str(if text.is_empty() { "" } else { "\n" });
    text
}

fn listeners(status: &Status) -> Table {
    let mut table = Table::new(&[
        ("LISTENER", Left),
        ("ADDRESS", Left),
        ("SESSIONS", Right),
        ("TOTAL", Right),
    ]);
    for one in &status.listeners {
        let mut bound: Vec<String> = one.bind.iter().map(ToString::to_string).collect();
        if one.protocol.iter().any(|protocol| protocol == "udp") {
            bound.insert(0, clean(&one.protocol.join(",")));
        }
        let bound = if one.bind.is_empty() {
            "not bound".into()
        } else {
            bound.join(" ")
        };
        table.row(vec![
            clean(&one.name),
            bound,
            one.sessions_active.to_string(),
            one.sessions_total.to_string(),
        ]);
    }
    table
}

fn headline(pool: &PoolStatus) -> String {
    let (name, service, balance) = (
        clean(&pool.name),
        clean(&pool.service),
        clean(&pool.balance),
    );
    let all = pool.servers.len();
    let (taking, waiting) = pool.serving();
    let waiting = match waiting {
        0 => String::new(),
        1 => ", 1 backup stands by".into(),
        some => format!(", {some} backups stand by"),
    };
    let conflict = if pool.conflict {
        "\n  CONFLICT: several servers say that they are the active one; the first keeps the sessions"
    } else {
        ""
    };
    let source = pool.discovery.as_ref().map(source).unwrap_or_default();
    format!(
        "pool {name}: {service}, {balance}, {taking} of {all} servers take sessions{waiting}{source}{conflict}\n"
    )
}

/// Who lists servers, and in a line of its own that the list is old.
fn source(discovery: &DiscoveryStatus) -> String {
    let word = clean(&discovery.source);
    if discovery.state == "live" {
        return format!(", listed by {word}");
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
    format!(", listed by {word}\n  STALE: {age}: {why}")
}

/// Servers that left and still have sessions.
fn departed(pool: &PoolStatus) -> String {
    let line = |one: &DepartedStatus| {
        let (name, sessions) = (clean(&one.name), one.sessions_active);
        let left = one.seconds_left.map(Duration::try_from_secs_f64);
        let end = match left {
            Some(left) => format!("ended in {}", span(left.unwrap_or_default())),
            None => "until they end".into(),
        };
        let word = if sessions == 1 { "session" } else { "sessions" };
        format!("  left: {name}, {sessions} {word}, {end}\n")
    };
    pool.departed.iter().map(line).collect()
}

fn servers(pool: &PoolStatus, now: SystemTime) -> Table {
    let tells = |one: &ServerStatus| !one.address.starts_with(&one.name);
    let addresses = pool.servers.iter().any(tells);
    let mut columns = vec![
        ("SERVER", Left),
        ("ADDRESS", Left),
        ("HEALTH", State),
        ("ADMIN", State),
    ];
    let roles = pool.servers.iter().any(|one| one.role.is_some());
    if roles {
        columns.push(("ROLE", Left));
    }
    columns.extend([
        ("WEIGHT", Right),
        ("SESSIONS", Right),
        ("TOTAL", Right),
        ("LAST PROBE", Left),
    ]);
    if !addresses {
        columns.remove(1);
    }
    let mut table = Table::new(&columns);
    for one in &pool.servers {
        let mut row = vec![
            format!("{}/{}", clean(&pool.name), clean(&one.name)),
            clean(&one.address),
            clean(&one.health),
            clean(&one.admin),
            clean(one.role.as_deref().unwrap_or("-")),
            weight(one),
            one.sessions_active.to_string(),
            one.sessions_total.to_string(),
            probe(one, now),
        ];
        if !roles {
            row.remove(4);
        }
        if !addresses {
            row.remove(1);
        }
        table.row(row);
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

/// Like `ok in 1.2 ms, 3 s ago`, or `connect-refused: nobody listens, 3 s ago`.
fn probe(server: &ServerStatus, now: SystemTime) -> String {
    let Some(last) = &server.last_probe else {
        return if server.health == "unknown" {
            "none yet"
        } else {
            "-"
        }
        .into();
    };
    let reason = server.reason.as_deref().unwrap_or(&last.verdict);
    let said = if last.verdict == "up" || last.detail.is_empty() {
        let took = Duration::try_from_secs_f64(last.duration_seconds).unwrap_or_default();
        format!("{} in {}", clean(reason), span(took))
    } else {
        format!("{}: {}", clean(reason), clean(&last.detail))
    };
    let at = last.at.parse::<jiff::Timestamp>().map(SystemTime::from);
    match at.map(|at| now.duration_since(at).unwrap_or_default()) {
        Ok(age) => format!("{said}, {} ago", span(age)),
        Err(_) => said,
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

/// A terminal obeys control characters: they do not get there.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|one| if one.is_control() { '?' } else { one })
        .collect()
}

use Align::{Left, Right, State};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    /// Left, and coloured by its word.
    State,
}

/// Columns as wide as their widest cell.
pub(super) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            aligns: columns.iter().map(|(_, align)| *align).collect(),
            rows: vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect()],
        }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn print(&self, colour: bool) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.aligns.len()).map(width).collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let (align, width) = (self.aligns[column], widths[column]);
                let pad = " ".repeat(width - cell.chars().count());
                let paint = if !colour {
                    ""
                } else if number == 0 {
                    DIM
                } else {
                    tint(align, cell)
                };
                let reset = if paint.is_empty() { "" } else { RESET };
                line.push_str(if column == 0 { "" } else { "  " });
                match align {
                    Right => line.push_str(&format!("{pad}{paint}{cell}{reset}")),
                    Left | State => line.push_str(&format!("{paint}{cell}{reset}{pad}")),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn tint(align: Align, cell: &str) -> &'static str {
    match (align, cell) {
        (State, "up") => "\x1b[32m",
        (State, "alive" | "draining" | "maintenance") => "\x1b[33m",
        (State, "down") => "\x1b[31m",
        _ => "",
    }
}

const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::status::{DrainStatus, ListenerStatus, ProbeStatus, RefusedStatus};

    fn server(name: &str, address: &str, health: &str, active: u64) -> ServerStatus {
        let up = health == "up";
        ServerStatus {
            name: name.into(),
            address: address.into(),
            weight: 1,
            backup: name == "standby",
            health: health.into(),
            since: None,
            role: None,
            load: None,
            on_offer: up,
            admin: "ready".into(),
            max_connections: None,
            sessions_active: active,
            sessions_total: 1_000 * active,
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
            uptime_seconds: 7_261.5,
            generation: 3,
            state: "running".into(),
            draining: None,
            needs_restart: Vec::new(),
            refused_reload: None,
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

    #[test]
    fn columns_stand_under_their_heads() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_003);
        let expected = "\
howdah 0.1.0, up 2 h 1 min, configuration no. 3

LISTENER  ADDRESS        SESSIONS   TOTAL
hive      0.0.0.0:10000       120  120000

pool hive: hiveserver2, least-connection, 1 of 2 servers take sessions
SERVER                  ADDRESS                  HEALTH  ADMIN  WEIGHT  SESSIONS   TOTAL  LAST PROBE
hive/hs2-1.example.com  hs2-1.example.com:10000  up      ready       1       120  120000  ok in 1.2 ms, 3 s ago
hive/old                hs2-3.example.com:10000  down    ready       1         0       0  connect-refused: nobody?[2J listens, 3 s ago
";
        assert_eq!(print(&status(), now, false), expected);
    }

    #[test]
    fn what_somebody_should_know_is_told_first() {
        assert_eq!(notices(&status()), "");
        let status = Status {
            draining: Some(DrainStatus {
                sessions_left: 120,
                seconds_left: 90.0,
            }),
            needs_restart: vec!["admin.bind".into(), "log.format".into()],
            refused_reload: Some(RefusedStatus {
                at: "2027-01-15T08:00:00.000Z".into(),
                error: "the configuration is faulty; nothing has changed".into(),
                faults: Vec::new(),
            }),
            ..status()
        };
        let expected = "\
DRAINING: takes no new sessions, has 120 left, and ends with them or in 1 min
waits for a restart: admin.bind, log.format
the reload at 2027-01-15T08:00:00.000Z was refused: the configuration is faulty; nothing has changed

";
        assert_eq!(notices(&status), expected);
    }

    #[test]
    fn a_backup_that_stands_by_takes_no_sessions() {
        let mut status = status();
        let pool = &mut status.pools[0];
        pool.servers.push(server("standby", "hs2-4:10000", "up", 0));
        let said = "1 of 3 servers take sessions, 1 backup stands by\n";
        assert!(headline(pool).ends_with(said), "{}", headline(pool));
        pool.servers[0].health = "down".into();
        let said = "1 of 3 servers take sessions\n";
        assert!(headline(pool).ends_with(said), "{}", headline(pool));
    }

    #[test]
    fn colours_change_no_width() {
        let plain = print(&status(), SystemTime::UNIX_EPOCH, false);
        let mut painted = print(&status(), SystemTime::UNIX_EPOCH, true);
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
