//! What a server says of its load: the page or the line, by the connections of probes. No verdict comes of it.

use super::link::{Link, Target};
use super::pass::Pass;
use super::patience::{Waited, wait};
use super::trace::{Answer, Asked, Trace};
use super::{Endpoint, http};
use crate::health::Reason;
use crate::plan::{HttpAsk, ProbePlan};
use crate::tls::connect::Connector;
use crate::wire::http::Reply;

/// The page that `ask` names, if its status is 200. Bounded by [`ProbePlan::timeout`], as a probe.
///
/// # Errors
/// Why there is none, for people.
pub(in crate::health) async fn page(
    endpoint: &Endpoint<'_>,
    plan: &ProbePlan,
    ask: &HttpAsk,
    tls: Option<&Connector>,
) -> Result<Reply, String> {
    let target = target(endpoint, plan, tls);
    let mut trace = Trace::begin(plan.timeout);
    let (deadline, mut link) = (trace.deadline(), None);
    let fetch = http::fetch(&target, &mut trace, &mut link, ask, "http");
    let waited = wait(fetch, deadline, plan.timeout).await;
    let reply = ended(waited, &trace);
    part(link, deadline).await;
    reply.and_then(|reply| match reply.status {
        200 => Ok(reply),
        _ => Err(http::status(&reply)),
    })
}

/// The first line that is said after `send`, without its end. Bounded by [`ProbePlan::timeout`].
///
/// # Errors
/// Why there is none, for people.
pub(in crate::health) async fn line(
    endpoint: &Endpoint<'_>,
    plan: &ProbePlan,
    send: &str,
    tls: Option<&Connector>,
) -> Result<String, String> {
    let target = target(endpoint, plan, tls);
    let mut trace = Trace::begin(plan.timeout);
    let (deadline, mut link) = (trace.deadline(), None);
    let read = read_line(&target, &mut trace, &mut link, send);
    let waited = wait(read, deadline, plan.timeout).await;
    let line = ended(waited, &trace);
    part(link, deadline).await;
    line
}

fn target<'a>(
    endpoint: &Endpoint<'a>,
    plan: &'a ProbePlan,
    tls: Option<&'a Connector>,
) -> Target<'a> {
    Target {
        endpoint: *endpoint,
        port: plan.port,
        plan,
        tls,
        pass: Pass::Nobody,
    }
}

async fn read_line(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    send: &str,
) -> Asked<String> {
    let link = link.insert(target.open(trace).await?);
    trace.step("line");
    if !send.is_empty() {
        link.send(send.as_bytes()).await?;
    }
    loop {
        let inbox = link.inbox();
        if let Some(end) = inbox
            .iter()
            .position(|byte| matches!(byte, b'\r' | b'\n' | 0))
        {
            return Ok(String::from_utf8_lossy(&inbox[..end]).into_owned());
        }
        if inbox.len() > LINE_MAX {
            let text = "more than a line came, and no end of one";
            return Err(Answer::down(Reason::Endless, text));
        }
        if !link.more().await? {
            let text = match link.inbox().is_empty() {
                true => "closed without a line",
                false => "closed within a line: an agent ends it with a newline",
            };
            return Err(Answer::down(Reason::Closed, text));
        }
    }
}

fn ended<T>(waited: Waited<Asked<T>>, trace: &Trace) -> Result<T, String> {
    let answer = match waited {
        Waited::Done(Ok(heard)) => return Ok(heard),
        Waited::Done(Err(answer)) => answer,
        Waited::TooLate => trace.too_late(),
        Waited::OwnDelay(delay) => Answer::own_delay(delay),
    };
    Err(match answer.detail.as_str() {
        "" => answer.reason.to_string(),
        detail => format!("{}: {detail}", answer.reason),
    })
}

async fn part(link: Option<Link>, deadline: tokio::time::Instant) {
    if let Some(link) = link {
        link.part(deadline).await;
    }
}

/// Far more than an agent says.
const LINE_MAX: usize = 4096;
