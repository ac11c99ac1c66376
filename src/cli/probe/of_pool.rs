//! A server of a configuration's pool, by whatever it is called.

use std::path::Path;
use std::sync::Arc;

use super::question::Refusal;
use crate::cli::exit::{FAILED, FAULTY};
use crate::config;
use crate::plan::{Address, Host, Plan, PoolPlan, ServerPlan};

/// Whom to ask, and of which pool.
pub(super) struct Member {
    pub(super) plan: Plan,
    pub(super) pool: Arc<PoolPlan>,
    pub(super) name: String,
    pub(super) address: Address,
}

/// # Errors
/// The file's faults, or who is known where nobody is called so.
pub(super) fn member(file: &Path, pool: &str, server: &str) -> Result<Member, Refusal> {
    let loaded = config::load(file).map_err(|report| Refusal {
        code: FAULTY,
        faults: report.faults.iter().map(config::Fault::line).collect(),
    })?;
    let unknown = |fault: String| Refusal {
        code: FAILED,
        faults: vec![fault],
    };
    let plan = loaded.plan;
    let found = plan.pools.iter().find(|one| one.name.as_str() == pool);
    let found = found.map(Arc::clone).ok_or_else(|| {
        let names: Vec<&str> = plan.pools.iter().map(|one| one.name.as_str()).collect();
        let (file, names) = (file.display(), names.join(", "));
        unknown(format!(
            "{file} has no pool \"{pool}\": its pools are {names}"
        ))
    })?;
    let (name, address) = server_of(&found, server).map_err(unknown)?;
    Ok(Member {
        plan,
        pool: found,
        name,
        address,
    })
}

/// By its name, its `host:port`, its host; where others list servers, any address is one.
fn server_of(pool: &PoolPlan, wanted: &str) -> Result<(String, Address), String> {
    let same = |text: &str| text.eq_ignore_ascii_case(wanted);
    let named = pool.servers.iter().find(|one| one.name.as_str() == wanted);
    let by_address = || {
        pool.servers
            .iter()
            .find(|one| same(&one.address.to_string()))
    };
    let host = Host::read(wanted).ok();
    let by_host = || {
        let has = |one: &&Arc<ServerPlan>| Some(&one.address.host) == host.as_ref();
        let mut own = pool.servers.iter().filter(has);
        match (own.next(), own.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    };
    if let Some(server) = named.or_else(by_address).or_else(by_host) {
        return Ok((server.name.to_string(), server.address.clone()));
    }
    let usual = pool.service.usual_port(pool.tls.is_some());
    if let (Some(source), Ok((host, port))) = (&pool.discover, config::address(wanted)) {
        let port = port.or(usual);
        let port = port
            .ok_or_else(|| format!("{wanted:?} has no port, and {source} is not asked for it"))?;
        return Ok((wanted.to_owned(), Address { host, port }));
    }
    let mut names: Vec<&str> = pool.servers.iter().map(|one| one.name.as_str()).collect();
    names.sort_by_cached_key(|name| strsim::damerau_levenshtein(name, wanted));
    let more = if names.len() > LISTED { ", ..." } else { "" };
    names.truncate(LISTED);
    let (pool, names) = (&pool.name, names.join(", "));
    Err(format!(
        "pool \"{pool}\" has no server \"{wanted}\": there are {names}{more}"
    ))
}

const LISTED: usize = 12;
