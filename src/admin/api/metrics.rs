//! `GET /metrics`: what Prometheus scrapes.

use crate::admin::answer::{Answer, Fault, with};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "Metrics, for Prometheus",
    answer: Given::Text(EXPOSITION),
    ..Endpoint::get("/metrics", |call| Box::pin(serve(call)))
};

async fn serve(call: Call) -> Result<Answer, Fault> {
    let metrics = call.handler.context.metrics.clone();
    let predecessors = call.handler.context.view.load().predecessors.clone();
    let print = move || {
        metrics.predecessors(predecessors.count(), predecessors.sessions());
        metrics.render().into_bytes()
    };
    let text = call.handler.metrics.ask(print).await;
    Ok(with(EXPOSITION, text.map_err(Fault::of)?))
}

const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
