//! Is an Impala daemon healthy, a coordinator, and not on its way out?
//!
//! `/healthz` answers 200 all through a graceful shutdown, and on executors that take no clients; only the root page tells
//! those apart. Without a web server the Thrift port is asked, where a cheap question sees no shutdown and a full one does.
//! Without the ticket that the plan wants to show there is no login, and so no full question.

use serde_json::Value;

use super::hive::{Conversation, ProbeMemory};
use super::http;
use super::link::{Link, Target};
use super::pass::Pass;
use super::trace::{Answer, Asked, Trace};
use crate::health::{Effort, Reason};
use crate::plan::{HiveAuth, HiveTransport, HttpAsk};
use crate::wire::hive::Request;
use crate::wire::http::Reply;

pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    auth: &HiveAuth,
    effort: Effort,
) -> Asked<Answer> {
    match target.plan.port {
        Some(_) => web(target, trace, link).await,
        None => thrift(target, trace, link, auth, effort).await,
    }
}

async fn web(target: &Target<'_>, trace: &mut Trace, link: &mut Option<Link>) -> Asked<Answer> {
    let health = get(target, trace, link, "/healthz", "healthz").await?;
    if health.status != 200 {
        return Ok(http::judge(&health, &page("/healthz")));
    }
    part(trace, link).await;
    trace.step("connect");
    let root = get(target, trace, link, "/?json", "role").await?;
    match root.status {
        200 => Ok(judge_role(&root)),
        // The metrics web server has the one page and not the other.
        404 => Ok(Answer {
            detail: "healthy; this web server does not tell the role".to_owned(),
            ..Answer::up()
        }),
        _ => Ok(http::judge(&root, &page("/?json"))),
    }
}

/// Fields of the root page as impala's `RootHandler` writes them.
fn judge_role(reply: &Reply) -> Answer {
    let Ok(root) = serde_json::from_slice::<Value>(&reply.body) else {
        return Answer::alive(Reason::HttpBody, "the root page is no JSON: not Impala?");
    };
    let flag = |name: &str| root.get(name).and_then(Value::as_bool);
    let shutdown = root.get("shutdown_status").and_then(Value::as_str);
    match (flag("is_coordinator"), flag("is_quiescing")) {
        (_, Some(true)) => Answer::alive(Reason::ShuttingDown, shutdown.unwrap_or("")),
        (Some(false), _) => Answer::alive(Reason::NotCoordinator, "takes no clients"),
        (Some(true), _) => Answer::up(),
        (None, _) => Answer::alive(Reason::HttpBody, "the root page does not tell the role"),
    }
}

async fn thrift(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    auth: &HiveAuth,
    effort: Effort,
) -> Asked<Answer> {
    let transport = &HiveTransport::Binary;
    let no_ticket = matches!((auth, &target.pass), (HiveAuth::Kerberos, Pass::Missing(_)));
    if effort != Effort::Full || no_ticket {
        let shallow = (crate::plan::Depth::Handshake, transport, auth);
        // C++: what ends a login early is logged there, what ends after it is not.
        let logging_in = &mut ProbeMemory::of_login();
        return super::hive::exchange(target, trace, link, shallow, logging_in).await;
    }
    let mut talk = Conversation::open(target, trace, link, transport, auth).await?;
    talk.log_in(trace).await?;
    let session = talk.open_session(trace).await?;
    trace.step("ping");
    let ping = Request::Other {
        name: "PingImpalaHS2Service".to_owned(),
        session: Some(session),
    };
    let pinged = talk.call(&ping).await?;
    talk.close_session(trace, session).await?;
    Ok(match pinged {
        Ok(reply) if reply.status.is_success() => Answer::up(),
        Ok(reply) => {
            let text = reply.status.message.unwrap_or_default();
            Answer::alive(Reason::SessionRefused, &text)
        }
        // A HiveServer2 behind an Impala pool carries sessions all the same.
        Err(failure) => Answer {
            detail: super::trace::printable(&failure.message),
            ..Answer::up()
        },
    })
}

async fn get(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    path: &str,
    step: &'static str,
) -> Asked<Reply> {
    http::fetch(target, trace, link, &page(path), step).await
}

/// The web server's first connection ends as politely as the last.
async fn part(trace: &Trace, link: &mut Option<Link>) {
    if let Some(link) = link.take() {
        link.part(trace.deadline()).await;
    }
}

fn page(path: &str) -> HttpAsk {
    HttpAsk::get(path)
}
