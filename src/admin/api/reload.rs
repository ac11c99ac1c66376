//! `POST /api/v1/reload`: asks `app` to read the file again, and waits for what comes of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::admin::Command;
use crate::admin::answer::{Answer, Fault, json};
use crate::admin::body::fields;
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, Taken, Verb, schema};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "Read the file again",
    description: "A faulty file changes nothing and is answered with 422 and its faults. With dry_run nothing changes either way: the answer says what would.",
    body: Some(Taken {
        schema: schema::<ReloadBody>,
        example: r#"{"dry_run": true}"#,
    }),
    answer: Given::Json(schema::<Reload>),
    faults: &[422, 503],
    ..Endpoint::order(Verb::Post, "/api/v1/reload", "reload", |call| {
        Box::pin(serve(call))
    })
};

/// How to reload.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "for the document; read key by key")]
struct ReloadBody {
    /// Say what would change, and change nothing.
    #[schemars(with = "bool", skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
}

/// A reload that was done, or would be.
#[derive(Serialize, JsonSchema)]
struct Reload {
    /// Number of the configuration that runs now.
    generation: u64,
    /// Nothing has changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    /// One line a change, with the sessions of servers that leave; none when the file says what runs already.
    changes: Vec<String>,
    /// What the file could say better.
    warnings: Vec<String>,
}

async fn serve(call: Call) -> Result<Answer, Fault> {
    let body = fields(&call.body, &["dry_run"])?;
    let wrong = || Fault::Impossible("\"dry_run\" must be true or false".into(), Vec::new());
    let dry_run = body
        .get("dry_run")
        .map(|value| value.as_bool().ok_or_else(wrong));
    let dry_run = dry_run.transpose()?.unwrap_or(false);
    let by = call.by.clone();
    let later = |why: &str| Fault::Later(why.into(), Vec::new());
    let (reply, answer) = oneshot::channel();
    let commands = &call.handler.context.commands;
    let sent = commands.try_send(Command::Reload { by, dry_run, reply });
    sent.map_err(|error| match error {
        TrySendError::Full(_) => later("howdah is busy with other commands: try again in a moment"),
        TrySendError::Closed(_) => later(STOPPING),
    })?;
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(Ok(done))) => Ok(json(&Reload {
            generation: done.generation,
            dry_run,
            changes: done.changes,
            warnings: done.warnings,
        })),
        Ok(Ok(Err(rejected))) => Err(Fault::Impossible(rejected.error, rejected.faults)),
        Ok(Err(_)) => Err(later(STOPPING)),
        Err(_) => Err(later(
            "the reload still goes on: its end will be in the log",
        )),
    }
}

const STOPPING: &str = "howdah is stopping and reloads no more";
/// A reload may have to wait for names to resolve.
const PATIENCE: Duration = Duration::from_secs(60);
