//! `GET /api/v1/schema.json`: the configuration's JSON Schema, for editors.

use crate::admin::answer::{JSON, with};
use crate::admin::endpoint::{Endpoint, Given, schema};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "JSON Schema of the configuration",
    description: "The same as `howdah schema`.",
    answer: Given::Json(schema::<serde_json::Map<String, serde_json::Value>>),
    ..Endpoint::get("/api/v1/schema.json", |call| {
        Box::pin(async move { Ok(with(JSON, (call.handler.context.schema)())) })
    })
};
