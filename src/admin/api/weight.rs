//! `PUT /api/v1/pools/{pool}/servers/{server}/weight`.

use schemars::JsonSchema;
use serde_json::Value;

use crate::admin::answer::{Answer, Fault};
use crate::admin::body::fields;
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, Taken, Verb, schema};
use crate::admin::lookup::{self, Named, send, show};
use crate::admin::status::ServerStatus;
use crate::plan::WEIGHT_MAX;
use crate::pool::{Change, Origin};
use crate::telemetry::journal::{Event, Kind};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "Change a server's weight",
    description: "Until a reload of a file that names another weight than before; over a restart where a state file is named.",
    body: Some(Taken {
        schema: schema::<Weight>,
        example: r#"{"weight": 3}"#,
    }),
    answer: Given::Json(schema::<ServerStatus>),
    faults: &[422, 503],
    ..Endpoint::order(
        Verb::Put,
        "/api/v1/pools/{pool}/servers/{server}/weight",
        "weight",
        |call| Box::pin(serve(call)),
    )
};

/// A share of the sessions, against the weights of the others.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "for the document; read key by key")]
struct Weight {
    /// A whole number.
    #[schemars(range(min = 1, max = WEIGHT_MAX))]
    weight: u16,
}

async fn serve(call: Call) -> Result<Answer, Fault> {
    let body = fields(&call.body, &["weight"])?;
    let wrong = || {
        let text = format!("\"weight\" must be a whole number from 1 to {WEIGHT_MAX}");
        Fault::Impossible(text, Vec::new())
    };
    let weight = body.get("weight").and_then(whole).ok_or_else(wrong)?;
    let named = &Named::of(&call.names).known(&call.view)?;
    let server = named.server.clone();
    let before = lookup::member(&call.view, named).map(|member| member.weight);
    let change = Change::Weight {
        server,
        weight,
        given: Origin::by(&call.by),
    };
    send(&call.view, named, change).await?;
    let event = Event::info(Kind::Weight, format!("server has weight {weight}"));
    let event = match before {
        Some(before) => event.from(before),
        None => event,
    };
    let event = event.to(weight).by(&call.by).pool(&named.pool);
    (call.handler.context.metrics.journal()).tell(event.server(&named.server));
    show(&call.view, named)
}

/// To JSON, 3 and 3.0 are one number.
fn whole(value: &Value) -> Option<u16> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    (0..=WEIGHT_MAX).find(|weight| f64::from(*weight) == number)
}
