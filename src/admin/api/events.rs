//! `GET /api/v1/events`: what happened, oldest first.

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::answer::{Answer, Fault, json};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::admin::query::{self, Parameter, Query};
use crate::base::word::Label;
use crate::telemetry::journal::{Event, Kind, Severity};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "What happened: transitions, orders, reloads, in order",
    description: "The newest that fit, or with `after` the first that came after that event; the oldest comes first.",
    query: QUERY,
    answer: Given::Json(schema::<Events>),
    ..Endpoint::get("/api/v1/events", |call| Box::pin(serve(call)))
};

/// Some events.
#[derive(Serialize, JsonSchema)]
struct Events {
    /// Oldest first.
    events: Vec<Event>,
    /// Ask with `after` this number for what comes next.
    last: u64,
    /// Events after that number which are kept no more.
    lost: u64,
}

const QUERY: &[Parameter] = &[
    parameter(
        "after",
        query::Kind::Count(0, u64::MAX),
        "Only events with a larger `seq`",
        "0",
    ),
    parameter(
        "since",
        query::Kind::Span,
        "Only events of that last time",
        "1h",
    ),
    parameter(
        "limit",
        query::Kind::Count(1, MOST),
        "At most so many; 1000 unless told",
        "100",
    ),
    parameter("pool", query::Kind::Text, "Only those of this pool", "hive"),
    parameter(
        "server",
        query::Kind::Text,
        "Only those of this server",
        "hs2-1",
    ),
    parameter(
        "listener",
        query::Kind::Text,
        "Only those of this listener",
        "hive",
    ),
    parameter(
        "kind",
        query::Kind::Word(&KINDS),
        "Only those of this kind",
        "health",
    ),
    parameter(
        "severity",
        query::Kind::Word(&SEVERITIES),
        "Only those that matter so much, or more",
        "warning",
    ),
];

async fn serve(call: Call) -> Result<Answer, Fault> {
    let (query, journal) = (&call.query, call.handler.context.metrics.journal());
    let filter = Filter::of(query);
    let limit = query.count("limit").unwrap_or(USUAL);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let page = match query.count("after") {
        Some(after) => journal.after(after, limit, |event| filter.takes(event)),
        None => journal.newest(limit, |event| filter.takes(event)),
    };
    Ok(json(&Events {
        events: page.events.iter().map(|one| Event::clone(one)).collect(),
        last: page.last,
        lost: page.lost,
    }))
}

/// Which events somebody wants.
struct Filter<'a> {
    from: Option<SystemTime>,
    pool: Option<&'a str>,
    server: Option<&'a str>,
    listener: Option<&'a str>,
    kind: Option<Kind>,
    severity: Severity,
}

impl<'a> Filter<'a> {
    fn of(query: &'a Query) -> Self {
        let since = query.span("since");
        Self {
            from: since.and_then(|since| SystemTime::now().checked_sub(since)),
            pool: query.text("pool"),
            server: query.text("server"),
            listener: query.text("listener"),
            kind: query.text("kind").and_then(Kind::named),
            severity: (query.text("severity").and_then(Severity::named)).unwrap_or(Severity::Info),
        }
    }

    fn takes(&self, event: &Event) -> bool {
        let is = |wanted: Option<&str>, own: &Option<String>| {
            wanted.is_none_or(|wanted| own.as_deref() == Some(wanted))
        };
        self.from.is_none_or(|from| event.at >= from)
            && is(self.pool, &event.pool)
            && is(self.server, &event.server)
            && is(self.listener, &event.listener)
            && self.kind.is_none_or(|kind| kind == event.kind)
            && event.severity.index() <= self.severity.index()
    }
}

const fn parameter(
    name: &'static str,
    kind: query::Kind,
    about: &'static str,
    example: &'static str,
) -> Parameter {
    Parameter {
        name,
        kind,
        is_required: false,
        about,
        example,
    }
}

const KINDS: [&str; Kind::ALL.len()] = {
    let mut words = [""; Kind::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = Kind::ALL[at].as_str();
        at += 1;
    }
    words
};
const SEVERITIES: [&str; 3] = [
    Severity::Error.as_str(),
    Severity::Warning.as_str(),
    Severity::Info.as_str(),
];
const USUAL: u64 = 1_000;
/// As many as the journal keeps.
const MOST: u64 = 10_000;
