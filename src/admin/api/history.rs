//! `GET /api/v1/pools/{pool}/servers/{server}/history`: the last probes of a server, and what happened to it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::answer::{Answer, Fault, json};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::admin::lookup::{Named, member};
use crate::admin::status::seconds;
use crate::base::time::rfc3339;
use crate::pool::PastProbe;
use crate::telemetry::journal::Event;

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "The last probes of a server, and what happened to it",
    answer: Given::Json(schema::<ServerHistory>),
    ..Endpoint::get("/api/v1/pools/{pool}/servers/{server}/history", |call| {
        Box::pin(serve(call))
    })
};

/// A server's past.
#[derive(Serialize, JsonSchema)]
struct ServerHistory {
    /// The last sixty, oldest first.
    probes: Vec<ProbeRecord>,
    /// What the journal has of it, oldest first; at most a hundred.
    transitions: Vec<Event>,
}

/// One probe.
#[derive(Serialize, JsonSchema)]
struct ProbeRecord {
    /// When it ended: RFC 3339, UTC.
    at: String,
    /// up, alive or down.
    verdict: String,
    /// The stable word.
    reason: String,
    /// One sentence.
    detail: String,
    /// How long it took.
    duration_seconds: f64,
    /// Each step with its own time: of the last probe, and of the last five others that did not find the server up.
    steps: Vec<StepRecord>,
}

/// One step of a probe.
#[derive(Serialize, JsonSchema)]
struct StepRecord {
    /// resolve, connect, tls, and so on.
    what: String,
    /// How long it took.
    seconds: f64,
}

async fn serve(call: Call) -> Result<Answer, Fault> {
    let named = Named::of(&call.names).known(&call.view)?;
    let probes = member(&call.view, &named).map(|member| member.server.past_probes());
    let journal = call.handler.context.metrics.journal();
    let page = journal.newest(TRANSITIONS, |event| {
        event.pool.as_deref() == Some(named.pool.as_str())
            && event.server.as_deref() == Some(named.server.as_str())
    });
    Ok(json(&ServerHistory {
        probes: probes.iter().flatten().map(ProbeRecord::of).collect(),
        transitions: page.events.iter().map(|one| Event::clone(one)).collect(),
    }))
}

impl ProbeRecord {
    fn of(past: &PastProbe) -> Self {
        let step = |(what, took): &(&'static str, std::time::Duration)| StepRecord {
            what: (*what).into(),
            seconds: seconds(*took),
        };
        Self {
            at: rfc3339(past.said.at).to_string(),
            verdict: past.said.verdict.as_str().into(),
            reason: past.said.reason.into(),
            detail: past.said.detail.clone(),
            duration_seconds: seconds(past.said.took),
            steps: past.steps.iter().map(step).collect(),
        }
    }
}

const TRANSITIONS: usize = 100;
