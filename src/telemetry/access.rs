//! The access log: one JSON object on one line for each session that ended; where the file wants it, also for each that
//! has begun, and now and then for one that lasts.
//!
//! The fields and their order are part of the face that users see. What is not known (a server, when none was
//! chosen) is null, so that every line has every field. Writing is left to an [`Outlet`]: a session never waits.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::Metrics;
use super::json::Object;
use super::outlet::{Loss, Outlet};
use super::sink;
pub use super::sink::Sink;
use crate::plan::{LogFormat, LogPlan, LogTarget};

/// Takes lines from all workers. Cheap to clone.
#[derive(Clone)]
pub struct AccessLog {
    outlet: Outlet,
    on: Arc<AtomicBool>,
}

/// What one session came to.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Unique in the process; printed as 16 hexadecimal digits.
    pub session: u64,
    /// Which listener took it.
    pub listener: &'a str,
    /// Who came: the address of the connection, or what a believed PROXY header said.
    pub client: SocketAddr,
    /// Which pool it was for.
    pub pool: Option<&'a str>,
    /// Which server carried it, or was tried last.
    pub server: Option<&'a str>,
    /// The name that the client asked for, in a ClientHello.
    pub sni: Option<&'a str>,
    /// The version of TLS that was terminated, like "1.3".
    pub tls: Option<&'a str>,
    /// Relayed to the server.
    pub bytes_from_client: u64,
    /// Relayed to the client.
    pub bytes_from_server: u64,
    /// From accept to the end.
    pub duration: Duration,
    /// Of the connect that succeeded.
    pub connect: Option<Duration>,
    /// From the client's first byte going out to the server's first byte back.
    pub first_byte: Option<Duration>,
    /// Servers tried.
    pub attempts: u32,
    /// Why that server.
    pub pick: Option<&'static str>,
    /// Where the session ended.
    pub stage: &'static str,
    /// Why it ended; none while it lasts.
    pub reason: Option<&'static str>,
    /// tcp or udp.
    pub protocol: &'static str,
    /// start or lasting; none for an end, whose line has no such field.
    pub event: Option<&'static str>,
}

impl AccessLog {
    /// Starts the writer.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(sink: Sink, metrics: &Metrics) -> io::Result<Self> {
        let on = Arc::new(AtomicBool::new(!sink.is_off()));
        let loss = Loss {
            counter: metrics.log_lines_lost("access"),
            name: "access",
            warn: true,
        };
        let outlet = Outlet::start("access-log", sink, loss)?;
        Ok(Self { outlet, on })
    }

    /// Opens what `log.access` names; nothing is written there yet.
    ///
    /// # Errors
    /// When a file cannot be opened for appending.
    pub fn open(plan: &LogPlan) -> io::Result<Sink> {
        let usual = || sink::usual(LogTarget::Stdout);
        let target = plan.access.clone().unwrap_or_else(usual);
        Sink::open(&target, plan.format == LogFormat::Text)
    }

    /// A file is opened again under its name, and a daemon looked for anew: for log rotation. Waits for nothing.
    pub fn reopen(&self) {
        self.outlet.reopen();
    }

    /// Lines from now on go to `sink`: at a reload, also when the path is the same (log rotation).
    pub fn switch(&self, sink: Sink) {
        self.on.store(!sink.is_off(), Ordering::Relaxed);
        self.outlet.switch(sink);
    }

    /// Which lines are wanted beside those of ends, from now on; of all access logs of the process, which has one.
    pub fn want(plan: &LogPlan) {
        STARTS.store(plan.access_start, Ordering::Relaxed);
        let every = plan.access_every.map_or(0, |every| every.as_millis());
        let every = u64::try_from(every).unwrap_or(u64::MAX);
        EVERY_MILLIS.store(every, Ordering::Relaxed);
    }

    /// Whether a session's start has a line too.
    pub fn wants_starts() -> bool {
        STARTS.load(Ordering::Relaxed)
    }

    /// How often a session that lasts has a line, if it has any.
    pub fn every() -> Option<Duration> {
        let every = EVERY_MILLIS.load(Ordering::Relaxed);
        (every > 0).then(|| Duration::from_millis(every))
    }

    /// Nothing would be written: no need to make a [`Line`].
    pub fn is_off(&self) -> bool {
        !self.on.load(Ordering::Relaxed)
    }

    /// Queues one line, of now.
    pub fn write(&self, line: &Line<'_>) {
        if self.is_off() {
            return;
        }
        TEXT.with_borrow_mut(|text| {
            text.clear();
            line.print(SystemTime::now(), text);
            text.push('\n');
            self.outlet.push(text.as_bytes());
        });
    }

    /// Waits until every line is written, at most `patience`; for the end of the process. Blocks the thread.
    /// Returns whether all were written.
    pub fn flush(&self, patience: Duration) -> bool {
        self.outlet.flush(patience)
    }
}

impl Line<'_> {
    /// Appends the JSON object, without a newline.
    pub fn print(&self, time: SystemTime, text: &mut String) {
        let mut object = Object::begin(text);
        object.time("time", time);
        object.hex("session", self.session);
        object.text("listener", self.listener);
        object.address("client", self.client);
        object.maybe("pool", self.pool);
        object.maybe("server", self.server);
        object.maybe("sni", self.sni);
        object.maybe("tls", self.tls);
        object.number("bytes_from_client", self.bytes_from_client);
        object.number("bytes_from_server", self.bytes_from_server);
        object.seconds("duration_seconds", Some(self.duration));
        object.seconds("connect_seconds", self.connect);
        object.seconds("first_byte_seconds", self.first_byte);
        object.number("attempts", self.attempts.into());
        object.maybe("pick", self.pick);
        object.text("stage", self.stage);
        object.maybe("reason", self.reason);
        object.text("protocol", self.protocol);
        if let Some(event) = self.event {
            object.text("event", event);
        }
        object.end();
    }
}

static STARTS: AtomicBool = AtomicBool::new(false);
/// 0: never.
static EVERY_MILLIS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Each worker's own, kept at the size of its longest line.
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::LogLevel;

    fn line() -> Line<'static> {
        Line {
            session: 0xbeef,
            listener: "hive",
            client: SocketAddr::from(([10, 1, 2, 3], 40_000)),
            pool: Some("hive"),
            server: Some("hs2-1.example.com:10000"),
            sni: None,
            tls: Some("1.3"),
            bytes_from_client: 1_234,
            bytes_from_server: 5_678,
            duration: Duration::from_millis(1_500),
            connect: Some(Duration::from_micros(250)),
            first_byte: None,
            attempts: 1,
            pick: Some("least-connection"),
            stage: "relay",
            reason: Some("client-closed"),
            protocol: "tcp",
            event: None,
        }
    }

    #[test]
    fn fields_are_those_of_the_contract_in_its_order() {
        let mut text = String::new();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        line().print(time, &mut text);
        let expected = concat!(
            r#"{"time":"2027-01-15T08:00:00.000Z","session":"000000000000beef","listener":"hive","#,
            r#""client":"10.1.2.3:40000","pool":"hive","server":"hs2-1.example.com:10000","sni":null,"#,
            r#""tls":"1.3","bytes_from_client":1234,"bytes_from_server":5678,"duration_seconds":1.500000,"#,
            r#""connect_seconds":0.000250,"first_byte_seconds":null,"attempts":1,"#,
            r#""pick":"least-connection","stage":"relay","reason":"client-closed","protocol":"tcp"}"#
        );
        assert_eq!(text, expected);
    }

    fn plan(target: LogTarget) -> LogPlan {
        LogPlan {
            level: LogLevel::Info,
            format: LogFormat::Json,
            target: None,
            access: Some(target),
            access_start: false,
            access_every: None,
        }
    }

    #[test]
    fn lines_reach_the_file_and_follow_a_rotation() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("access.log");
        let target = plan(LogTarget::File(path.clone()));
        let sink = AccessLog::open(&target).expect("opens");
        let log = AccessLog::start(sink, &Metrics::new()).expect("starts");
        log.write(&line());
        assert!(log.flush(Duration::from_secs(10)));
        let rotated = dir.path().join("access.log.1");
        std::fs::rename(&path, &rotated).expect("renames");
        log.switch(AccessLog::open(&target).expect("opens"));
        assert!(log.flush(Duration::from_secs(10)));
        log.write(&line());
        assert!(log.flush(Duration::from_secs(10)));
        for path in [rotated, path] {
            let text = std::fs::read_to_string(path).expect("reads");
            assert_eq!(text.lines().count(), 1);
        }
    }

    #[test]
    fn off_writes_nothing_until_a_reload_says_otherwise() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("access.log");
        let sink = AccessLog::open(&plan(LogTarget::Off)).expect("opens");
        let log = AccessLog::start(sink, &Metrics::new()).expect("starts");
        log.write(&line());
        log.switch(AccessLog::open(&plan(LogTarget::File(path.clone()))).expect("opens"));
        assert!(log.flush(Duration::from_secs(10)));
        log.write(&line());
        assert!(log.flush(Duration::from_secs(10)));
        let text = std::fs::read_to_string(path).expect("reads");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error_at_once() {
        let target = plan(LogTarget::File("/nonexistent/access.log".into()));
        assert!(AccessLog::open(&target).is_err());
    }
}
