//! `GET /api/v1/explain`: where a client would go, and why.

use tokio::time::Instant;

use crate::admin::answer::{Answer, Fault, json};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, schema};
use crate::admin::lookup::list;
use crate::admin::query::{Kind, Parameter};
use crate::base::word::Label;
use crate::explain::{Explanation, Query, Rules, Scene, explain};
use crate::plan::Protocol;

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "Where a client would go, and why",
    description: "Rule by rule, by the decisions that sessions themselves go by; to ask changes nothing.",
    query: &[
        parameter(
            "listener",
            Kind::Text,
            true,
            "Which listener the client comes to",
            "hive",
        ),
        parameter(
            "client",
            Kind::Address,
            true,
            "The client's own address",
            "10.1.2.3",
        ),
        parameter(
            "sni",
            Kind::Text,
            false,
            "The name that it asks for by TLS",
            "sales.example.com",
        ),
        parameter(
            "via",
            Kind::Address,
            false,
            "The proxy that it comes through",
            "10.0.9.1",
        ),
        parameter(
            "protocol",
            Kind::Word(&[Protocol::Tcp.as_str(), Protocol::Udp.as_str()]),
            false,
            "Over which protocol; the first that the listener speaks, if left away",
            "tcp",
        ),
    ],
    answer: Given::Json(schema::<Explanation>),
    faults: &[404, 503],
    ..Endpoint::get("/api/v1/explain", |call| {
        Box::pin(async move { serve(&call) })
    })
};

const fn parameter(
    name: &'static str,
    kind: Kind,
    is_required: bool,
    about: &'static str,
    example: &'static str,
) -> Parameter {
    Parameter {
        name,
        kind,
        is_required,
        about,
        example,
    }
}

fn serve(call: &Call) -> Result<Answer, Fault> {
    let (view, asked) = (&call.view, &call.query);
    let wanted = asked.text("listener").unwrap_or_default();
    let mut listeners = view.listeners.iter();
    let Some(listener) = listeners.find(|one| one.name.as_str() == wanted) else {
        let known = list(view.listeners.iter().map(|one| one.name.as_str()));
        return Err(Fault::Unknown(format!(
            "there is no listener \"{wanted}\": the listeners are {known}"
        )));
    };
    let Some(open) = &listener.listener else {
        let why = format!("listener \"{wanted}\" waits for the first verdicts of its servers");
        return Err(Fault::Later(why, Vec::new()));
    };
    let missing = || Fault::Request("the parameter \"client\" is missing".into());
    let query = Query {
        client: asked.address("client").ok_or_else(missing)?,
        via: asked.address("via"),
        sni: asked.text("sni").map(Into::into),
        protocol: asked.text("protocol").and_then(Protocol::named),
    };
    let scene = Scene::Running {
        bound: listener.bound.clone(),
        draining: view.draining.is_some(),
    };
    let config = open.config();
    Ok(json(&explain(
        Rules::from(&*config),
        &scene,
        &query,
        Instant::now(),
    )))
}
