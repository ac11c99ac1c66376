//! Sessions as a table for people, at most a hundred columns wide: long names lose their middle.

use super::table::{Align::Left, Align::Right, Table, clean};
use crate::admin::sessions::{EndedList, SessionList};

/// Lines that end with a newline.
pub(super) fn table(list: &SessionList) -> String {
    let Some(first) = list.sessions.first() else {
        return "no such session\n".into();
    };
    let same =
        |own: &dyn Fn(&crate::admin::sessions::Session) -> bool| list.sessions.iter().all(own);
    let one_listener = same(&|one| one.listener == first.listener);
    let one_pool = same(&|one| one.pool == first.pool);
    let mut columns = vec![("SESSION", Left), ("CLIENT", Left)];
    if !one_listener {
        columns.push(("LISTENER", Left));
    }
    columns.extend([
        ("SERVER", Left),
        ("AGE", Right),
        ("IDLE", Right),
        ("SENT", Right),
        ("GOT", Right),
    ]);
    let mut text = Table::new(&columns);
    for one in &list.sessions {
        let server = match (&one.server, &one.pool) {
            (Some(server), Some(pool)) if !one_pool => format!("{pool}/{server}"),
            (Some(server), _) => server.clone(),
            (None, Some(pool)) => format!("{pool}: {}", one.stage),
            (None, None) => one.stage.clone(),
        };
        let mut row = vec![clean(&one.id), elided(&one.client, CLIENT)];
        if !one_listener {
            row.push(elided(&one.listener, LISTENER));
        }
        row.extend([
            elided(&server, if one_listener { WIDE } else { NARROW }),
            brief(one.age_seconds),
            brief(one.idle_seconds),
            bytes(one.bytes_from_client),
            bytes(one.bytes_from_server),
        ]);
        text.row(row);
    }
    let mut text = text.print(false);
    let shown = list.sessions.len().try_into().unwrap_or(u64::MAX);
    if list.total > shown {
        let more = list.total - shown;
        text.push_str(&format!(
            "and {more} more, which began later: --limit shows them\n"
        ));
    } else {
        text.push_str(&format!("{}\n", counted(shown)));
    }
    text
}

/// The same of those that are over.
pub(super) fn ended_table(list: &EndedList) -> String {
    if list.sessions.is_empty() {
        return "none ended\n".into();
    }
    let mut text = Table::new(&[
        ("ENDED", Left),
        ("CLIENT", Left),
        ("SERVER", Left),
        ("LASTED", Right),
        ("SENT", Right),
        ("GOT", Right),
        ("REASON", Left),
    ]);
    for one in &list.sessions {
        let server = one.server.as_deref().unwrap_or("-");
        text.row(vec![
            // The day is today's, or the log tells more.
            clean(one.ended_at.get(11..19).unwrap_or(&one.ended_at)),
            elided(&one.client, CLIENT),
            elided(server, NARROW),
            brief(one.duration_seconds),
            bytes(one.bytes_from_client),
            bytes(one.bytes_from_server),
            clean(&one.reason),
        ]);
    }
    text.print(false)
}

/// Like `1 session`.
pub(super) fn counted(count: u64) -> String {
    match count {
        1 => "1 session".into(),
        count => format!("{count} sessions"),
    }
}

/// At most `width` characters, without control characters; what is left away is the middle.
pub(in crate::cli) fn elided(text: &str, width: usize) -> String {
    let all: Vec<char> = clean(text).chars().collect();
    if all.len() <= width || width < 3 {
        return all.into_iter().take(width.max(1)).collect();
    }
    let tail = (width - 1) / 2;
    let head = width - 1 - tail;
    let (head, tail) = (&all[..head], &all[all.len() - tail..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

/// A time in at most six characters.
pub(in crate::cli) fn brief(seconds: f64) -> String {
    // Ages are positive and far below u64's end.
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..172_800 => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

/// Bytes in at most five characters, in steps of 1024.
pub(in crate::cli) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut units = ["", "K", "M", "G", "T", "P"].iter();
    let mut unit = "";
    while let Some(next) = units.next() {
        unit = next;
        if value < 999.5 {
            break;
        }
        if units.len() > 0 {
            value /= 1024.0;
        }
    }
    match unit {
        "" => format!("{count}"),
        _ if value < 9.95 => format!("{value:.1}{unit}"),
        _ => format!("{value:.0}{unit}"),
    }
}

const CLIENT: usize = 21;
const LISTENER: usize = 10;
const WIDE: usize = 29;
const NARROW: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::sessions::Session;

    fn session(client: &str, listener: &str, server: Option<&str>) -> Session {
        Session {
            id: "00a1b2c30000002a".into(),
            listener: listener.into(),
            protocol: "tcp".into(),
            client: client.into(),
            pool: Some("hive".into()),
            server: server.map(Into::into),
            stage: "relay".into(),
            pick: Some("sticky".into()),
            sni: None,
            tls: None,
            age_seconds: 11_523.4,
            idle_seconds: 61.0,
            bytes_from_client: 1_234,
            bytes_from_server: 5_678_901,
        }
    }

    #[test]
    fn a_table_is_a_hundred_columns_wide_whatever_the_names() {
        let long = "a-server-with-a-very-long-name-in-the-second-rack.example.com:10000";
        let list = SessionList {
            total: 3,
            sessions: vec![
                session("10.1.2.3:40000", "hive", Some(long)),
                session(
                    "[2001:db8:1234:5678:9abc:def0:1234:5678]:40000",
                    "a-long-listener-name",
                    None,
                ),
            ],
        };
        let text = table(&list);
        let expected = "\
SESSION           CLIENT                 LISTENER    SERVER               AGE   IDLE  SENT   GOT
00a1b2c30000002a  10.1.2.3:40000         hive        a-server…om:10000  3h12m  1m01s  1.2K  5.4M
00a1b2c30000002a  [2001:db8:…678]:40000  a-lon…name  hive: relay        3h12m  1m01s  1.2K  5.4M
and 1 more, which began later: --limit shows them
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn times_and_bytes_stay_short() {
        let times = [0.4, 59.0, 60.0, 3599.0, 3600.0, 172_799.0, 172_800.0, 8e6];
        let shown: Vec<String> = times.into_iter().map(brief).collect();
        assert_eq!(
            shown,
            [
                "0s", "59s", "1m00s", "59m59s", "1h00m", "47h59m", "2d00h", "92d14h"
            ]
        );
        let counts = [0, 999, 1000, 1024, 10_240, 1_048_576, u64::MAX];
        let shown: Vec<String> = counts.into_iter().map(bytes).collect();
        assert_eq!(shown, ["0", "999", "1.0K", "1.0K", "10K", "1.0M", "16384P"]);
    }
}
