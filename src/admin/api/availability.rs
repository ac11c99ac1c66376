//! `GET /api/v1/availability`: how a window of time went for pools and listeners.

use std::time::Duration;

use crate::admin::answer::{Answer, Fault, JSON, lines, with};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::admin::query::{Kind, Parameter};
use crate::availability::{self, NoReport, Question, Report, Target};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "How available pools and listeners were",
    description: "The share of time in which each could be reached, the share of sessions that got a server, outages with their \
                  causes, and how long servers took; in the whole window and by the hour, day or month.",
    query: &[
        Parameter {
            name: "pool",
            kind: Kind::Text,
            is_required: false,
            about: "This pool alone, also one that left the configuration.",
            example: "hive",
        },
        Parameter {
            name: "listener",
            kind: Kind::Text,
            is_required: false,
            about: "This listener alone; with `pool`, both.",
            example: "hive",
        },
        Parameter {
            name: "window",
            kind: Kind::Span,
            is_required: false,
            about: "How far back from now; 30d where nothing is said.",
            example: "7d",
        },
    ],
    answer: Given::Json(schema::<Report>),
    faults: &[404, 503],
    ..Endpoint::get("/api/v1/availability", |call| Box::pin(serve(call)))
};

async fn serve(call: Call) -> Result<Answer, Fault> {
    let named = |kind: availability::Kind| {
        let name = call.query.text(kind.as_str());
        name.map(|name| Target::new(kind, name))
    };
    let kinds = [availability::Kind::Pool, availability::Kind::Listener];
    let question = Question {
        targets: kinds.into_iter().filter_map(named).collect(),
        window: call.query.span("window").unwrap_or(WINDOW),
    };
    match call.handler.context.availability.report(question).await {
        Ok(report) => Ok(with(JSON, lines(&report))),
        Err(unknown @ NoReport::Unknown(_)) => Err(Fault::Unknown(unknown.to_string())),
        Err(silent @ NoReport::Silent) => Err(Fault::Later(silent.to_string(), Vec::new())),
    }
}

const WINDOW: Duration = Duration::from_secs(30 * 24 * 60 * 60);
