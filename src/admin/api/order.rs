//! `POST /api/v1/pools/{pool}/servers/{server}/drain`, `/maintenance` and `/ready`.
//!
//! An order goes to the pool's keeper and is in force when the answer is sent.

use std::time::Duration;

use schemars::JsonSchema;
use serde_json::Value;
use tokio::time::Instant;

use crate::admin::answer::{Answer, Fault};
use crate::admin::body::fields;
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, Taken, Verb, schema};
use crate::admin::lookup::{self, Named, send, show};
use crate::admin::query::SPAN;
use crate::admin::status::ServerStatus;
use crate::base::unit;
use crate::pool::{Change, Order, Origin};
use crate::telemetry::journal::{Event, Kind};

pub(in crate::admin) const DRAIN: Endpoint = Endpoint {
    summary: "Let a server take no new sessions, and the present ones end",
    description: "With a timeout, sessions that are left then are ended; any later order for the server takes the timeout back.",
    body: Some(Taken {
        schema: schema::<DrainBody>,
        example: r#"{"timeout": "30m"}"#,
    }),
    answer: Given::Json(schema::<ServerStatus>),
    faults: &[422, 503],
    ..Endpoint::order(
        Verb::Post,
        "/api/v1/pools/{pool}/servers/{server}/drain",
        Order::Drain.as_str(),
        |call| Box::pin(serve(call, Order::Drain)),
    )
};

pub(in crate::admin) const MAINTENANCE: Endpoint = Endpoint {
    summary: "Take a server out; probes go on",
    body: Some(NOTHING),
    answer: Given::Json(schema::<ServerStatus>),
    faults: &[422, 503],
    ..Endpoint::order(
        Verb::Post,
        "/api/v1/pools/{pool}/servers/{server}/maintenance",
        Order::Maintenance.as_str(),
        |call| Box::pin(serve(call, Order::Maintenance)),
    )
};

pub(in crate::admin) const READY: Endpoint = Endpoint {
    summary: "Put a server back to work",
    body: Some(NOTHING),
    answer: Given::Json(schema::<ServerStatus>),
    faults: &[422, 503],
    ..Endpoint::order(
        Verb::Post,
        "/api/v1/pools/{pool}/servers/{server}/ready",
        Order::Ready.as_str(),
        |call| Box::pin(serve(call, Order::Ready)),
    )
};

const NOTHING: Taken = Taken {
    schema: schema::<NoBody>,
    example: "{}",
};

/// How long a drain may take.
#[derive(JsonSchema)]
#[schemars(rename = "Drain", deny_unknown_fields)]
#[expect(dead_code, reason = "for the document; read key by key")]
struct DrainBody {
    /// When sessions that are left are ended: a duration, at most a year. Without it they may stay.
    #[schemars(with = "String", skip_serializing_if = "Option::is_none", regex(pattern = SPAN), example = "30m")]
    timeout: Option<String>,
}

/// Nothing, or an empty object.
#[derive(JsonSchema)]
#[schemars(rename = "Nothing", deny_unknown_fields)]
struct NoBody {}

async fn serve(call: Call, order: Order) -> Result<Answer, Fault> {
    let keys: &[&str] = match order {
        Order::Drain => &["timeout"],
        _ => &[],
    };
    let body = fields(&call.body, keys)?;
    let timeout = body.get("timeout").map(timeout).transpose()?;
    let view = &call.view;
    let named = &Named::of(&call.names).known(view)?;
    let server = named.server.clone();
    let before = lookup::member(view, named).map(|member| member.admin);
    let given = Origin {
        until: timeout.map(|timeout| Instant::now() + timeout),
        ..Origin::by(&call.by)
    };
    let change = Change::Order {
        server,
        order,
        given,
    };
    send(view, named, change).await?;
    tell(&call, named, before, order, timeout);
    show(view, named)
}

/// For the journal.
fn tell(call: &Call, named: &Named, before: Option<Order>, order: Order, end: Option<Duration>) {
    let what = match order {
        Order::Ready => "back to work",
        Order::Drain => "draining: no new sessions, the present ones end",
        Order::Maintenance => "in maintenance: no new sessions",
    };
    let end = end.map(|end| format!(", those left are ended in {}", unit::show_duration(end)));
    let text = format!("server is {what}{}", end.unwrap_or_default());
    let event = Event::info(Kind::Order, text).to(order).by(&call.by);
    let event = match before {
        Some(before) => event.from(before),
        None => event,
    };
    let journal = call.handler.context.metrics.journal();
    journal.tell(event.pool(&named.pool).server(&named.server));
}

fn timeout(value: &Value) -> Result<Duration, Fault> {
    let wrong = |why: &str| {
        let text = format!("\"timeout\" must be a duration like \"30m\": {why}");
        Fault::Impossible(text, Vec::new())
    };
    let text = value.as_str().ok_or_else(|| wrong("it is no string"))?;
    let length = unit::duration(text).map_err(|error| wrong(&error.to_string()))?;
    // tokio's clock ends some years from now.
    (length <= LONGEST)
        .then_some(length)
        .ok_or_else(|| wrong("it is longer than a year"))
}

const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
