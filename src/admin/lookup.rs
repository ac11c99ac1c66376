//! A server by the names of a path: as it is now, and as its pool's keeper is told of it.

use super::RuntimeView;
use super::answer::{Answer, Fault, json};
use super::path::Names;
use super::status::ServerStatus;
use crate::plan::{Host, PoolName, ServerName};
use crate::pool::{Change, Member, Refused, Snapshot};

/// A server of a pool, as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) pool: PoolName,
    pub(super) server: ServerName,
}

impl Named {
    /// What `{pool}` and `{server}` of a path stand for.
    pub(super) fn of(names: &Names) -> Self {
        Self {
            pool: PoolName::new(names.get("pool")),
            server: ServerName::new(names.get("server")),
        }
    }

    /// The same server by the name that its pool knows.
    pub(super) fn known(&self, view: &RuntimeView) -> Result<Self, Fault> {
        let pool = view.pool(&self.pool).ok_or_else(|| no_pool(view, self))?;
        Ok(Self {
            pool: self.pool.clone(),
            server: find(&pool.load(), self)?.plan.name.clone(),
        })
    }
}

/// As its pool has it now, by the name that the pool knows.
pub(super) fn member(view: &RuntimeView, named: &Named) -> Option<Member> {
    view.pool(&named.pool)?
        .load()
        .member(&named.server)
        .cloned()
}

/// The server as it is now.
pub(super) fn show(view: &RuntimeView, named: &Named) -> Result<Answer, Fault> {
    let pool = view.pool(&named.pool).ok_or_else(|| no_pool(view, named))?;
    let snapshot = pool.load();
    let member = find(&snapshot, named)?;
    let says_load = snapshot.plan().load.is_some();
    Ok(json(&ServerStatus::of(member, says_load)))
}

/// By its name; else by its `host:port`, an address that its name has, or its host, where one server alone has that.
fn find<'s>(snapshot: &'s Snapshot, named: &Named) -> Result<&'s Member, Fault> {
    if let Some(member) = snapshot.member(&named.server) {
        return Ok(member);
    }
    let wanted = named.server.as_str();
    let found = [has_address, resolves_to, has_host].map(|is| {
        let found = snapshot.members().iter().filter(|one| is(one, wanted));
        found.collect::<Vec<_>>()
    });
    let found = found.iter().find(|found| !found.is_empty());
    match found.map(Vec::as_slice) {
        Some([member]) => Ok(member),
        Some(several) => {
            let names = list(several.iter().map(|one| one.plan.name.as_str()));
            let what = format!("several servers have the address {wanted}: say which, {names}");
            Err(Fault::Impossible(what, Vec::new()))
        }
        None => {
            let names = snapshot.members().iter().map(|one| one.plan.name.as_str());
            let pool = &named.pool;
            let known = known(names.collect(), wanted);
            Err(Fault::Unknown(format!(
                "pool \"{pool}\" has no server \"{wanted}\": {known}"
            )))
        }
    }
}

/// As the file has it, with the port that the service brings.
fn has_address(member: &Member, wanted: &str) -> bool {
    (member.plan.address.to_string()).eq_ignore_ascii_case(wanted)
}

/// What its name stands for now.
fn resolves_to(member: &Member, wanted: &str) -> bool {
    let found = member.server.addresses();
    wanted.parse().is_ok_and(|wanted| found.contains(&wanted))
}

fn has_host(member: &Member, wanted: &str) -> bool {
    Host::read(wanted).is_ok_and(|host| member.plan.address.host == host)
}

/// All names, or of many those that are written nearly so.
fn known(mut names: Vec<&str>, wanted: &str) -> String {
    let count = names.len();
    if count <= LISTED {
        return format!("its servers are {}", list(names.into_iter()));
    }
    names.sort_by_cached_key(|name| strsim::damerau_levenshtein(name, wanted));
    names.truncate(NEAREST);
    format!(
        "of its {count} servers the nearest are {}",
        names.join(", ")
    )
}

/// In force when this returns.
pub(super) async fn send(view: &RuntimeView, named: &Named, change: Change) -> Result<(), Fault> {
    let pool = view.pool(&named.pool).ok_or_else(|| no_pool(view, named))?;
    pool.send(change).await.map_err(|refused| {
        let text = refused.to_string();
        match refused {
            Refused::UnknownServer { .. } => Fault::Unknown(text),
            Refused::Weight(_) => Fault::Impossible(text, Vec::new()),
            Refused::Stopping(_) => Fault::Later(text, Vec::new()),
        }
    })
}

fn no_pool(view: &RuntimeView, named: &Named) -> Fault {
    let known = list(view.pools.iter().map(|pool| pool.name().as_str()));
    Fault::Unknown(format!(
        "there is no pool \"{}\": the pools are {known}",
        named.pool
    ))
}

/// At most a dozen names.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.take(LISTED + 1).collect();
    if names.len() > LISTED {
        names[LISTED] = "...";
    }
    names.join(", ")
}

const LISTED: usize = 12;
const NEAREST: usize = 3;
