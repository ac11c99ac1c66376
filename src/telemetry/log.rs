//! Sets `tracing` up: what howdah says about itself, on standard error or where `log.target` says.
//!
//! Events go through an [`Outlet`] like the lines of the access log, so a stuck terminal or a full pipe behind
//! standard error does not stop a worker. The level changes with a reload; format and target do not.

use std::fmt::{self, Debug};
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use super::Metrics;
use super::json::Object;
use super::outlet::{Loss, Outlet};
use super::sink::{self, Sink};
use crate::plan::{LogFormat, LogLevel, LogPlan, LogTarget};

/// The log of the process; its drop waits until what was said is written.
pub struct Log {
    outlet: Outlet,
}

/// A list for a field of an event: an array in JSON, and its entries with commas between them as text.
///
/// `tracing` has no lists. It does have errors, which can be asked for what they are: so this says that it is one.
/// Write `changes = List::of(&changes).value()`.
#[derive(Debug)]
pub struct List(Vec<String>);

impl List {
    /// With these entries.
    pub fn of(entries: &[String]) -> Self {
        Self(entries.to_vec())
    }

    /// As `tracing` takes it.
    pub fn value(&self) -> &(dyn std::error::Error + 'static) {
        self
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for List {}

/// Says more or less from now on; nothing where no [`Log`] was started, as in tests.
pub fn set_level(level: LogLevel) {
    if let Some(running) = RUNNING.get() {
        // Fails only when the subscriber is gone, and then there is nothing to say it to.
        let _ = running.level.reload(filter(level));
    }
}

/// A file is opened again under its name, and a daemon looked for anew: for log rotation. Waits for nothing.
pub fn reopen() {
    if let Some(running) = RUNNING.get() {
        running.outlet.reopen();
    }
}

impl Log {
    /// Takes over `tracing` for the whole process.
    ///
    /// # Errors
    /// When a file cannot be opened, the writer's thread cannot be started, or somebody took `tracing` over before.
    pub fn start(plan: &LogPlan, metrics: &Metrics) -> io::Result<Self> {
        let loss = Loss {
            counter: metrics.log_lines_lost("process"),
            name: "process",
            warn: false,
        };
        let usual = || sink::usual(LogTarget::Stderr);
        let target = plan.target.clone().unwrap_or_else(usual);
        let sink = Sink::open(&target, plan.format == LogFormat::Text)?;
        let outlet = Outlet::start("log", sink, loss)?;
        let (filter, level) = reload::Layer::new(filter(plan.level));
        let layer = tracing_subscriber::fmt::layer().with_writer(Lines(outlet.clone()));
        let registry = tracing_subscriber::registry().with(filter);
        let taken = match plan.format {
            LogFormat::Text if !target.is_messages() => {
                let colour = is_terminal(&target);
                let layer = layer.with_ansi(colour).with_target(false);
                registry.with(layer).try_init()
            }
            // Messages are made from JSON by who sends them, text for people too.
            _ => registry.with(layer.event_format(Json)).try_init(),
        };
        taken.map_err(io::Error::other)?;
        // There is one subscriber a process, and this is it.
        let _ = RUNNING.set(Running {
            level,
            outlet: outlet.clone(),
        });
        Ok(Self { outlet })
    }

    /// Waits until everything is written, at most `patience`. Blocks the thread.
    pub fn flush(&self, patience: Duration) -> bool {
        self.outlet.flush(patience)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush(LAST_WORDS);
    }
}

/// One event, one line: `{"time", "level", "message", fields..., "at"}`.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::with_capacity(256);
        print(&mut text, SystemTime::now(), event);
        text.push('\n');
        writer.write_str(&text)
    }
}

fn print(text: &mut String, time: SystemTime, event: &Event<'_>) {
    let mut message = Message(String::new());
    event.record(&mut message);
    let mut object = Object::begin(text);
    object.time("time", time);
    object.display("level", &Lower(event.metadata().level().as_str()));
    object.text("message", &message.0);
    event.record(&mut Fields(&mut object));
    object.text("at", event.metadata().target());
    object.end();
}

/// Keeps the message alone.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            self.0 = format!("{value:?}");
        }
    }
}

/// Writes everything but the message.
struct Fields<'a, 'b>(&'a mut Object<'b>);

impl Visit for Fields<'_, '_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.raw(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.raw(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.raw(field.name(), &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.0.raw(field.name(), &value);
        } else {
            self.0.text(field.name(), &value.to_string());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != MESSAGE {
            self.0.text(field.name(), value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        match value.downcast_ref::<List>() {
            Some(list) => self.0.list(field.name(), &list.0),
            None => self.0.display(field.name(), &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != MESSAGE {
            self.0.display(field.name(), &format_args!("{value:?}"));
        }
    }
}

struct Lower(&'static str);

impl fmt::Display for Lower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_ascii_lowercase())
    }
}

/// Gives `tracing` a writer that queues each event as one line.
struct Lines(Outlet);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl io::Write for &Lines {
    /// Called once an event, with the whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn is_terminal(target: &LogTarget) -> bool {
    match target {
        LogTarget::Stdout => io::stdout().is_terminal(),
        LogTarget::Stderr => io::stderr().is_terminal(),
        _ => false,
    }
}

/// What can be changed of a log that runs.
struct Running {
    level: reload::Handle<LevelFilter, Registry>,
    outlet: Outlet,
}

/// Of the one subscriber that a process can have.
static RUNNING: OnceLock<Running> = OnceLock::new();
/// The field that `tracing` gives the text of an event.
const MESSAGE: &str = "message";
/// How long the end of the process waits for a reader of standard error.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::Context;

    /// Prints events as [`Json`] does, for the test to read.
    struct Kept(Arc<Mutex<String>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut kept = self.0.lock().expect("not poisoned");
            print(&mut kept, SystemTime::UNIX_EPOCH, event);
        }
    }

    #[test]
    fn an_event_is_one_object_whatever_its_fields_hold() {
        let kept = Arc::new(Mutex::new(String::new()));
        let subscriber = tracing_subscriber::registry().with(Kept(Arc::clone(&kept)));
        tracing::subscriber::with_default(subscriber, || {
            let detail = "quote \" and\nnewline";
            let names = List::of(&["a \"b\"".into(), "c".into()]);
            let (names, none) = (names.value(), List::of(&[]));
            let none = none.value();
            tracing::warn!(server = %"hs2-1", took = 1.5, count = 3_u64, detail, names, none, "server is down");
        });
        let text = kept.lock().expect("not poisoned").clone();
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let expected = serde_json::json!({
            "time": "1970-01-01T00:00:00.000Z", "level": "warn", "message": "server is down",
            "server": "hs2-1", "took": 1.5, "count": 3, "detail": "quote \" and\nnewline",
            "names": ["a \"b\"", "c"], "none": [],
            "at": "howdah::telemetry::log::tests",
        });
        assert_eq!(read, expected);
        assert!(!text.contains('\n'));
    }
}
