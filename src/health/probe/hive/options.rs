//! The handshake over HTTP without an account: which methods does the path take?
//!
//! The servlet answers OPTIONS before it asks for a login, and names POST only where Thrift is served. A POST without a login
//! would be an ERROR in the server's log (`ThriftHttpServlet`), though its 401 would tell no more.

use super::super::http;
use super::super::link::{Link, Target};
use super::super::trace::{Asked, Trace};
use crate::health::Reason;
use crate::plan::HttpAsk;
use crate::wire::http::Reply;

/// `None`: the server does not know the method; ask in another way, on another connection.
pub(super) async fn takes_post(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    path: &str,
) -> Asked<Option<()>> {
    let ask = HttpAsk {
        method: "OPTIONS".to_owned(),
        ..HttpAsk::get(path)
    };
    match http::fetch_as(target, trace, link, &ask, ("options", None)).await {
        Ok(reply) if names_post(&reply) => Ok(Some(())),
        Ok(_) => Ok(None),
        Err(answer) if matches!(answer.reason, Reason::Closed | Reason::Reset) => Ok(None),
        Err(answer) => Err(answer),
    }
}

/// Jetty says `Allow`, Impala the CORS header.
fn names_post(reply: &Reply) -> bool {
    let lists = ["allow", "access-control-allow-methods"];
    let lists = lists.into_iter().filter_map(|name| reply.header(name));
    let mut methods = lists.flat_map(|list| list.split(','));
    reply.status == 200 && methods.any(|method| method.trim() == "POST")
}
