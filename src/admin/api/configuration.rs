//! `GET /api/v1/configuration`: the file that runs, secrets masked, and what the last reloads changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::answer::json;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::admin::{ReloadView, RuntimeView};
use crate::base::time::rfc3339;

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "The configuration as it runs, secrets masked, and the last reloads",
    description: "Passwords and tokens stand in files of their own, which are not shown; values of keys that may hold a secret (what is sent to servers, commands, addresses of chat services) are ***.",
    answer: Given::Json(schema::<Running>),
    ..Endpoint::get("/api/v1/configuration", |call| {
        Box::pin(async move { Ok(json(&Running::of(&call.view))) })
    })
};

/// What runs.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Configuration")]
struct Running {
    /// Its path; null in the demo, which has none.
    file: Option<String>,
    /// Its number.
    generation: u64,
    /// When it was taken: RFC 3339, UTC.
    loaded_at: String,
    /// Its text, secrets masked.
    text: String,
    /// The last twenty, newest first.
    reloads: Vec<ReloadStatus>,
}

/// A reload that was done, or refused.
#[derive(Serialize, Deserialize, JsonSchema)]
struct ReloadStatus {
    /// When: RFC 3339, UTC.
    at: String,
    /// Who wanted it: `signal`, or the user or token of a command with where it came from.
    by: String,
    /// applied or refused.
    #[schemars(extend("enum" = ["applied", "refused"]))]
    result: String,
    /// One line a change.
    changes: Vec<String>,
    /// Why it was refused.
    error: Option<String>,
}

impl Running {
    fn of(view: &RuntimeView) -> Self {
        let known = &view.configuration;
        Self {
            file: known.file.as_ref().map(|path| path.display().to_string()),
            generation: view.generation,
            loaded_at: rfc3339(known.loaded_at).to_string(),
            text: known.text.to_string(),
            reloads: known
                .reloads
                .iter()
                .rev()
                .map(|one| ReloadStatus::of(one))
                .collect(),
        }
    }
}

impl ReloadStatus {
    fn of(reload: &ReloadView) -> Self {
        let (result, changes, error) = match &reload.outcome {
            Ok(changes) => ("applied", changes.clone(), None),
            Err(why) => ("refused", Vec::new(), Some(why.clone())),
        };
        Self {
            at: rfc3339(reload.at).to_string(),
            by: reload.by.clone(),
            result: result.into(),
            changes,
            error,
        }
    }
}
