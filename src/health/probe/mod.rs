//! Asks one server one question, once, under one deadline.
//!
//! [`ask`] makes the connection, puts the question of the plan, and brings back a [`Finding`] that names the step which
//! decided. A probe holds only its exchange: how often to ask and what to conclude is decided elsewhere. Redirects are not
//! followed, nothing is asked twice, and the connection ends with FIN. A deadline that we were too late for ourselves ends
//! without a verdict, see [`patience`].

mod database;
mod datagram;
mod exchange;
mod fault;
pub(super) mod hear;
mod hive;
mod http;
mod hue;
mod impala;
mod link;
mod mysql;
mod negotiate;
mod pass;
mod patience;
mod postgres;
mod raw;
mod replica;
mod talk;
mod tcp;
mod tls;
mod trace;

pub use self::hive::ProbeMemory;
pub use self::pass::Means;
pub(super) use self::trace::printable;

use self::link::{Link, Target};
use self::pass::Pass;
use self::patience::{Waited, wait};
use self::trace::{Answer, Asked, Trace};
use super::{Effort, Endpoint, Finding, Reason};
use crate::plan::{Ask, Depth, ProbePlan};

/// One question. `means` are prepared from the plan, once per pool; `memory` is this server's, and makes the next
/// question quieter. A ticket that has yet to be got is waited for before, for as long as the timeout.
///
/// Ends at [`ProbePlan::timeout`] at the latest, or at twice that when this thread was late; the polite close after the verdict is bounded by it too. Dropping the
/// future ends the question without an answer.
pub async fn ask(
    endpoint: &Endpoint<'_>,
    plan: &ProbePlan,
    effort: Effort,
    means: &Means,
    memory: &mut ProbeMemory,
) -> Finding {
    let target = Target {
        endpoint: *endpoint,
        port: plan.port,
        plan,
        tls: means.tls.as_ref(),
        pass: means.pass(endpoint.host, plan, effort).await,
    };
    let trace = Trace::begin(plan.timeout);
    match (&plan.ask, effort) {
        (Ask::PostgreSql(_) | Ask::MySql(_) | Ask::Datagrams(_), _) => {
            Box::pin(converse(&target, trace, effort, memory)).await
        }
        (Ask::Tcp, _) | (_, Effort::Connect) => connect_only(&target, trace).await,
        _ => Box::pin(converse(&target, trace, effort, memory)).await,
    }
}

/// Does anybody take connections where sessions go, whatever port the plan asks? Bounded as [`ask`].
pub async fn knock(endpoint: &Endpoint<'_>, plan: &ProbePlan) -> Finding {
    if matches!(plan.ask, Ask::Datagrams(_)) {
        // Over UDP nobody opens a door: only an answer shows that somebody is there.
        return ask(
            endpoint,
            plan,
            Effort::Full,
            &Means::default(),
            &mut ProbeMemory::default(),
        )
        .await;
    }
    let target = Target {
        endpoint: *endpoint,
        port: None,
        plan,
        tls: None,
        pass: Pass::Nobody,
    };
    connect_only(&target, Trace::begin(plan.timeout)).await
}

async fn connect_only(target: &Target<'_>, trace: Trace) -> Finding {
    let (deadline, timeout) = (trace.deadline(), target.plan.timeout);
    match wait(tcp::exchange(target, &trace), deadline, timeout).await {
        Waited::Done(Ok(stream)) => {
            let finding = trace.finish(Answer::up());
            tcp::part(stream);
            finding
        }
        Waited::Done(Err(answer)) => trace.finish(answer),
        Waited::TooLate => {
            let answer = trace.too_late();
            trace.finish(answer)
        }
        Waited::OwnDelay(delay) => trace.finish(Answer::own_delay(delay)),
    }
}

async fn converse(
    target: &Target<'_>,
    mut trace: Trace,
    effort: Effort,
    memory: &mut ProbeMemory,
) -> Finding {
    let deadline = trace.deadline();
    let mut link = None;
    let exchange = exchange(target, &mut trace, &mut link, effort, memory);
    let answer = match wait(exchange, deadline, target.plan.timeout).await {
        Waited::Done(Ok(answer) | Err(answer)) => answer,
        Waited::TooLate => trace.too_late(),
        Waited::OwnDelay(delay) => Answer::own_delay(delay),
    };
    let finding = trace.finish(answer);
    if let Some(link) = link.and_then(|link| memory.keeps(link)) {
        link.part(deadline).await;
    }
    finding
}

/// `link` is the caller's, so that it can be parted from however the exchange ends.
async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    effort: Effort,
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    match &target.plan.ask {
        Ask::Tcp | Ask::Tls => tls::exchange(target, trace, link).await,
        Ask::Http(ask) => http::exchange(target, trace, link, ask).await,
        Ask::Exchange(script) => exchange::exchange(target, trace, link, script).await,
        // Whoever has the programs asks them.
        Ask::Command(_) => Err(Answer::down(Reason::Unusable, "no program is run here")),
        Ask::Datagrams(script) => datagram::exchange(target, trace, script).await,
        Ask::HiveServer2 {
            depth,
            transport,
            auth,
        } => {
            let depth = match effort {
                Effort::Full => *depth,
                Effort::Cheap | Effort::Connect => Depth::Handshake,
            };
            hive::exchange(target, trace, link, (depth, transport, auth), memory).await
        }
        Ask::Impala { auth } => impala::exchange(target, trace, link, auth, effort).await,
        Ask::Hue(ask) => hue::exchange(target, trace, link, ask).await,
        Ask::PostgreSql(ask) => {
            postgres::exchange(target, trace, link, (ask, effort), memory).await
        }
        Ask::MySql(ask) => mysql::exchange(target, trace, link, ask, memory).await,
    }
}

#[cfg(test)]
mod tests;
