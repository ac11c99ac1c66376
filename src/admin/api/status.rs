//! `GET /api/v1/status`: listeners, pools and servers.

use std::sync::Arc;

use crate::admin::answer::{Answer, Fault, JSON, lines, with};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::admin::status::Status;

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "Listeners, pools and servers as they are now",
    answer: Given::Json(schema::<Status>),
    ..Endpoint::get("/api/v1/status", |call| Box::pin(serve(call)))
};

async fn serve(call: Call) -> Result<Answer, Fault> {
    let context = &call.handler.context;
    let (view, metrics) = (Arc::clone(&context.view), context.metrics.clone());
    let print = move || lines(&Status::of(&view.load_full(), &metrics));
    let text = call.handler.status.ask(print).await;
    Ok(with(JSON, text.map_err(Fault::of)?))
}
