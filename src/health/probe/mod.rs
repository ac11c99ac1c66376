//! Asks one server one question, once, under one deadline.
//!
//! [`ask`] makes the connection, puts the question of the plan, and brings back a [`Finding`] that names the step which
//! decided. A probe holds only its exchange: how often to ask and what to conclude is decided elsewhere. Redirects are not
//! followed, nothing is asked twice, and the connection ends with FIN.

mod fault;
mod hive;
mod http;
mod hue;
mod impala;
mod link;
mod tcp;
mod tls;
mod walk;

pub use self::hive::Rapport;

use tokio::time::timeout_at;

use self::link::{Link, Road};
use self::walk::{Answer, Asked, Walk};
use super::{Effort, Finding, Target};
use crate::plan::{Ask, Depth, ProbePlan};
use crate::tls::connect::Connector;

/// One question. `tls` is prepared from [`ProbePlan::tls`], once per pool; `rapport` is this server's, and makes the next
/// question quieter.
///
/// Ends at [`ProbePlan::timeout`] at the latest; the polite close after the verdict is bounded by it too. Dropping the
/// future ends the question without an answer.
pub async fn ask(
    target: &Target<'_>,
    plan: &ProbePlan,
    effort: Effort,
    tls: Option<&Connector>,
    rapport: &mut Rapport,
) -> Finding {
    let road = Road {
        target: *target,
        plan,
        tls,
    };
    let walk = Walk::begin(plan.timeout);
    match (&plan.ask, effort) {
        (Ask::Tcp, _) | (_, Effort::Connect) => connect_only(&road, walk).await,
        _ => Box::pin(converse(&road, walk, effort, rapport)).await,
    }
}

async fn connect_only(road: &Road<'_>, walk: Walk) -> Finding {
    let deadline = walk.deadline();
    match timeout_at(deadline, tcp::exchange(road, &walk)).await {
        Ok(Ok(stream)) => {
            let finding = walk.finish(Answer::up());
            tcp::part(stream);
            finding
        }
        Ok(Err(answer)) => walk.finish(answer),
        Err(_) => {
            let answer = walk.too_late();
            walk.finish(answer)
        }
    }
}

async fn converse(
    road: &Road<'_>,
    mut walk: Walk,
    effort: Effort,
    rapport: &mut Rapport,
) -> Finding {
    let deadline = walk.deadline();
    let mut link = None;
    let asked = timeout_at(
        deadline,
        exchange(road, &mut walk, &mut link, effort, rapport),
    )
    .await;
    let answer = match asked {
        Ok(Ok(answer) | Err(answer)) => answer,
        Err(_) => walk.too_late(),
    };
    let finding = walk.finish(answer);
    if let Some(link) = link.and_then(|link| rapport.keeps(link)) {
        link.part(deadline).await;
    }
    finding
}

/// `link` is the caller's, so that it can be parted from however the exchange ends.
async fn exchange(
    road: &Road<'_>,
    walk: &mut Walk,
    link: &mut Option<Link>,
    effort: Effort,
    rapport: &mut Rapport,
) -> Asked<Answer> {
    match &road.plan.ask {
        Ask::Tcp | Ask::Tls => tls::exchange(road, walk, link).await,
        Ask::Http(ask) => http::exchange(road, walk, link, ask).await,
        Ask::HiveServer2 {
            depth,
            transport,
            auth,
        } => {
            let depth = match effort {
                Effort::Full => *depth,
                Effort::Cheap | Effort::Connect => Depth::Handshake,
            };
            hive::exchange(road, walk, link, (depth, transport, auth), rapport).await
        }
        Ask::Impala { auth } => impala::exchange(road, walk, link, auth, effort).await,
        Ask::Hue(ask) => hue::exchange(road, walk, link, ask).await,
    }
}

#[cfg(test)]
mod tests;
