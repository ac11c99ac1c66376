//! `GET /api/v1/doctor`: what goes wrong, and how to mend it.

use tokio::time::Instant;

use crate::admin::RuntimeView;
use crate::admin::answer::{Answer, json};
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::doctor::{self, Findings, System};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "What goes wrong in practice, and how to mend it",
    description: "Of the configuration that runs, of this machine as it was when howdah started, and of the pools as they stand.",
    answer: Given::Json(schema::<Findings>),
    ..Endpoint::get("/api/v1/doctor", |call| {
        Box::pin(async move { Ok(serve(&call.view)) })
    })
};

fn serve(view: &RuntimeView) -> Answer {
    let refused = view
        .refused
        .as_ref()
        .map(|refused| refused.why.error.as_str());
    let mut found = doctor::of_reloads(&view.needs_restart, refused);
    if let Some(cluster) = &view.cluster {
        found.extend(doctor::of_cluster(&cluster.status()));
    }
    if let Some(plan) = &view.plan {
        found.extend(doctor::of_running(plan, &view.pools, Instant::now()));
        found.extend(doctor::of_plan(plan));
        found.extend(doctor::of_system(plan, &System::here()));
    }
    json(&Findings::new(found))
}
