//! May the client enter? Listener, addresses and bounds, in the order of `session::admit` and `session::greet`.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use tokio::time::Instant;

use super::answer::{Explanation, Rule};
use super::bounds;
use super::query::{Query, Rules, Scene, Stopped};
use crate::plan::{ListenerPlan, Networks, Protocol};
use crate::session::{Reason, entitled, is_proxy};

pub(super) fn listens(
    plan: &ListenerPlan,
    query: &Query,
    scene: &Scene,
    protocol: Protocol,
    told: &mut Explanation,
) -> Result<(), Stopped> {
    let stop = |told: &mut Explanation, word, why| Err(told.stop(Rule::Listener, word, why));
    let name = &plan.name;
    if !plan.speaks(protocol) {
        let why = format!("listener \"{name}\" does not speak {protocol}: key `protocol`");
        return stop(told, NOT_BOUND, why);
    }
    match scene {
        Scene::File if !takes_family(&plan.bind, query) => {
            stop(told, ADDRESS_FAMILY, other_family(&plan.bind, query))
        }
        Scene::File => {
            let at = list(&plan.bind);
            told.pass(Rule::Listener, format!("would listen at {at}"));
            Ok(())
        }
        Scene::Running { draining: true, .. } => {
            let why = "howdah is stopping and takes no new sessions; those it has may end";
            stop(told, DRAINING, why.to_owned())
        }
        Scene::Running { bound, .. } if bound.is_empty() => {
            let why = "does not listen yet: its pools still wait for the first verdicts of their servers, for a few \
                       seconds at most; then it listens whatever they say";
            stop(told, NOT_BOUND, why.to_owned())
        }
        Scene::Running { bound, .. } if !takes_family(bound, query) => {
            stop(told, ADDRESS_FAMILY, other_family(bound, query))
        }
        Scene::Running { bound, .. } => {
            told.pass(Rule::Listener, format!("listens at {}", list(bound)));
            Ok(())
        }
    }
}

/// A socket of IPv6 takes nobody of IPv4 (see `listener::bind`). Of a proxy's own address nothing is known but what is said.
fn takes_family(bound: &[SocketAddr], query: &Query) -> bool {
    let is_ipv4 = query.client.to_canonical().is_ipv4();
    query.via.is_some() || bound.iter().any(|at| at.is_ipv4() == is_ipv4)
}

fn other_family(bound: &[SocketAddr], query: &Query) -> String {
    let (own, any) = match query.client.to_canonical() {
        IpAddr::V4(_) => ("IPv4", "0.0.0.0"),
        IpAddr::V6(_) => ("IPv6", "[::]"),
    };
    let at = list(bound);
    format!(
        "listens at {at}, where nobody comes by {own}: `bind` takes a list, and \"{any}:PORT\" is all of {own}"
    )
}

/// Returns the address that counts as the client's from here on.
pub(super) fn admitted(
    rules: Rules<'_>,
    query: &Query,
    now: Instant,
    told: &mut Explanation,
) -> Result<IpAddr, Stopped> {
    let plan = rules.plan;
    let peer = query.via.unwrap_or(query.client);
    if !is_proxy(plan, peer) {
        if let Some(via) = query.via {
            let text = format!(
                "{via} is no proxy whose word is taken (accept_proxy): it counts as the client itself"
            );
            told.pass(Rule::AcceptProxy, text);
        }
        acl(plan, peer, told)?;
        bounds::shared(rules, now, told)?;
        bounds::source(rules, peer, now, told)?;
        return Ok(peer);
    }
    bounds::shared(rules, now, told)?;
    let net = holds(&plan.accept_proxy, peer);
    if query.via.is_some() {
        let text = format!(
            "{peer} is a proxy ({net}): it must say by a PROXY header that it speaks for the client"
        );
        told.pass(Rule::AcceptProxy, text);
        acl(plan, query.client, told)?;
        bounds::source(rules, query.client, now, told)?;
        return Ok(query.client);
    }
    let text = format!(
        "{peer} is a proxy ({net}) and must begin with a PROXY header, else it is refused (bad-proxy-header). What follows \
         holds where the header names no client (LOCAL); for a client behind it: --client CLIENT --via {peer}"
    );
    told.pass(Rule::AcceptProxy, text);
    acl(plan, peer, told)?;
    Ok(peer)
}

pub(super) fn admitted_over_udp(
    rules: Rules<'_>,
    query: &Query,
    now: Instant,
    told: &mut Explanation,
) -> Result<IpAddr, Stopped> {
    acl(rules.plan, query.client, told)?;
    bounds::over_udp(rules, now, told)?;
    bounds::source(rules, query.client, now, told)?;
    Ok(query.client)
}

fn acl(plan: &ListenerPlan, client: IpAddr, told: &mut Explanation) -> Result<(), Stopped> {
    let entitled = entitled(plan, client).is_ok();
    let text = match (most_specific(&plan.deny, client), entitled) {
        (Some(net), _) => format!("{client} is in {net}, which `deny` keeps out"),
        (None, false) => format!(
            "{client} is in none of the networks that `allow` names: {}",
            list(plan.allow.as_slice())
        ),
        (None, true) => match most_specific(&plan.allow, client) {
            Some(net) => format!("{client} is in {net}, which `allow` lets in"),
            None if plan.deny.is_empty() => "no `allow` and no `deny`: everybody may enter".into(),
            None => format!("{client} is in no network that `deny` names"),
        },
    };
    if entitled {
        told.pass(Rule::Acl, text);
        Ok(())
    } else {
        Err(told.stop(Rule::Acl, Reason::Denied.as_str(), text))
    }
}

fn most_specific(networks: &Networks, client: IpAddr) -> Option<IpNet> {
    let client = client.to_canonical();
    let holding = networks
        .as_slice()
        .iter()
        .filter(|net| net.contains(&client));
    holding.max_by_key(|net| net.prefix_len()).copied()
}

fn holds(networks: &[IpNet], peer: IpAddr) -> String {
    let net = networks.iter().find(|net| net.contains(&peer));
    net.map_or_else(String::new, |net| format!("accept_proxy has {net}"))
}

fn list(all: &[impl ToString]) -> String {
    let shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    match all.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// Networks that are named before the rest is counted.
const SHOWN: usize = 8;
/// No session comes to be, so the log has no word for it.
const NOT_BOUND: &str = "not-bound";
const DRAINING: &str = "draining";
const ADDRESS_FAMILY: &str = "address-family";
