//! `GET /api/v1/openapi.json`: this table, for programs.

use crate::admin::answer::{JSON, with};
use crate::admin::endpoint::{Endpoint, Given, schema};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "This API as an OpenAPI 3.1 document",
    answer: Given::Json(schema::<serde_json::Map<String, serde_json::Value>>),
    ..Endpoint::get("/api/v1/openapi.json", |call| {
        Box::pin(async move { Ok(with(JSON, (call.document)())) })
    })
};
