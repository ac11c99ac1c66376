//! `/backends?json` of an Impala web server (apache/impala `be/src/service/impala-http-handler.cc`, BackendsHandler).

use serde::Deserialize;

use crate::plan::{Address, Host};

/// A coordinator that takes sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coordinator {
    /// As it calls itself; its ports in this list are not those of clients.
    pub(super) host: String,
    /// Its web server, where that speaks plain HTTP.
    pub(super) web: Option<Address>,
}

/// Those that take sessions: coordinators that neither shut down nor are shunned by the others. In order of their names.
///
/// # Errors
/// Why the page is none of Impala.
pub(super) fn read(body: &[u8]) -> Result<Vec<Coordinator>, String> {
    let page: Page = serde_json::from_slice(body)
        .map_err(|error| format!("its page of backends is not understood: {error}"))?;
    let mut found: Vec<Coordinator> = page.backends.iter().filter_map(coordinator).collect();
    found.sort_by(|one, other| one.host.cmp(&other.host));
    found.dedup_by(|one, other| one.host == other.host);
    Ok(found)
}

#[derive(Deserialize)]
struct Page {
    backends: Vec<Backend>,
}

/// Older versions have less; what is missing is not so.
#[derive(Deserialize)]
struct Backend {
    address: String,
    #[serde(default)]
    webserver_url: String,
    #[serde(default)]
    is_coordinator: bool,
    #[serde(default)]
    is_quiescing: bool,
    #[serde(default)]
    is_blacklisted: bool,
}

fn coordinator(backend: &Backend) -> Option<Coordinator> {
    if !backend.is_coordinator || backend.is_quiescing || backend.is_blacklisted {
        return None;
    }
    let (host, _) = backend.address.rsplit_once(':')?;
    Host::read(host).ok()?;
    Some(Coordinator {
        host: host.to_owned(),
        web: web(&backend.webserver_url),
    })
}

fn web(url: &str) -> Option<Address> {
    let (host, port) = url.strip_prefix("http://")?.rsplit_once(':')?;
    let port = port.trim_end_matches('/').parse().ok()?;
    let host = Host::read(host).ok()?;
    Some(Address { host, port })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = r#"{"backends": [
        {"address": "i2.example.com:27000", "krpc_address": "10.0.0.2:27000", "webserver_url": "https://i2.example.com:25000",
         "is_coordinator": true, "is_executor": false, "is_quiescing": false, "is_blacklisted": false, "is_active": true},
        {"address": "i1.example.com:27000", "webserver_url": "http://i1.example.com:25000", "is_coordinator": true},
        {"address": "i3.example.com:27000", "is_coordinator": false, "is_executor": true},
        {"address": "i4.example.com:27000", "is_coordinator": true, "is_quiescing": true},
        {"address": "i5.example.com:27000", "is_coordinator": true, "is_blacklisted": true, "blacklist_cause": "x"},
        {"address": "no host:27000", "is_coordinator": true},
        {"address": "i1.example.com:27000", "is_coordinator": true}],
        "num_active_backends": 3}"#;

    #[test]
    fn coordinators_that_take_sessions_are_listed() {
        let found = read(PAGE.as_bytes()).expect("a page");
        let hosts: Vec<_> = found.iter().map(|one| one.host.as_str()).collect();
        assert_eq!(hosts, ["i1.example.com", "i2.example.com"]);
        let web = found[0].web.as_ref().map(ToString::to_string);
        assert_eq!(web.as_deref(), Some("i1.example.com:25000"));
        assert_eq!(found[1].web, None, "over TLS");
        for other in [
            "",
            "<html>",
            "[]",
            "{}",
            "{\"backends\": {}}",
            "{\"backends\": [1]}",
        ] {
            assert!(read(other.as_bytes()).is_err(), "{other}");
        }
        let deep = format!("{{\"backends\": {}", "[".repeat(100_000));
        assert!(read(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..900_usize) {
            let _ = read(&bytes);
            let mut page = PAGE.as_bytes().to_vec();
            let at = at.min(page.len());
            page.splice(at..(at + bytes.len() / 8).min(PAGE.len()), bytes);
            let _ = read(&page);
        }
    }
}
