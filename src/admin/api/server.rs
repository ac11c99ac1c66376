//! `GET /api/v1/pools/{pool}/servers/{server}`: one server.

use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::admin::lookup::{Named, show};
use crate::admin::status::ServerStatus;

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "One server as it is now",
    description: "A server is named as in the status; or by its host:port, its host, or an address that its host has, where one server of the pool alone has that.",
    answer: Given::Json(schema::<ServerStatus>),
    faults: &[422],
    ..Endpoint::get("/api/v1/pools/{pool}/servers/{server}", |call| {
        Box::pin(async move { show(&call.view, &Named::of(&call.names)) })
    })
};
