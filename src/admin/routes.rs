//! One request → one answer, by the table of endpoints.

use std::sync::{Arc, OnceLock};

use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request};

use super::answer::{Answer, Fault};
use super::api::ENDPOINTS;
use super::audit::Audit;
use super::call::Call;
use super::endpoint::{Access, Endpoint};
use super::handler::Handler;
use super::path::{Names, fit};
use super::peer::Peer;
use super::query::Query;
use super::{body, guard, openapi};

/// Never fails: a fault is an answer too.
pub(super) async fn answer(
    handler: &Arc<Handler>,
    request: Request<Incoming>,
    peer: &Peer,
) -> Answer {
    let answer = match judge(handler, request, peer).await {
        Ok(answer) => answer,
        Err(fault) => fault.answer(),
    };
    let code = answer.status().as_u16();
    handler.context.metrics.admin_answered(code);
    answer
}

async fn judge(
    handler: &Arc<Handler>,
    request: Request<Incoming>,
    peer: &Peer,
) -> Result<Answer, Fault> {
    let (head, incoming) = request.into_parts();
    let here = find(head.uri.path());
    let template = here.first().ok_or_else(nothing)?.path;
    let names = Names::read(template, head.uri.path());
    let names =
        names.map_err(|_| Fault::Request("the path is not percent-encoded UTF-8".into()))?;
    let view = handler.context.view.load_full();
    let looks = head.method == Method::GET || head.method == Method::HEAD;
    if looks && here.iter().any(|one| one.access != Access::Anybody) {
        guard::may_look(&head.headers, peer, &view.admin)?;
    }
    let endpoint = here.iter().find(|one| one.method.is(&head.method));
    let endpoint = endpoint.ok_or_else(|| Fault::Method(allowed(&here)))?;
    let mut call = Call {
        handler: Arc::clone(handler),
        view,
        names,
        query: Query::default(),
        headers: head.headers,
        body: Vec::new(),
        by: String::new(),
        document,
    };
    let Access::Command(word) = endpoint.access else {
        call.query = Query::read(head.uri.query(), endpoint.query)?;
        return (endpoint.serve)(call).await;
    };
    // Told in the log, whatever comes of it.
    let audit = Audit::of(word, &call.names, *peer);
    let who = guard::may_command(&call.headers, peer, &call.view.admin).await;
    let who = who.inspect_err(|fault| audit.denied(fault))?;
    let taken = endpoint.body.as_ref().map(|body| body.example);
    let query = Query::obey(head.uri.query(), endpoint.query, taken);
    call.query = query.inspect_err(|fault| audit.refused(who, fault))?;
    call.body = body::collect(incoming).await?;
    call.by = format!("{who} from {peer}");
    let said = call.body.clone();
    let outcome = (endpoint.serve)(call).await;
    audit.judged(who, &said, &outcome);
    outcome
}

/// The endpoints of a path, one for each method; those of the template that spells out most of it.
fn find(path: &str) -> Vec<&'static Endpoint> {
    let fits = |one: &&Endpoint| fit(one.path, path);
    let best = ENDPOINTS
        .iter()
        .filter(|one| fits(one).is_some())
        .max_by_key(fits);
    let of_it = |one: &&Endpoint| best.is_some_and(|best| best.path == one.path);
    ENDPOINTS.iter().filter(of_it).collect()
}

fn nothing() -> Fault {
    Fault::Unknown("nothing is here: try /, /metrics, /healthz, /readyz or /api/v1/status".into())
}

fn allowed(here: &[&Endpoint]) -> String {
    let methods: Vec<_> = here.iter().map(|one| one.method.allows()).collect();
    methods.join(", ")
}

/// Written when it is first asked for.
fn document() -> Bytes {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    DOCUMENT
        .get_or_init(|| openapi::document(ENDPOINTS))
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_request_has_one_endpoint() {
        let named = |one: &Endpoint| (one.method.as_str(), one.path);
        let all: BTreeSet<_> = ENDPOINTS.iter().map(named).collect();
        assert_eq!(all.len(), ENDPOINTS.len());
    }

    #[test]
    fn the_spelled_out_wins() {
        let paths = |path| find(path).iter().map(|one| one.path).collect::<Vec<_>>();
        assert_eq!(paths("/"), ["/"]);
        assert_eq!(paths("/api/v1/status"), ["/api/v1/status"]);
        let weight = "/api/v1/pools/{pool}/servers/{server}/weight";
        assert_eq!(paths("/api/v1/pools/a/servers/b/weight"), [weight]);
        assert!(paths("/api/v1/pools/a/servers/b/stop").is_empty());
    }

    #[test]
    fn only_orders_carry_something() {
        for one in ENDPOINTS {
            let orders = matches!(one.access, Access::Command(_));
            assert!(orders || one.body.is_none(), "{}", one.path);
        }
    }
}
