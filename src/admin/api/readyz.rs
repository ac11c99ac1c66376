//! `GET /readyz`: ready for new sessions, or the reasons why not.

use crate::admin::answer::{Answer, Fault, text};
use crate::admin::call::Call;
use crate::admin::endpoint::{Access, Endpoint};
use crate::admin::ready;

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    access: Access::Anybody,
    summary: "200 while new sessions reach a server, else 503 with the reasons",
    description: "Ready is a howdah whose listeners are all bound and can each reach a server that is up; one that drains is not, so that whatever stands in front of it moves away.",
    faults: &[503],
    ..Endpoint::get("/readyz", |call| Box::pin(async move { serve(&call) }))
};

fn serve(call: &Call) -> Result<Answer, Fault> {
    let reasons = ready::reasons(&call.view);
    let notes = ready::notes(&call.view);
    if reasons.is_empty() {
        let lines = ["ready".to_owned()].into_iter().chain(notes);
        return Ok(text(lines.map(|line| line + "\n").collect::<String>()));
    }
    Err(Fault::Later(
        "howdah is not ready".into(),
        reasons.into_iter().chain(notes).collect(),
    ))
}
