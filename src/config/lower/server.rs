//! `servers` → [`ServerPlan`]s.

use std::collections::HashMap;
use std::sync::Arc;

use super::{address, count, judge_name};
use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::file::{self, Pool, Server, ServerWord};
use crate::config::source::Span;
use crate::config::words::{List, Whole};
use crate::plan::{Address, ServerDefaults, ServerName, ServerPlan, Service};

/// What a server has that says nothing else.
#[derive(Clone, Copy)]
pub(super) struct Usual<'d> {
    pub(super) service: Service,
    pub(super) tls: bool,
    pub(super) defaults: &'d ServerDefaults,
}

/// `[pool.NAME.server_defaults]`, and what the service brings.
pub(super) fn defaults(field: &Field<file::ServerDefaults>, service: Service) -> ServerDefaults {
    let brought = ServerDefaults::of(service);
    let words = field.or(file::ServerDefaults::default());
    ServerDefaults {
        weight: weight(&words.weight).unwrap_or(brought.weight),
        max_connections: count(&words.max_connections).or(brought.max_connections),
        max_per_second: count(&words.max_per_second).or(brought.max_per_second),
    }
}

pub(super) fn lower(words: &Pool, usual: Usual<'_>, cx: &mut Cx) -> Vec<Arc<ServerPlan>> {
    let owner = cx.owner.clone();
    if words.servers.is_absent() && words.discover.is_absent() {
        let example =
            "servers = [\"HOST\", \"HOST\"], or discover = { ... }, which names who lists them";
        super::missing(&words.span, "servers", example, cx);
    }
    let Some(list) = words.servers.get() else {
        return Vec::new();
    };
    if list.value.written == 0 && words.discover.is_absent() {
        let what = format!("{owner} has no servers");
        cx.error(&list.span, what)
            .why("empty")
            .fix("servers = [\"HOST\", \"HOST\"]");
    }
    let plans = all(&list.value, usual, cx);
    if plans.len() == list.value.written
        && words.discover.is_absent()
        && !plans.is_empty()
        && plans.iter().all(|plan| plan.backup)
    {
        let what = format!("{owner} has only backup servers");
        cx.error(&list.span, what)
            .why("none to stand behind")
            .fix("a backup waits until no other server is up: take backup = true from one of them at least");
    }
    plans
}

/// Each entry of a list of servers, with the port that is usual in the pool.
pub(super) fn all(list: &List<ServerWord>, usual: Usual<'_>, cx: &mut Cx) -> Vec<Arc<ServerPlan>> {
    let owner = cx.owner.clone();
    let mut seen = Seen::default();
    for entry in &list.items {
        if let Some(plan) = one(entry, usual, &owner, cx) {
            seen.add(plan, &entry.span, &owner, cx);
        }
    }
    cx.owner = owner;
    seen.plans
}

fn one(entry: &Spot<ServerWord>, usual: Usual<'_>, pool: &str, cx: &mut Cx) -> Option<ServerPlan> {
    match &entry.value {
        ServerWord::Short(text) => {
            cx.owner = format!("server {text:?} of {pool}");
            let address = address::lower(text, usual.port(), &entry.span, cx)?;
            Some(plan(text, address, &Server::default(), usual.defaults))
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
            let address = address::lower(&written.value, usual.port(), &written.span, cx)?;
            let name = words.name.value().unwrap_or(&written.value);
            Some(plan(name, address, words, usual.defaults))
        }
    }
}

fn plan(name: &str, address: Address, words: &Server, defaults: &ServerDefaults) -> ServerPlan {
    ServerPlan {
        name: ServerName::new(name),
        address,
        weight: weight(&words.weight).unwrap_or(defaults.weight),
        max_connections: count(&words.max_connections).or(defaults.max_connections),
        max_per_second: count(&words.max_per_second).or(defaults.max_per_second),
        backup: matches!(&words.backup, Field::Given(spot) if spot.value),
    }
}

fn weight(field: &Field<Whole<1, 256>>) -> Option<u16> {
    let weight = field.value()?;
    u16::try_from(weight.0).ok()
}

impl Usual<'_> {
    /// What brings the port.
    fn port(&self) -> (Service, bool) {
        (self.service, self.tls)
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
