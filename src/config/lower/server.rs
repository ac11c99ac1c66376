//! `servers` → [`ServerPlan`]s.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{defaults, judge_name};
use crate::config::file::{Pool, Server, ServerWord};
use crate::config::source::Span;
use crate::config::words::{Cx, Field, Spot};
use crate::plan::{Address, Host, ServerName, ServerPlan, Service};

pub(super) fn lower(words: &Pool, service: Service, cx: &mut Cx) -> Vec<Arc<ServerPlan>> {
    let owner = cx.owner.clone();
    if words.servers.is_absent() {
        super::missing(&words.span, "servers", "servers = [\"HOST\", \"HOST\"]", cx);
    }
    let Some(list) = words.servers.get() else {
        return Vec::new();
    };
    if list.value.written == 0 {
        let what = format!("{owner} has no servers");
        cx.error(&list.span, what)
            .why("empty")
            .fix("servers = [\"HOST\", \"HOST\"]");
    }
    let mut seen = Seen::default();
    for entry in &list.value.items {
        if let Some(plan) = one(entry, service, &owner, cx) {
            seen.add(plan, &entry.span, &owner, cx);
        }
    }
    let plans = seen.plans;
    if plans.len() == list.value.written
        && !plans.is_empty()
        && plans.iter().all(|plan| plan.backup)
    {
        let what = format!("{owner} has only backup servers");
        cx.error(&list.span, what)
            .why("none to stand behind")
            .fix("a backup waits until no other server is up: take backup = true from one of them at least");
    }
    cx.owner = owner;
    plans
}

fn one(entry: &Spot<ServerWord>, service: Service, pool: &str, cx: &mut Cx) -> Option<ServerPlan> {
    match &entry.value {
        ServerWord::Short(text) => {
            cx.owner = format!("server {text:?} of {pool}");
            let address = address(text, service, &entry.span, cx)?;
            Some(plan(text, address, &Server::default(), service))
        }
        ServerWord::Long(words) => {
            let called = words.name.value().or(words.address.value());
            cx.owner = match called {
                Some(name) => format!("server {name:?} of {pool}"),
                None => format!("a server of {pool}"),
            };
            if words.address.is_absent() {
                super::missing(&entry.span, "address", "address = \"HOST:PORT\"", cx);
            }
            if let Some(name) = words.name.get() {
                judge_name(name, ":[]", "server", cx);
            }
            let written = words.address.get()?;
            let address = address(&written.value, service, &written.span, cx)?;
            let name = words.name.value().unwrap_or(&written.value);
            Some(plan(name, address, words, service))
        }
    }
}

fn plan(name: &str, address: Address, words: &Server, service: Service) -> ServerPlan {
    let own = defaults::count(&words.max_connections);
    ServerPlan {
        name: ServerName::new(name),
        address,
        weight: words
            .weight
            .value()
            .and_then(|weight| u16::try_from(weight.0).ok())
            .unwrap_or(1),
        max_connections: own.or(defaults::max_connections(service)),
        backup: matches!(&words.backup, Field::Given(spot) if spot.value),
    }
}

/// The servers so far, and the lines where their names and addresses were first said.
#[derive(Default)]
struct Seen {
    plans: Vec<Arc<ServerPlan>>,
    names: HashMap<ServerName, usize>,
    addresses: HashMap<Address, usize>,
}

impl Seen {
    fn add(&mut self, plan: ServerPlan, span: &Span, pool: &str, cx: &mut Cx) {
        let (name, address) = (
            self.names.get(&plan.name),
            self.addresses.get(&plan.address),
        );
        let what = match (name, address) {
            (Some(_), _) => format!("{pool} has two servers {:?}", plan.name.as_str()),
            _ => format!("{pool} has {} twice", plan.address),
        };
        let fix = match address {
            Some(_) => "leave one out; a larger share is said with weight = 2",
            None => "give one of them another name",
        };
        if let Some(line) = name.or(address) {
            cx.error(span, what)
                .why(format!("first at line {line}"))
                .fix(fix);
        }
        let line = cx.source.line_of(span);
        self.names.entry(plan.name.clone()).or_insert(line);
        self.addresses.entry(plan.address.clone()).or_insert(line);
        self.plans.push(Arc::new(plan));
    }
}

/// `HOST`, `HOST:PORT`, a bare IPv6 address, or `[IPV6]:PORT`.
fn address(text: &str, service: Service, span: &Span, cx: &mut Cx) -> Option<Address> {
    match split(text).and_then(|(host, port)| Ok((judge_host(host)?, port))) {
        Err((why, fix)) => {
            let what = format!("{} has no usable address", cx.owner);
            cx.error(span, what).why(why).fix(fix);
            None
        }
        Ok((host, Some(port))) => Some(Address { host, port }),
        Ok((host, None)) => {
            let port = defaults::port(service);
            if port.is_none() {
                let what = format!("{} has no port", cx.owner);
                let example = Address {
                    host: host.clone(),
                    port: 5432,
                };
                cx.error(span, what)
                    .why(format!(
                        "service {:?} has no default port",
                        service.as_str()
                    ))
                    .fix(format!("write it behind the host, as in \"{example}\""));
            }
            port.map(|port| Address { host, port })
        }
    }
}

type Why = (String, String);

/// Host, and port if written.
fn split(text: &str) -> Result<(&str, Option<u16>), Why> {
    let example = || "an address is \"HOST\", \"HOST:PORT\" or \"[IPV6]:PORT\"".to_owned();
    if let Some((scheme, rest)) = text.split_once("://") {
        let bare = rest
            .trim_start_matches('/')
            .split(['/', '?', ';'])
            .next()
            .unwrap_or(rest);
        return Err((
            format!("{scheme}:// is no part of an address"),
            format!("write \"{bare}\""),
        ));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or(("the bracket is not closed".to_owned(), example()))?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err((
                    format!("{host:?} in brackets is no IPv6 address"),
                    example(),
                ));
            }
            match after.strip_prefix(':') {
                Some(port) => (host, port),
                None if after.is_empty() => return Ok((host, None)),
                None => return Err((format!("{after:?} behind the bracket"), example())),
            }
        }
        None => match text.rsplit_once(':') {
            None => return Ok((text, None)),
            Some((host, _)) if host.contains(':') => {
                return Err((
                    "an IPv6 address with a port stands in brackets".into(),
                    example(),
                ));
            }
            Some(split) => split,
        },
    };
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err((
            format!("{port:?} is no port"),
            "a port is a number from 1 to 65535".into(),
        )),
    }
}

fn judge_host(host: &str) -> Result<Host, Why> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Host::Ip(ip));
    }
    match host_name(host) {
        Ok(()) => Ok(Host::Name(host.trim_end_matches('.').to_ascii_lowercase())),
        Err(why) => Err((
            why.to_owned(),
            "a host is a name as \"hs2-1.example.com\" or a number as \"10.0.0.7\"".into(),
        )),
    }
}

/// RFC 1123 §2.1, with the underscore that some sites use.
pub(super) fn host_name(host: &str) -> Result<(), &'static str> {
    let labels = host.strip_suffix('.').unwrap_or(host);
    if labels.is_empty() {
        return Err("the host is missing");
    }
    if labels.len() > 253 {
        return Err("longer than 253 characters");
    }
    for label in labels.split('.') {
        if label.is_empty() {
            return Err("two dots in a row");
        }
        if label.len() > 63 {
            return Err("a part between dots is longer than 63 characters");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a part between dots begins or ends with \"-\"");
        }
        if !label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            return Err("a host name has letters, digits, \"-\" and dots only");
        }
    }
    let last = labels.rsplit('.').next().unwrap_or(labels);
    if last.bytes().all(|b| b.is_ascii_digit()) && labels.parse::<Ipv4Addr>().is_err() {
        return Err("it looks like an IPv4 address, but is none");
    }
    Ok(())
}
