//! Who the servers of a pool are, and how clients spread over them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::finding::Code::{NoAddress, OneSource, SharedAddress, SingleServer};
use super::finding::Finding;
use super::finding::Level::{Note, Warning};
use crate::plan::{Balance, Host, Plan, PoolPlan};

pub(super) fn of(pool: &PoolPlan) -> Vec<Finding> {
    single(pool).into_iter().collect()
}

fn single(pool: &PoolPlan) -> Option<Finding> {
    (pool.servers.len() == 1 && pool.discover.is_none()).then(|| {
        Finding::new(
            (Note, SingleServer),
            place(pool),
            "it has one server",
            "when that is down, or drained, its clients have none",
            "add a second server",
        )
    })
}

/// Hue comes from one address, or a few; where all pools of what it asks keep a source on its server, Hue has one server.
pub(super) fn one_source(plan: &Plan) -> Vec<Finding> {
    let has_hue = plan.pools.iter().any(|pool| pool.service.as_str() == "hue");
    let asked = plan
        .pools
        .iter()
        .filter(|pool| ASKED.contains(&pool.service.as_str()));
    let by_source = |pool: &PoolPlan| pool.sticky.is_some() || pool.balance == Balance::SourceHash;
    let free = |service: &str| {
        let same = plan
            .pools
            .iter()
            .filter(|pool| pool.service.as_str() == service);
        same.clone().any(|pool| !by_source(pool))
    };
    let bound = asked.filter(|pool| has_hue && by_source(pool) && !free(pool.service.as_str()));
    let told = bound.map(|pool| {
        let how = match pool.sticky {
            Some(_) => "sticky by source address",
            None => "balance = \"source-hash\"",
        };
        Finding::new(
            (Warning, OneSource),
            place(pool),
            format!("clients keep to one server by their address ({how}), and there is a pool of Hue"),
            "all users of a Hue come from Hue's address: they all land on one server, the others idle",
            "give Hue a listener and a pool of its own without it (Hue keeps its connections), and leave this one to other clients",
        )
    });
    told.collect()
}

/// What its names stand for, as whoever can ask has found: each server with its addresses.
pub(super) fn resolved(pool: &PoolPlan, found: &[(String, Vec<SocketAddr>)]) -> Vec<Finding> {
    let mut told: Vec<Finding> = nameless(pool, found).into_iter().collect();
    let mut known: HashMap<SocketAddr, &str> = HashMap::new();
    for (server, addresses) in found {
        let twice = addresses
            .iter()
            .find_map(|address| known.get(address).map(|other| (address, *other)));
        if let Some((address, other)) = twice {
            told.push(Finding::new(
                (Warning, SharedAddress),
                place(pool),
                format!("{server} and {other} are one: both are {address}"),
                "it gets the sessions of two, max_connections holds for each name, and to drain one drains nothing",
                "name each server once, or mend DNS",
            ));
        }
        known.extend(addresses.iter().map(|address| (*address, server.as_str())));
    }
    told
}

/// All at once: where DNS is away, every name is without an address.
fn nameless(pool: &PoolPlan, found: &[(String, Vec<SocketAddr>)]) -> Option<Finding> {
    let nowhere = found.iter().filter(|(_, addresses)| addresses.is_empty());
    let names: Vec<&str> = nowhere.map(|(server, _)| server.as_str()).collect();
    let shown = names
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let more = match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!(" and {more} more"),
        _ => String::new(),
    };
    let what = match names.len() {
        0 => return None,
        1 => format!("the name of {shown} has no address"),
        some => format!("the names of {some} servers have no address: {shown}{more}"),
    };
    Some(Finding::new(
        (Warning, NoAddress),
        place(pool),
        what,
        "no session and no probe can go there",
        "mend the name in DNS or /etc/hosts of this machine, or in the file",
    ))
}

/// Servers with what `resolve` makes of their names.
pub(super) fn look_up(
    pool: &PoolPlan,
    resolve: impl Fn(&str) -> Vec<IpAddr>,
) -> Vec<(String, Vec<SocketAddr>)> {
    let each = pool.servers.iter().map(|server| {
        let ips = match &server.address.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => resolve(name),
        };
        let port = server.address.port;
        let addresses = ips
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect();
        (server.name.to_string(), addresses)
    });
    each.collect()
}

fn place(pool: &PoolPlan) -> String {
    format!("pool \"{}\"", pool.name)
}

/// What Hue asks on behalf of its users.
const ASKED: [&str; 2] = ["hiveserver2", "impala"];

/// Servers that are named before the rest is counted.
const SHOWN: usize = 8;
