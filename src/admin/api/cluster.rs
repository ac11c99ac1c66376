//! `GET /api/v1/cluster`: the howdahs that are one with this, what each sees, and what is ordered everywhere.

use crate::admin::answer::{Answer, Fault, json};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::cluster::ClusterAnswer;

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "The howdahs of a cluster, each server as each of them sees it, and the orders that all obey",
    description: "404 where the configuration has no [cluster] with a ZooKeeper.",
    answer: Given::Json(schema::<ClusterAnswer>),
    faults: &[404],
    ..Endpoint::get("/api/v1/cluster", |call| {
        Box::pin(async move { serve(&call) })
    })
};

fn serve(call: &Call) -> Result<Answer, Fault> {
    let alone = || {
        Fault::Unknown(
            "this howdah is in no cluster: its configuration has no [cluster] with zookeeper"
                .into(),
        )
    };
    let cluster = call.view.cluster.as_ref().ok_or_else(alone)?;
    Ok(json(&cluster.answer()))
}
