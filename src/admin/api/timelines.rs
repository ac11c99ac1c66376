//! `GET /api/v1/timelines`: what the servers of a pool did in the last hour, in steps.

use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::answer::{Answer, Fault, json};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::admin::query::{Kind, Parameter};
use crate::admin::status::seconds;
use crate::base::time::rfc3339;
use crate::telemetry::timelines::{Line, POINTS, Point, STEP};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "What the servers of a pool did in the last hour",
    description: "Each list ends at `end` and has a number for each step, the newest last; null where the server was not there, and in a \
                  mean of what did not happen. A server that came within the hour has shorter lists.",
    query: &[
        Parameter {
            name: "pool",
            kind: Kind::Text,
            is_required: true,
            about: "The servers of this pool",
            example: "hive",
        },
        Parameter {
            name: "server",
            kind: Kind::Text,
            is_required: false,
            about: "This one alone",
            example: "hs2-1",
        },
        Parameter {
            name: "points",
            kind: Kind::Count(1, POINTS as u64),
            is_required: false,
            about: "The newest so many steps alone",
            example: "60",
        },
    ],
    answer: Given::Json(schema::<Timelines>),
    faults: &[404],
    ..Endpoint::get("/api/v1/timelines", |call| Box::pin(serve(call)))
};

/// Time lines.
#[derive(Serialize, JsonSchema)]
struct Timelines {
    /// Of one step.
    step_seconds: f64,
    /// When the last step ended: RFC 3339, UTC; null before the first.
    end: Option<String>,
    /// The one that was asked for.
    pools: Vec<PoolLines>,
}

/// Of a pool.
#[derive(Serialize, JsonSchema)]
struct PoolLines {
    /// Whose.
    name: String,
    /// By name.
    servers: Vec<ServerLines>,
}

/// Of a server.
#[derive(Serialize, JsonSchema)]
struct ServerLines {
    /// Whose.
    name: String,
    /// Held at the end of each step.
    sessions: Vec<Option<u32>>,
    /// Given to it.
    opened: Vec<Option<u32>>,
    /// Connects that failed, and sessions that were connected and not served.
    failed: Vec<Option<u32>>,
    /// Relayed.
    bytes_from_client: Vec<Option<f32>>,
    /// Relayed.
    bytes_from_server: Vec<Option<f32>>,
    /// The mean of its connects.
    connect_seconds: Vec<Option<f32>>,
    /// The mean of its first answers.
    first_byte_seconds: Vec<Option<f32>>,
}

async fn serve(call: Call) -> Result<Answer, Fault> {
    let pool = call.query.text("pool").unwrap_or_default();
    let server = call.query.text("server");
    let points = call.query.count("points").unwrap_or(POINTS as u64);
    let runs = call
        .view
        .pools
        .iter()
        .any(|one| one.name().as_str() == pool);
    if !runs {
        return Err(Fault::Unknown(format!("there is no pool \"{pool}\"")));
    }
    let all = call.handler.context.metrics.timelines();
    let wanted = |name: &str| server.is_none_or(|wanted| wanted == name);
    let points = usize::try_from(points).unwrap_or(POINTS);
    let (end, lines) = all.of(points, |own, name| {
        own.as_str() == pool && wanted(name.as_str())
    });
    Ok(json(&Timelines {
        step_seconds: seconds(STEP),
        end: end.map(|end| rfc3339(end).to_string()),
        pools: vec![PoolLines {
            name: pool.to_owned(),
            servers: lines.iter().map(ServerLines::of).collect(),
        }],
    }))
}

impl ServerLines {
    fn of(line: &Line) -> Self {
        let count = |pick: fn(&Point) -> u32| {
            let points = line.points.iter();
            points.map(|point| point.as_ref().map(pick)).collect()
        };
        let number = |pick: fn(&Point) -> f32| -> Vec<Option<f32>> {
            let points = line.points.iter();
            let points = points.map(|point| point.as_ref().map(pick));
            points
                .map(|value| value.filter(|value| *value >= 0.0))
                .collect()
        };
        Self {
            name: line.server.clone(),
            sessions: count(|point| point.active),
            opened: count(|point| point.opened),
            failed: count(|point| point.failed),
            bytes_from_client: number(|point| point.from_client),
            bytes_from_server: number(|point| point.from_server),
            connect_seconds: number(|point| point.connect),
            first_byte_seconds: number(|point| point.first_byte),
        }
    }
}
