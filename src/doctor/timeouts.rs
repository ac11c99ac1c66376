//! Times of howdah against those of servers and clients.

use std::time::Duration;

use super::finding::Code::{ConnectTooLong, DrainTooShort, IdleTooShort};
use super::finding::Finding;
use super::finding::Level::{Note, Warning};
use crate::base::unit::show_duration;
use crate::plan::PoolPlan;

/// A service whose sessions live on idle connections.
struct Keeps {
    service: &'static str,
    /// The server's own bound, and its key.
    own: &'static str,
    /// What howdah should wait at least.
    least: Duration,
}

pub(super) fn of(pool: &PoolPlan, drain_timeout: Duration) -> Vec<Finding> {
    let found = [idle(pool), connect(pool), drain(pool, drain_timeout)];
    found.into_iter().flatten().collect()
}

fn idle(pool: &PoolPlan) -> Option<Finding> {
    let keeps = keeps(pool)?;
    let idle = pool.timeouts.idle;
    if idle >= keeps.least {
        return None;
    }
    let level = if idle < HOUR { Warning } else { Note };
    Some(Finding::new(
        (level, IdleTooShort),
        place(pool),
        format!(
            "timeouts.idle is {}; the server itself waits {}",
            show_duration(idle),
            keeps.own
        ),
        "howdah ends the connection of a user who thinks, or of a query that runs without a word; the client then reads \
         \"Invalid SessionHandle\", \"TTransportException\" or \"connection reset\"",
        format!(
            "leave timeouts.idle out, or make it {} at least: keepalive finds peers that are gone",
            show_duration(keeps.least)
        ),
    ))
}

fn connect(pool: &PoolPlan) -> Option<Finding> {
    keeps(pool)?;
    let all = pool.timeouts.connect * ATTEMPTS_WORTH;
    (all > PATIENCE).then(|| {
        Finding::new(
            (Warning, ConnectTooLong),
            place(pool),
            format!(
                "a client may wait {} for a server: three times timeouts.connect, {}",
                show_duration(all),
                show_duration(pool.timeouts.connect)
            ),
            "Hue gives up after 120 s (server_conn_timeout), and drivers with a login timeout sooner: they call again while \
             howdah still tries",
            "make timeouts.connect a few seconds",
        )
    })
}

fn drain(pool: &PoolPlan, drain_timeout: Duration) -> Option<Finding> {
    let keeps = keeps(pool)?;
    let (level, why) = match keeps.service {
        _ if drain_timeout < MINUTE => (
            Warning,
            "a stop or a reload that takes a server out ends sessions that still work",
        ),
        "impala" if drain_timeout < HOUR => (
            Note,
            "a coordinator that shuts down gives its queries an hour (--shutdown_deadline_s); howdah ends them before",
        ),
        _ => return None,
    };
    let now = show_duration(drain_timeout);
    Some(Finding::new(
        (level, DrainTooShort),
        place(pool),
        format!("global.drain_timeout is {now}"),
        why,
        "set global.drain_timeout to what your longest query takes, and TimeoutStopSec of the unit file above it",
    ))
}

fn keeps(pool: &PoolPlan) -> Option<&'static Keeps> {
    KEEPS
        .iter()
        .find(|one| one.service == pool.service.as_str())
}

fn place(pool: &PoolPlan) -> String {
    format!("pool \"{}\"", pool.name)
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// As `session::link` has it: what all attempts of a session get, in connects.
const ATTEMPTS_WORTH: u32 = 3;

/// `server_conn_timeout` of Hue.
const PATIENCE: Duration = Duration::from_secs(120);

/// Each bound by the server's own documentation, as the pages in docs/services cite it.
const KEEPS: [Keeps; 5] = [
    Keeps {
        service: "hiveserver2",
        own: "7 days (hive.server2.idle.session.timeout)",
        least: HOUR.saturating_mul(12),
    },
    Keeps {
        service: "hive-metastore",
        own: "for as long as the HiveServer2 that holds the connection",
        least: HOUR.saturating_mul(12),
    },
    Keeps {
        service: "impala",
        own: "for ever (--idle_session_timeout is 0)",
        least: HOUR.saturating_mul(12),
    },
    Keeps {
        service: "postgresql",
        own: "for ever (idle_session_timeout is 0)",
        least: HOUR.saturating_mul(8),
    },
    Keeps {
        service: "mysql",
        own: "8 hours (wait_timeout)",
        least: HOUR.saturating_mul(8),
    },
];
