//! How full the bounds are: of listener, process and client.

use std::net::IpAddr;

use tokio::time::Instant;

use super::answer::{Explanation, Rule};
use super::query::{Rules, Stopped};
use crate::session::{Exceeded, Limit, Reason};

/// Of the listener, then of the process: the order in which a session takes its places.
pub(super) fn shared(
    rules: Rules<'_>,
    now: Instant,
    told: &mut Explanation,
) -> Result<(), Stopped> {
    let own = "the listener's max_connections";
    bound(rules.limit, Rule::ListenerLimit, own, now, told)?;
    let global = "global.max_connections";
    bound(rules.process_limit, Rule::ProcessLimit, global, now, told)
}

fn bound(
    limit: &Limit,
    rule: Rule,
    key: &str,
    now: Instant,
    told: &mut Explanation,
) -> Result<(), Stopped> {
    let taken = limit.taken();
    let rate = |per_second| format!("{per_second} new ones in a second");
    match limit.look(now) {
        Ok(()) => {
            let most = limit
                .most()
                .map(|most| format!("{taken} of {most} sessions ({key})"));
            let most = most.unwrap_or_else(|| format!("{}, without a bound", sessions(taken)));
            let rate = limit.per_second().map(rate);
            let rate = rate.map_or_else(String::new, |rate| format!(", at most {rate}"));
            told.pass(rule, most + &rate);
            Ok(())
        }
        Err(Exceeded::Count) => {
            let most = limit.most().unwrap_or(u32::MAX);
            let text = format!("{taken} of {most} sessions: full until one ends ({key})");
            Err(told.stop(rule, Reason::Limit.as_str(), text))
        }
        Err(Exceeded::Rate) => {
            let rate = rate(limit.per_second().unwrap_or_default());
            let text = format!("as many as {rate} have come: refused until the second is over");
            Err(told.stop(rule, Reason::RateLimit.as_str(), text))
        }
    }
}

/// A full listener makes room by ending the session that is idle for longest, so only a rate refuses.
pub(super) fn over_udp(
    rules: Rules<'_>,
    now: Instant,
    told: &mut Explanation,
) -> Result<(), Stopped> {
    let limit = rules.udp_limit;
    let (taken, most) = (limit.taken(), limit.most().unwrap_or(u32::MAX));
    match limit.look(now) {
        Ok(()) => told.pass(
            Rule::ListenerLimit,
            format!("{taken} of {most} sessions over UDP"),
        ),
        Err(Exceeded::Count) => told.pass(
            Rule::ListenerLimit,
            format!("{taken} of {most} sessions over UDP: the one that is idle for longest ends to make room"),
        ),
        Err(Exceeded::Rate) => {
            let text = "as many new ones as a second may have (max_per_second) have come: the datagram is dropped";
            return Err(told.stop(Rule::ListenerLimit, Reason::RateLimit.as_str(), text));
        }
    }
    Ok(())
}

pub(super) fn source(
    rules: Rules<'_>,
    client: IpAddr,
    now: Instant,
    told: &mut Explanation,
) -> Result<(), Stopped> {
    let plan = &rules.plan.source;
    if plan.is_none() {
        return Ok(());
    }
    let (active, room) = rules.sources.look(client, plan, now);
    let most = plan.max_connections;
    let most = most.map(|most| format!("{active} of {most} sessions (source_max_connections)"));
    let most = most.unwrap_or_else(|| sessions(active));
    let rate = plan.max_per_second;
    let rate = rate.map(|rate| format!(", at most {rate} new ones in a second"));
    let text = format!("this client has {most}{}", rate.unwrap_or_default());
    if room {
        told.pass(Rule::SourceLimit, text);
        return Ok(());
    }
    let text = format!("{text}: it may have no more now");
    Err(told.stop(Rule::SourceLimit, Reason::SourceLimit.as_str(), text))
}

fn sessions(count: u32) -> String {
    match count {
        1 => "1 session".into(),
        _ => format!("{count} sessions"),
    }
}
