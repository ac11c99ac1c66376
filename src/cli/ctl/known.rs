//! Whether what a filter names is there at all: asked where nothing fits, so that a slip of the pen is not read as "nothing there".

use std::net::IpAddr;

use super::http::{Client, CtlError};
use crate::admin::status::{PoolStatus, ServerStatus, Status};

/// What a filter names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Named<'a> {
    pub(super) listener: Option<&'a str>,
    pub(super) pool: Option<&'a str>,
    pub(super) server: Option<&'a str>,
}

impl Named<'_> {
    /// # Errors
    /// Says what is not there, and what is.
    pub(super) fn look_up(&self, client: &Client) -> Result<(), CtlError> {
        if self.listener.or(self.pool).or(self.server).is_none() {
            return Ok(());
        }
        let status: Status = client.ask("GET", "/api/v1/status", None)?;
        match self.missing(&status) {
            Some(text) => Err(CtlError::Unknown(text)),
            None => Ok(()),
        }
    }

    fn missing(&self, status: &Status) -> Option<String> {
        let Self {
            listener,
            pool,
            server,
        } = *self;
        if let Some(name) = listener
            && !status.listeners.iter().any(|one| one.name == name)
        {
            let known = status.listeners.iter().map(|one| one.name.as_str());
            return Some(absent("listener", name, known));
        }
        let is_meant = |one: &&PoolStatus| pool.is_none_or(|name| one.name == name);
        let pools: Vec<&PoolStatus> = status.pools.iter().filter(is_meant).collect();
        if let (Some(name), []) = (pool, pools.as_slice()) {
            let known = status.pools.iter().map(|one| one.name.as_str());
            return Some(absent("pool", name, known));
        }
        let name = server?;
        let has = |pool: &&PoolStatus| {
            let gone = pool.departed.iter().any(|one| one.name == name);
            let is_it = |one: &ServerStatus| is_called(name, &one.name, &one.address);
            gone || pool.servers.iter().any(is_it)
        };
        if pools.iter().any(has) {
            return None;
        }
        let place = pool.map_or("no pool has".to_owned(), |pool| {
            format!("pool \"{pool}\" has no")
        });
        let article = if pool.is_none() { " a" } else { "" };
        Some(format!(
            "{place}{article} server \"{name}\": `howdah status` shows them"
        ))
    }
}

fn absent<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let known = known.join(", ");
    format!("there is no {kind} \"{name}\": the {kind}s are {known}")
}

/// By its name, its `host:port` or its host. What a host resolves to is not known here, so an IP address may be anybody's.
fn is_called(wanted: &str, name: &str, address: &str) -> bool {
    let host = |text: &str| text.rsplit_once(':').map(|(host, _)| host.to_owned());
    let is = |own: &str| own.eq_ignore_ascii_case(wanted);
    let bare = host(wanted).unwrap_or_else(|| wanted.to_owned());
    let numeric = bare.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    numeric || is(name) || is(address) || host(address).is_some_and(|own| is(&own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let server = serde_json::json!({
            "name": "hs2-1", "address": "hs2-1.example.com:10000", "weight": 1, "backup": false, "health": "up", "role": null,
            "load": null, "on_offer": true, "admin": "ready", "sessions_active": 0, "sessions_total": 0, "reason": null,
            "last_probe": null
        });
        let text = serde_json::json!({"version": "0", "uptime_seconds": 1.0, "generation": 1, "listeners": [], "pools": []});
        let mut status: Status = serde_json::from_value(text).expect("a status");
        let pool = serde_json::json!({"name": "hive", "service": "hiveserver2", "balance": "random", "servers": [server]});
        status.pools = vec![serde_json::from_value(pool).expect("a pool")];
        status
    }

    fn missing(pool: Option<&str>, server: Option<&str>, listener: Option<&str>) -> String {
        let named = Named {
            listener,
            pool,
            server,
        };
        named.missing(&status()).unwrap_or_default()
    }

    #[test]
    fn what_is_there_is_not_missed() {
        for server in [
            "hs2-1",
            "HS2-1.example.com:10000",
            "hs2-1.example.com",
            "10.0.0.1:10000",
        ] {
            assert_eq!(missing(Some("hive"), Some(server), None), "");
            assert_eq!(missing(None, Some(server), None), "");
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        assert_eq!(
            missing(Some("hiv"), None, None),
            "there is no pool \"hiv\": the pools are hive"
        );
        assert_eq!(
            missing(None, Some("hs2-9"), None),
            "no pool has a server \"hs2-9\": `howdah status` shows them"
        );
        assert_eq!(
            missing(Some("hive"), Some("hs2-9"), None),
            "pool \"hive\" has no server \"hs2-9\": `howdah status` shows them"
        );
        assert!(missing(None, None, Some("front")).starts_with("there is no listener \"front\""));
    }
}
