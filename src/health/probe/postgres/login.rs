//! A login, one query, and the goodbye, by tokio-postgres over the probe's own connection.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, Error, NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::super::fault;
use super::super::link::Link;
use super::super::raw::{Endless, Raw};
use super::super::replica::{Fresh, Replica, judge};
use super::super::trace::{Answer, Asked, Trace};
use super::refusal::{refused, told};
use crate::health::Reason;
use crate::plan::{DatabaseAccount, Role};
use crate::wire::postgres::Failure;

pub(super) async fn ask(
    link: &mut Link,
    trace: &mut Trace,
    account: &DatabaseAccount,
    most: Option<Duration>,
    fresh: &mut Fresh,
) -> Asked<Answer> {
    trace.step("login");
    let closed = || Answer::down(Reason::Closed, "closed before the login");
    let raw = Raw::new(link.stream().ok_or_else(closed)?, ANSWERS_MAX);
    // The stream is TLS already, where the plan wants that.
    let connected = config(account).connect_raw(raw, NoTls).await;
    let (client, connection) = connected.map_err(|error| no_login(&error, account))?;
    trace.step("role");
    let asked = async {
        let asked = client.simple_query(QUERY).await;
        // The connection says goodbye when its client is gone.
        drop(client);
        asked
    };
    let (asked, ended) = tokio::join!(asked, connection);
    // Of a connection that fails its client knows no more than that it is gone.
    let messages = asked.map_err(|error| no_answer(&ended.err().unwrap_or(error)))?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let missing = || Answer::alive(Reason::QueryFailed, "the query gave no row");
    answer(row.ok_or_else(missing)?, most, fresh)
}

fn config(account: &DatabaseAccount) -> Config {
    let mut config = Config::new();
    config
        .user(&account.user)
        .dbname(account.database.as_deref().unwrap_or(DATABASE))
        .application_name("howdah")
        .ssl_mode(SslMode::Disable);
    if let Some(password) = &account.password {
        config.password(password.expose());
    }
    config
}

fn answer(row: &SimpleQueryRow, most: Option<Duration>, fresh: &mut Fresh) -> Asked<Answer> {
    let value = |column: &str| row.try_get(column).ok().flatten();
    let truth = |column: &str| value(column) == Some("t");
    match value("in_recovery") {
        Some("f") => Ok(Answer {
            role: Some(Role::Active),
            ..Answer::up_because("primary")
        }),
        Some("t") => {
            let old = value("old").and_then(seconds);
            let replica = replica(truth("streaming"), truth("applied"), truth("paused"), old);
            Ok(judge(&replica, most, fresh, Instant::now()))
        }
        _ => Err(Answer::alive(Reason::QueryFailed, "the query gave no role")),
    }
}

/// Two clocks may differ: what is before its time has just been.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    match seconds < 0.0 {
        true => Some(Duration::ZERO),
        false => Duration::try_from_secs_f64(seconds).ok(),
    }
}

/// `applied`: all that was received is; `old`: since the last transaction that was.
fn replica(streaming: bool, applied: bool, paused: bool, old: Option<Duration>) -> Replica {
    Replica {
        // Nothing is left to do, and more would be known: it is current, however long ago the last transaction was.
        lag: match streaming && applied {
            true => Some(Duration::ZERO),
            false => old,
        },
        broken: paused.then(|| "replay is paused".to_owned()),
        note: match streaming {
            true => String::new(),
            false => "receives nothing from a primary".to_owned(),
        },
    }
}

/// Why there was no login.
fn no_login(error: &Error, account: &DatabaseAccount) -> Answer {
    if let Some(failure) = failure(error) {
        return match failure.code.as_bytes() {
            [b'2', b'8', ..] => {
                let text = told(&failure);
                Answer::alive(Reason::BadCredentials, &text).logging_an_error()
            }
            b"3D000" | b"42501" => refused(&failure).logging_an_error(),
            _ => refused(&failure),
        };
    }
    if let Some(answer) = of_stream(error) {
        return answer;
    }
    let text = said(error);
    if text.contains("unsupported authentication") {
        return Answer::alive(Reason::UnsupportedMechanism, &text);
    }
    match account.password {
        None => Answer::alive(
            Reason::AccountNeeded,
            "asks for a password: say password_file",
        ),
        // Such as a server that cannot prove that it knows the password either.
        Some(_) => Answer::down(Reason::UnexpectedAnswer, &text),
    }
}

/// Why there was no answer to the query.
fn no_answer(error: &Error) -> Answer {
    match failure(error) {
        Some(failure) if failure.code.starts_with("57P") => refused(&failure),
        Some(failure) => Answer::alive(Reason::QueryFailed, &told(&failure)),
        None => {
            of_stream(error).unwrap_or_else(|| Answer::down(Reason::UnexpectedAnswer, &said(error)))
        }
    }
}

fn failure(error: &Error) -> Option<Failure> {
    let error = error.as_db_error()?;
    Some(Failure {
        code: error.code().code().to_owned(),
        message: error.message().to_owned(),
    })
}

/// What the stream itself came to.
fn of_stream(error: &Error) -> Option<Answer> {
    if error.is_closed() {
        return Some(Answer::down(Reason::Closed, "closed without an answer"));
    }
    let cause: &io::Error = error.source()?.downcast_ref()?;
    let inner = cause.get_ref();
    if inner.is_some_and(|inner| inner.is::<Endless>()) {
        return Some(Answer::down(Reason::Endless, &Endless.to_string()));
    }
    // What the client makes of bytes that it does not understand has a text of its own.
    let own = inner.is_some_and(|inner| !inner.is::<rustls::Error>());
    if own && cause.kind() != io::ErrorKind::UnexpectedEof {
        return Some(Answer::down(Reason::UnexpectedAnswer, &said(error)));
    }
    Some(fault::of_io(cause))
}

/// With its cause.
fn said(error: &Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Every server has it, unless somebody took it away.
pub(super) const DATABASE: &str = "postgres";

/// A login and one row take some hundred.
const ANSWERS_MAX: usize = 64 * 1024;

/// One row; what a primary has no answer to it is not asked. Needs no privilege: who may not see more of the receiver sees
/// whether there is one. From PostgreSQL 10 on.
const QUERY: &str = "\
    SELECT pg_is_in_recovery() AS in_recovery, \
    CASE WHEN pg_is_in_recovery() THEN EXISTS (SELECT 1 FROM pg_stat_wal_receiver) END AS streaming, \
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() END AS applied, \
    CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END AS paused, \
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) AS old";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_length_of_time_or_nothing() {
        let of = |text| seconds(text).map(|length| length.as_secs_f64());
        assert_eq!(of("2.5"), Some(2.5));
        assert_eq!(of("-0.01"), Some(0.0));
        for text in ["", "NaN", "inf", "1e300", "one"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_copy_is_current_only_while_it_receives() {
        let hour = Some(Duration::from_secs(3600));
        let lag = |streaming, applied, old| replica(streaming, applied, false, old).lag;
        assert_eq!(lag(true, true, hour), Some(Duration::ZERO));
        assert_eq!(lag(true, false, hour), hour);
        // All that was received is applied, and nothing is received any more: this is not current.
        assert_eq!(lag(false, true, hour), hour);
        assert_eq!(lag(false, true, None), None);
        let paused = replica(true, true, true, None);
        assert_eq!(paused.broken.as_deref(), Some("replay is paused"));
    }
}
