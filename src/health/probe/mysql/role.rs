//! Whether a server takes writes, and if not, how its replication does.
//!
//! `read_only` tells the two apart; a server without it is the active one, whatever it copies besides. A replica has a row
//! for each source, whose columns MySQL renamed in 8.0.22 and MariaDB did not. The worst row counts.

use std::time::Duration;

use tokio::time::Instant;

use super::super::replica::{Fresh, Replica, judge};
use super::super::trace::{Answer, Asked};
use super::client::Client;
use super::refusal::{refused, told};
use crate::health::Reason;
use crate::plan::Role;
use crate::wire::mysql::{Failure, Greeting, Row, Table};

pub(super) async fn ask(
    client: &mut Client<'_>,
    greeting: &Greeting,
    (most, fresh): (Option<Duration>, &mut Fresh),
) -> Asked<Answer> {
    let table = match client.query(READ_ONLY).await? {
        Ok(table) => table,
        Err(failure) => return Ok(no_answer(&failure)),
    };
    let only = table
        .rows()
        .first()
        .and_then(|row| table.value(row, &["read_only"]));
    match only {
        Some("0" | "OFF") => {
            return Ok(Answer {
                role: Some(Role::Active),
                ..Answer::up_because("takes writes")
            });
        }
        Some(_) => {}
        None => return Ok(Answer::alive(Reason::QueryFailed, "the query gave no role")),
    }
    let standby = |answer| Answer {
        role: Some(Role::Standby),
        ..answer
    };
    Ok(match replication(client, greeting).await? {
        Ok(table) => judge(&state(&table), most, fresh, Instant::now()),
        Err(failure) if failure.code == PRIVILEGE => {
            let text = format!("may not see its replication: {}", told(&failure));
            standby(Answer::alive(Reason::QueryFailed, &text))
        }
        Err(failure) => standby(no_answer(&failure)),
    })
}

/// The state of each source, in the server's own dialect.
async fn replication(
    client: &mut Client<'_>,
    greeting: &Greeting,
) -> Asked<Result<Table, Failure>> {
    if greeting.is_mariadb() {
        return client.query("SHOW ALL SLAVES STATUS").await;
    }
    match client.query("SHOW REPLICA STATUS").await? {
        Err(failure) if failure.code == SYNTAX => client.query("SHOW SLAVE STATUS").await,
        answer => Ok(answer),
    }
}

fn state(table: &Table) -> Replica {
    let mut all = Replica {
        lag: Some(Duration::ZERO),
        ..Replica::default()
    };
    if table.rows().is_empty() {
        all.broken = Some("read-only, and copies no other server".into());
    }
    for row in table.rows() {
        let one = source(table, row);
        all.broken = all.broken.or(one.broken);
        // Of one that is unknown the whole is.
        all.lag = all.lag.zip(one.lag).map(|(a, b)| a.max(b));
        if all.note.is_empty() {
            all.note = one.note;
        }
    }
    all
}

fn source(table: &Table, row: &Row) -> Replica {
    let value = |names: &[&str]| table.value(row, names);
    let sql = value(&["Replica_SQL_Running", "Slave_SQL_Running"]);
    let io = value(&["Replica_IO_Running", "Slave_IO_Running"]);
    let seconds = value(&["Seconds_Behind_Source", "Seconds_Behind_Master"]);
    let why = |names: &[&str]| match value(names) {
        None | Some("") => String::new(),
        Some(why) => format!(": {why}"),
    };
    let of_sql = || why(&["Last_SQL_Error"]);
    let of_io = || why(&["Last_IO_Error"]);
    let broken = match (sql, io) {
        (Some("Yes"), Some("No")) => Some(format!("the IO thread has stopped{}", of_io())),
        (Some("Yes"), _) => None,
        _ => Some(format!("the SQL thread has stopped{}", of_sql())),
    };
    let reached = io == Some("Yes");
    Replica {
        lag: seconds
            .filter(|_| reached)
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs),
        broken,
        note: match reached {
            true => String::new(),
            false => format!("does not reach its source{}", of_io()),
        },
    }
}

fn no_answer(failure: &Failure) -> Answer {
    match failure.code {
        1047 | 1053 | 1927 => refused(failure),
        _ => Answer::alive(Reason::QueryFailed, &told(failure)),
    }
}

const READ_ONLY: &str = "SELECT @@global.read_only AS read_only";

/// What such a command is answered where it does not exist.
const SYNTAX: u16 = 1064;

/// The account lacks a privilege.
const PRIVILEGE: u16 = 1227;

#[cfg(test)]
mod tests {
    use super::*;

    /// As MySQL 8.4 or MariaDB name the columns.
    fn table(names: [&str; 4], rows: &[[Option<&str>; 4]]) -> Table {
        let text = |text: &str| {
            let length = u8::try_from(text.len()).unwrap();
            [&[length], text.as_bytes()].concat()
        };
        let mut table = Table::default();
        let mut feed = |packet: &[u8]| table.feed(packet).unwrap().unwrap();
        feed(&[4]);
        for name in names {
            feed(&[b"\x03def\0\0\0".to_vec(), text(name)].concat());
        }
        feed(b"\xfe\0\0\x02\0");
        for row in rows {
            let values = row.iter().map(|value| value.map_or(vec![0xfb], text));
            feed(&values.collect::<Vec<_>>().concat());
        }
        feed(b"\xfe\0\0\x02\0");
        table
    }

    const MYSQL: [&str; 4] = [
        "Replica_IO_Running",
        "Replica_SQL_Running",
        "Seconds_Behind_Source",
        "Last_SQL_Error",
    ];
    const MARIADB: [&str; 4] = [
        "Slave_IO_Running",
        "Slave_SQL_Running",
        "Seconds_Behind_Master",
        "Last_SQL_Error",
    ];

    #[test]
    fn a_replica_is_as_well_as_its_worst_source() {
        let (yes, no) = (Some("Yes"), Some("No"));
        let well = [yes, yes, Some("3"), Some("")];
        for names in [MYSQL, MARIADB] {
            let of = |rows: &[[Option<&str>; 4]]| state(&table(names, rows));
            let seconds = |seconds| Some(Duration::from_secs(seconds));
            assert_eq!((of(&[well]).lag, of(&[well]).broken), (seconds(3), None));
            let two = of(&[well, [yes, yes, Some("40"), None]]);
            assert_eq!(two.lag, seconds(40));
            let stopped = of(&[well, [yes, no, None, Some("Duplicate entry")]]);
            let why = "the SQL thread has stopped: Duplicate entry";
            assert_eq!(stopped.broken.as_deref(), Some(why));
            let stopped = of(&[[no, yes, None, None], well]);
            assert_eq!(stopped.broken.as_deref(), Some("the IO thread has stopped"));
            let lost = of(&[[Some("Connecting"), yes, None, None]]);
            assert_eq!((lost.lag, lost.broken), (None, None));
            assert_eq!(lost.note, "does not reach its source");
            assert!(of(&[]).broken.is_some());
        }
        let other = table(["a", "b", "c", "d"], &[[yes, yes, yes, yes]]);
        assert!(state(&other).broken.is_some());
    }
}
