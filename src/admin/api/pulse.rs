//! `GET /healthz`: the process lives.

use crate::admin::answer::text;
use crate::admin::endpoint::{Access, Endpoint};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    access: Access::Anybody,
    summary: "200 while the process lives",
    ..Endpoint::get("/healthz", |_| Box::pin(async { Ok(text("ok\n")) }))
};
