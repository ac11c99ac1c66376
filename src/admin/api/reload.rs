//! `POST /api/v1/reload`: asks `app` to read the file again, and waits for what comes of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::admin::Command;
use crate::admin::answer::{Answer, Fault, json};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, Verb, schema};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "Read the file again",
    description: "A faulty file changes nothing and is answered with 422 and its faults.",
    answer: Given::Json(schema::<Reload>),
    faults: &[422, 503],
    ..Endpoint::order(Verb::Post, "/api/v1/reload", "reload", |call| {
        Box::pin(serve(call))
    })
};

/// A reload that was done.
#[derive(Serialize, JsonSchema)]
struct Reload {
    /// Number of the configuration that runs now.
    generation: u64,
    /// One line a change; none when the file says what runs already.
    changes: Vec<String>,
    /// What the file could say better.
    warnings: Vec<String>,
}

async fn serve(call: Call) -> Result<Answer, Fault> {
    let later = |why: &str| Fault::Later(why.into(), Vec::new());
    let (reply, answer) = oneshot::channel();
    let commands = &call.handler.context.commands;
    let sent = commands.try_send(Command::Reload { reply });
    sent.map_err(|error| match error {
        TrySendError::Full(_) => later("howdah is busy with other commands: try again in a moment"),
        TrySendError::Closed(_) => later(STOPPING),
    })?;
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(Ok(done))) => Ok(json(&Reload {
            generation: done.generation,
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
