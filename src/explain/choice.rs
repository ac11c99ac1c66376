//! Which server of the pool: the sticky entry, each server, the balancer, and what comes where it fails.

use std::net::IpAddr;

use tokio::time::Instant;

use super::answer::{Alternative, Decision, Explanation, Outcome, Rule};
use super::member::{Looked, plural};
use super::query::{Scene, Stopped};
use crate::balance::{Score, Value};
use crate::base::unit;
use crate::plan::Protocol;
use crate::pool::{Forecast, NoServer, Pick, Pool, Snapshot};
use crate::session::Reason;

pub(super) fn chosen(
    pool: &Pool,
    client: IpAddr,
    scene: &Scene,
    protocol: Protocol,
    now: Instant,
    told: &mut Explanation,
) -> Result<(), Stopped> {
    let snapshot = pool.load();
    let forecast = pool.forecast(&snapshot, client, now);
    stands(&snapshot, scene, told);
    if matches!(scene, Scene::File) && snapshot.plan().discover.is_some() {
        told.decision = Decision::Unknown;
        return Ok(());
    }
    sticky(&snapshot, &forecast, told);
    for (place, member) in snapshot.everybody().iter().enumerate() {
        let on_offer = |one: &&Score| one.member as usize == place;
        let looked = Looked {
            pool: pool.name(),
            member,
            score: forecast.scores.iter().find(on_offer).copied(),
            on_backups: snapshot.is_on_backups(),
            scene,
            now,
        };
        let (outcome, text) = looked.told();
        told.tell(Rule::Server, outcome, text);
    }
    let first = forecast.choices.first().copied();
    match (pool.is_anybodys_turn(), first, forecast.nobody) {
        (true, Some((place, pick)), _) => {
            picked(&snapshot, &forecast, place, pick, told);
            afterwards(&snapshot, &forecast, protocol, told);
            Ok(())
        }
        (true, None, Some(NoServer::NoneUp | NoServer::AllTried) | None) => {
            let text = "no server may take sessions, and there is nobody else to ask";
            Err(told.stop(Rule::Balance, Reason::NoServer.as_str(), text))
        }
        _ => queued(&snapshot, &forecast, protocol, told),
    }
}

fn stands(snapshot: &Snapshot, scene: &Scene, told: &mut Explanation) {
    let plan = snapshot.plan();
    let name = &plan.name;
    let mut text = format!(
        "pool \"{name}\" ({}) balances by {}",
        plan.service.as_str(),
        plan.balance
    );
    if plan.care.role.wants_one() {
        text += match scene {
            Scene::File => {
                "; only the server that says it is the active one takes sessions: the first, say"
            }
            Scene::Running { .. } => {
                "; only the server that says it is the active one takes sessions"
            }
        };
    }
    if snapshot.is_conflict() {
        text += "; several say so now, and the one that was first keeps the sessions";
    }
    if snapshot.is_panic() {
        text +=
            "; so few servers are up that those that are down take sessions too (panic_threshold)";
    }
    if snapshot.is_on_backups() {
        text += "; none of the first rank may take sessions, so its backups do";
    }
    match (&plan.discover, scene) {
        (Some(source), Scene::File) => {
            text += &format!("; {source} names its servers at run time: ask the running howdah");
        }
        (Some(source), _) if !snapshot.is_listed() => {
            text += &format!("; {source} has listed no server yet");
        }
        _ => {}
    }
    told.pass(Rule::Pool, text);
}

fn sticky(snapshot: &Snapshot, forecast: &Forecast, told: &mut Explanation) {
    if snapshot.plan().sticky.is_none() {
        return;
    }
    let Some(entry) = forecast.entry else {
        told.pass(
            Rule::Sticky,
            "no entry for this client: it stays with the server that it gets now",
        );
        return;
    };
    let member = snapshot
        .place(entry.server)
        .and_then(|place| snapshot.everybody().get(place));
    let since = match entry.idle {
        None => format!("it has {}", plural(entry.sessions)),
        Some(idle) => format!("its last session ended {} ago", seconds(idle)),
    };
    let Some(member) = member else {
        let text =
            format!("its server has left the pool; it gets another, and stays there ({since})");
        told.pass(Rule::Sticky, text);
        return;
    };
    let name = member.server.name();
    let holds = matches!(forecast.choices.first(), Some((_, Pick::Sticky)));
    match (forecast.bound, holds) {
        (Some(_), true) => {
            let text = format!("belongs to {name} ({since})");
            told.tell(Rule::Sticky, Outcome::Choose, text);
        }
        (Some(_), false) => {
            let text =
                format!("belongs to {name} ({since}), which has no room: elsewhere this once");
            told.pass(Rule::Sticky, text);
        }
        (None, _) => {
            let text = format!(
                "belonged to {name} ({since}), which may take no sessions: from now on to another"
            );
            told.pass(Rule::Sticky, text);
        }
    }
}

fn picked(
    snapshot: &Snapshot,
    forecast: &Forecast,
    place: usize,
    pick: Pick,
    told: &mut Explanation,
) {
    told.decision = Decision::Server;
    told.pick = Some(pick.as_str().into());
    let name = |place: usize| {
        let member = snapshot.everybody().get(place);
        member.map_or_else(String::new, |one| one.server.name().to_string())
    };
    let likeliest = forecast
        .odds
        .iter()
        .max_by(|one, other| one.1.total_cmp(&other.1));
    let server = name(likeliest.map_or(place, |(place, _)| *place));
    let odds = forecast.odds.iter();
    told.alternatives = odds
        .map(|(place, share)| Alternative {
            server: name(*place),
            share: *share,
        })
        .collect();
    let text = match pick {
        Pick::Sticky => format!("{server}, by its sticky entry"),
        Pick::OnlyOne => format!("{server}: there is no other to choose from"),
        _ if !forecast.odds.is_empty() => {
            let each = told.alternatives.iter();
            let each: Vec<String> = each
                .map(|one| format!("{} {:.0}%", one.server, one.share * 100.0))
                .collect();
            format!(
                "the less loaded of two drawn by weight: {}",
                each.join(", ")
            )
        }
        _ => format!("{server}: {}", compared(snapshot, forecast)),
    };
    told.tell(Rule::Balance, Outcome::Choose, text);
    told.server = Some(server);
}

/// What the balancer compared, server by server.
fn compared(snapshot: &Snapshot, forecast: &Forecast) -> String {
    let asked = |one: &&Score| {
        let member = snapshot.everybody().get(one.member as usize);
        member.is_some_and(|member| member.plan.backup == snapshot.is_on_backups())
    };
    let shown = |one: &Score| {
        let member = snapshot.everybody().get(one.member as usize);
        let name = member.map_or_else(String::new, |one| one.server.name().to_string());
        format!("{name} {}", value(one.value))
    };
    let mut all = forecast.scores.iter().filter(asked);
    let first: Vec<String> = all.by_ref().take(SHOWN).map(shown).collect();
    let more = match all.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = forecast.scores.first().map_or("", |one| meaning(one.value));
    format!("{what}: {}{more}", first.join(", "))
}

fn meaning(value: Value) -> &'static str {
    match value {
        Value::Turns(_) => {
            "it is its turn, or that of one with room comes first; turns until each has its own"
        }
        Value::PerWeight(_) => "fewest sessions for the weight, this one counted",
        Value::Wait(_) => "shortest wait expected",
        Value::Lot => "by lot",
        Value::Ring { .. } => "the first with room on this client's way around the ring",
    }
}

fn value(value: Value) -> String {
    match value {
        Value::Turns(Some(turns)) => turns.to_string(),
        Value::Turns(None) => "far".into(),
        Value::PerWeight(value) => format!("{value:.2}"),
        Value::Wait(wait) => format!("{:.3} ms", wait * 1e3),
        Value::Lot => String::new(),
        Value::Ring { place, over } => {
            let place = place.map_or_else(|| "far".to_owned(), |place| format!("#{place}"));
            let over = if over { " (over its fair share)" } else { "" };
            place + over
        }
    }
}

fn afterwards(
    snapshot: &Snapshot,
    forecast: &Forecast,
    protocol: Protocol,
    told: &mut Explanation,
) {
    let named = |places: &[usize]| -> Vec<String> {
        let members = places
            .iter()
            .filter_map(|one| snapshot.everybody().get(*one));
        members.map(|one| one.server.name().to_string()).collect()
    };
    let lots = forecast.lots.iter().map(|lot| named(lot));
    let lots: Vec<Vec<String>> = lots.filter(|lot| !lot.is_empty()).collect();
    let order: Vec<usize> = forecast.choices.iter().skip(1).map(|one| one.0).collect();
    if lots.is_empty() {
        told.next = named(&order);
    }
    let next = match lots.is_empty() {
        true => told.next.clone(),
        false => lots.iter().map(|lot| drawn(lot)).collect(),
    };
    told.next_drawn = lots.concat();
    let all_full = forecast.nobody == Some(NoServer::AllFull);
    let fails = "where it cannot be reached";
    let waits = "it waits for a place, as the others are full";
    let text = match (protocol, next.as_slice()) {
        (Protocol::Udp, _) => {
            "where nobody listens there, the next datagram goes to another".into()
        }
        (Protocol::Tcp, []) if all_full => format!("{fails}, {waits}"),
        (Protocol::Tcp, []) => {
            format!(
                "{fails}, nobody else can be asked: it is tried again for as long as three connects may take"
            )
        }
        (Protocol::Tcp, next) => {
            let next = next.join(", then ");
            let waits = if all_full {
                format!("; then {waits}")
            } else {
                String::new()
            };
            format!("{fails}: {next}{waits}")
        }
    };
    told.pass(Rule::Failure, text);
}

/// Like `one of a, b and 3 more, by lot`.
fn drawn(lot: &[String]) -> String {
    let shown = &lot[..lot.len().min(SHOWN)];
    match (lot, lot.len() - shown.len()) {
        ([only], _) => only.clone(),
        (_, 0) => format!("one of {}, by lot", shown.join(", ")),
        (_, more) => format!("one of {} and {more} more, by lot", shown.join(", ")),
    }
}

fn queued(
    snapshot: &Snapshot,
    forecast: &Forecast,
    protocol: Protocol,
    told: &mut Explanation,
) -> Result<(), Stopped> {
    let queue = &snapshot.plan().queue;
    let waiting = forecast.waiting;
    let full = match waiting {
        0 => "every server that is up is full".to_owned(),
        some => format!("{some} wait already"),
    };
    if protocol == Protocol::Udp {
        let text = format!("{full}: the datagram is dropped");
        return Err(told.stop(Rule::Queue, Reason::Limit.as_str(), text));
    }
    if waiting >= queue.most {
        let text = match queue.most {
            0 => format!("{full}, and nobody may wait (max_queue = 0)"),
            most => format!("{full}, as many as may (max_queue = {most})"),
        };
        return Err(told.stop(Rule::Queue, Reason::Limit.as_str(), text));
    }
    let patience = unit::show_duration(queue.patience);
    let text = format!(
        "{full}: it waits as number {} for a place, {patience} at most (timeouts.queue), and is refused then (queue-timeout)",
        waiting + 1
    );
    told.tell(Rule::Queue, Outcome::Choose, text);
    told.decision = Decision::Queue;
    told.reason = Some(NoServer::AllFull.as_str().into());
    Ok(())
}

fn seconds(time: std::time::Duration) -> String {
    unit::show_duration(std::time::Duration::from_secs(time.as_secs()))
}

/// Servers whose numbers are told before the rest is counted.
const SHOWN: usize = 20;
