//! Asks one server one question, once, under one deadline.
//!
//! [`ask`] makes the connection, puts the question of the plan, and brings back a [`Finding`] that names the step which
//! decided. A probe holds only its exchange: how often to ask and what to conclude is decided elsewhere. Redirects are not
//! followed, nothing is asked twice, and the connection ends with FIN. A deadline that we were too late for ourselves ends
//! without a verdict, see [`patience`].

mod fault;
mod hive;
mod http;
mod hue;
mod impala;
mod link;
mod patience;
mod tcp;
mod tls;
mod trace;

pub use self::hive::ProbeMemory;
pub(super) use self::trace::printable;

use self::link::{Link, Road};
use self::patience::{Waited, wait};
use self::trace::{Answer, Asked, Trace};
use super::{Effort, Finding, Target};
use crate::plan::{Ask, Depth, ProbePlan};
use crate::tls::connect::Connector;

/// One question. `tls` is prepared from [`ProbePlan::tls`], once per pool; `memory` is this server's, and makes the next
/// question quieter.
///
/// Ends at [`ProbePlan::timeout`] at the latest, or at twice that when this thread was late; the polite close after the verdict is bounded by it too. Dropping the
/// future ends the question without an answer.
pub async fn ask(
    target: &Target<'_>,
    plan: &ProbePlan,
    effort: Effort,
    tls: Option<&Connector>,
    memory: &mut ProbeMemory,
) -> Finding {
    let road = Road {
        target: *target,
        port: plan.port,
        plan,
        tls,
    };
    let trace = Trace::begin(plan.timeout);
    match (&plan.ask, effort) {
        (Ask::Tcp, _) | (_, Effort::Connect) => connect_only(&road, trace).await,
        _ => Box::pin(converse(&road, trace, effort, memory)).await,
    }
}

/// Does anybody take connections where sessions go, whatever port the plan asks? Bounded as [`ask`].
pub async fn knock(target: &Target<'_>, plan: &ProbePlan) -> Finding {
    let road = Road {
        target: *target,
        port: None,
        plan,
        tls: None,
    };
    connect_only(&road, Trace::begin(plan.timeout)).await
}

async fn connect_only(road: &Road<'_>, trace: Trace) -> Finding {
    let (deadline, timeout) = (trace.deadline(), road.plan.timeout);
    match wait(tcp::exchange(road, &trace), deadline, timeout).await {
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
    road: &Road<'_>,
    mut trace: Trace,
    effort: Effort,
    memory: &mut ProbeMemory,
) -> Finding {
    let deadline = trace.deadline();
    let mut link = None;
    let exchange = exchange(road, &mut trace, &mut link, effort, memory);
    let answer = match wait(exchange, deadline, road.plan.timeout).await {
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
    road: &Road<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    effort: Effort,
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    match &road.plan.ask {
        Ask::Tcp | Ask::Tls => tls::exchange(road, trace, link).await,
        Ask::Http(ask) => http::exchange(road, trace, link, ask).await,
        Ask::HiveServer2 {
            depth,
            transport,
            auth,
        } => {
            let depth = match effort {
                Effort::Full => *depth,
                Effort::Cheap | Effort::Connect => Depth::Handshake,
            };
            hive::exchange(road, trace, link, (depth, transport, auth), memory).await
        }
        Ask::Impala { auth } => impala::exchange(road, trace, link, auth, effort).await,
        Ask::Hue(ask) => hue::exchange(road, trace, link, ask).await,
    }
}

#[cfg(test)]
mod tests;
