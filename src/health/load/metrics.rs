//! From a server's metrics to how much of it is in use. Pure.
//!
//! Neither service says how much it bears, so what counts is what waits: as many waiting as running is full. Beside that a
//! server is as full as the file says with `full_at`, and a Java server that stands still for half of the time is full too.

use std::time::Duration;

use crate::wire::gauges::{self, GaugesError};

/// How much is in use, and why, for people.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Usage {
    /// 1 is full.
    pub(super) used: f64,
    /// What decided.
    pub(super) detail: String,
}

/// HiveServer2's page of metrics; Hive's own are its MetricsConstant.java.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Hive {
    /// Milliseconds that Java stood still, ever.
    paused: Option<f64>,
}

impl Hive {
    /// What is asked for.
    pub(super) const PATH: &str = "/jmx?qry=metrics:name=*";

    /// What the page means; `passed` since the last one.
    ///
    /// # Errors
    /// In words, when the page has no such metrics.
    pub(super) fn read(
        &mut self,
        page: &[u8],
        passed: Duration,
        full_at: Option<u32>,
    ) -> Result<Usage, String> {
        let wanted = |name: &str| HIVE.contains(&name);
        let found = gauges::beans(page, "metrics:name=", wanted).map_err(no_metrics)?;
        if found.is_empty() {
            return Err("the page has no metrics of Hive: set hive.server2.metrics.enabled".into());
        }
        let get = |name| found.get(name).unwrap_or(0.0);
        let waiting = get("exec_async_queue_size") + get("waiting_compile_ops");
        let queue = waits(waiting, get("exec_async_pool_size"), "operations");
        let sessions = filled(get("hs2_open_sessions"), full_at, "sessions");
        let paused = found.get("jvm.pause.extraSleepTime");
        let pauses = paused.zip(std::mem::replace(&mut self.paused, paused));
        let pauses = pauses.map(|(now, before)| stands_still(now - before, passed));
        Ok(worst([Some(queue), sessions, pauses]))
    }
}

/// What Impala is asked for.
pub(super) const IMPALA_PATH: &str = "/jsonmetrics";

/// Impala's page of metrics: be/src/rpc/thrift-server.cc, be/src/scheduling/admission-controller.cc.
///
/// # Errors
/// In words, when the page has no such metrics.
pub(super) fn impala(page: &[u8], full_at: Option<u32>) -> Result<Usage, String> {
    let wanted = |name: &str| {
        IMPALA.contains(&name) || name.starts_with(QUEUED) || name.starts_with(RUNNING)
    };
    let found = gauges::flat(page, wanted).map_err(no_metrics)?;
    if found.is_empty() {
        return Err("the page has no metrics of Impala: is this its web server?".into());
    }
    let queries = found
        .get("impala-server.num-queries-registered")
        .unwrap_or(0.0);
    let queued = found.sum(QUEUED).unwrap_or(0.0);
    let queue = waits(queued, found.sum(RUNNING).unwrap_or(0.0), "queries");
    let front = [
        "hiveserver2-frontend",
        "hiveserver2-http-frontend",
        "beeswax-frontend",
    ];
    let logins = front.map(|front| {
        let get = |what| found.get(&format!("impala.thrift-server.{front}.{what}"));
        waits(
            get("connection-setup-queue-size").unwrap_or(0.0),
            get("connections-in-use").unwrap_or(0.0),
            "logins",
        )
    });
    let stale = (found.get("statestore-subscriber.connected") == Some(0.0)).then(|| Usage {
        used: 1.0,
        detail: "not connected to its statestore: what it knows of tables is old".into(),
    });
    let queries = filled(queries, full_at, "queries");
    Ok(worst(
        [Some(queue), queries, stale]
            .into_iter()
            .chain(logins.map(Some)),
    ))
}

fn no_metrics(error: GaugesError) -> String {
    format!("no page of metrics: {error}")
}

/// Nothing waits: nothing is known to be in use. As many wait as run: full.
fn waits(waiting: f64, running: f64, what: &str) -> Usage {
    let (waiting, running) = (waiting.max(0.0), running.max(0.0));
    Usage {
        used: match waiting > 0.0 {
            true => HALF + HALF * waiting / running.max(1.0),
            false => 0.0,
        },
        detail: format!("{waiting} {what} wait, {running} run"),
    }
}

fn filled(count: f64, full_at: Option<u32>, what: &str) -> Option<Usage> {
    full_at.map(|full| Usage {
        used: count / f64::from(full.max(1)),
        detail: format!("{count} {what}, full at {full}"),
    })
}

/// A counter that began anew says nothing.
fn stands_still(paused: f64, passed: Duration) -> Usage {
    let share = (paused / 1e3 / passed.as_secs_f64().max(0.001)).clamp(0.0, 1.0);
    Usage {
        used: if share > NOTICED { HALF + share } else { 0.0 },
        detail: format!("Java stood still for {:.0} % of the time", share * 100.0),
    }
}

fn worst(all: impl IntoIterator<Item = Option<Usage>>) -> Usage {
    let all = all.into_iter().flatten();
    let worst = all.reduce(|worst, one| if one.used > worst.used { one } else { worst });
    worst.unwrap_or(Usage {
        used: 0.0,
        detail: String::new(),
    })
}

/// In use, so far, without a reason for anything.
const HALF: f64 = 0.5;

/// A garbage collector always takes some.
const NOTICED: f64 = 0.05;

const HIVE: [&str; 5] = [
    "hs2_open_sessions",
    "exec_async_queue_size",
    "exec_async_pool_size",
    "waiting_compile_ops",
    "jvm.pause.extraSleepTime",
];

const QUEUED: &str = "admission-controller.local-num-queued.";
const RUNNING: &str = "admission-controller.local-num-admitted-running.";

const IMPALA: [&str; 8] = [
    "impala-server.num-queries-registered",
    "statestore-subscriber.connected",
    "impala.thrift-server.hiveserver2-frontend.connection-setup-queue-size",
    "impala.thrift-server.hiveserver2-frontend.connections-in-use",
    "impala.thrift-server.hiveserver2-http-frontend.connection-setup-queue-size",
    "impala.thrift-server.hiveserver2-http-frontend.connections-in-use",
    "impala.thrift-server.beeswax-frontend.connection-setup-queue-size",
    "impala.thrift-server.beeswax-frontend.connections-in-use",
];

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn hive(values: &[(&str, &str)]) -> String {
        let bean = |(name, value): &(&str, &str)| {
            format!("{{\"name\": \"metrics:name={name}\", {value}}}")
        };
        let beans: Vec<String> = values.iter().map(bean).collect();
        format!("{{\"beans\": [{}]}}", beans.join(", "))
    }

    fn used(page: &str, full_at: Option<u32>) -> f64 {
        Hive::default()
            .read(page.as_bytes(), INTERVAL, full_at)
            .unwrap()
            .used
    }

    #[test]
    fn a_hiveserver2_is_as_full_as_what_waits_in_it() {
        let queue = |queue: u32| {
            let queue = format!("\"Value\": {queue}");
            hive(&[
                ("exec_async_pool_size", "\"Value\": 100"),
                ("exec_async_queue_size", &queue),
            ])
        };
        assert_eq!(
            [0, 50, 100, 200].map(|size| used(&queue(size), None)),
            [0.0, 0.75, 1.0, 1.5]
        );
        let compile = hive(&[
            ("waiting_compile_ops", "\"Value\": 1"),
            ("hs2_open_sessions", "\"Value\": 60"),
        ]);
        assert_eq!(used(&compile, None), 1.0);
        let sessions = hive(&[("hs2_open_sessions", "\"Value\": 60")]);
        assert_eq!(
            (used(&sessions, None), used(&sessions, Some(80))),
            (0.0, 0.75)
        );
    }

    #[test]
    fn a_java_that_stands_still_for_half_of_the_time_is_full() {
        let paused =
            |millis: u32| hive(&[("jvm.pause.extraSleepTime", &format!("\"Count\": {millis}"))]);
        let mut server = Hive::default();
        let mut read = |millis| {
            server
                .read(paused(millis).as_bytes(), INTERVAL, None)
                .unwrap()
        };
        assert_eq!(read(100_000).used, 0.0, "what was before is unknown");
        let full = read(102_500);
        assert_eq!(
            (full.used, full.detail.as_str()),
            (1.0, "Java stood still for 50 % of the time")
        );
        assert_eq!(read(102_600).used, 0.0);
        assert_eq!(read(10).used, 0.0, "a server that began anew");
    }

    #[test]
    fn an_impala_is_as_full_as_its_queues() {
        let page = |text: &str| impala(text.as_bytes(), None).map(|usage| usage.used);
        let idle = "{\"impala-server.num-queries-registered\": 70, \"statestore-subscriber.connected\": true}";
        assert_eq!(page(idle), Ok(0.0));
        assert_eq!(impala(idle.as_bytes(), Some(70)).unwrap().used, 1.0);
        let queue = "{\"admission-controller.local-num-queued.root.a\": 2, \"admission-controller.local-num-queued.root.b\": 3, \
            \"admission-controller.local-num-admitted-running.root.a\": 10}";
        assert_eq!(page(queue), Ok(0.75));
        let logins = "{\"impala.thrift-server.hiveserver2-frontend.connection-setup-queue-size\": 64, \
            \"impala.thrift-server.hiveserver2-frontend.connections-in-use\": 64}";
        assert_eq!(page(logins), Ok(1.0));
        assert_eq!(
            page("{\"statestore-subscriber.connected\": false}"),
            Ok(1.0)
        );
    }

    #[test]
    fn another_page_is_named() {
        let mut server = Hive::default();
        let mut hive = |page: &[u8]| server.read(page, INTERVAL, None).unwrap_err();
        assert!(hive(b"{\"beans\": []}").contains("hive.server2.metrics.enabled"));
        assert!(hive(b"<html>").starts_with("no page of metrics: expected value"));
        assert!(
            impala(b"{}", None)
                .unwrap_err()
                .contains("is this its web server?")
        );
    }
}
