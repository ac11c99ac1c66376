//! Who asks, where a server wants Kerberos: a principal with its keys, the services' principals, and where the KDCs are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::base::principal::Principal;

/// Keys `keytab`, `principal` and `service_principal` of a probe, with what `krb5.conf` says of realms.
#[derive(Clone, Debug, PartialEq)]
pub struct KerberosPlan {
    /// In whose name servers are asked.
    pub client: Principal,
    /// Its keys, newest first; never empty.
    pub keys: Vec<KeytabKey>,
    /// Whom tickets are for.
    pub service: ServicePrincipal,
    /// Where tickets come from.
    pub realms: Arc<Realms>,
}

/// A key of a keytab.
#[derive(Clone, PartialEq, Eq)]
pub struct KeytabKey {
    /// Its number at IANA: 17 is aes128-cts-hmac-sha1-96.
    pub etype: i32,
    /// Counts changes of the key.
    pub version: u32,
    /// The secret.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// A pattern: `_HOST` stands for the server's own host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// As in [`Principal`].
    pub parts: Vec<String>,
    /// `None`: where the host belongs, by `krb5.conf`.
    pub realm: Option<String>,
}

/// What is taken from `krb5.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Realms {
    /// `default_realm`.
    pub default: Option<String>,
    /// Host and port of each KDC, in the order of the file.
    pub kdcs: BTreeMap<String, Vec<(String, u16)>>,
    /// `[domain_realm]`: a host's name, or a domain with a dot before it.
    pub domains: BTreeMap<String, String>,
}

impl KerberosPlan {
    /// Whom a ticket must be for to ask the server that is reached as `host`.
    pub fn service_at(&self, host: &str) -> Principal {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let filled = self.service.parts.iter().map(|part| match part.as_str() {
            ServicePrincipal::HOST => host.clone(),
            other => other.to_owned(),
        });
        let parts: Vec<String> = filled.collect();
        let realm = self.service.realm.as_ref();
        let at = parts.get(1).map_or(host.as_str(), String::as_str);
        let realm = realm.or_else(|| self.realms.of_host(at));
        Principal {
            realm: realm.unwrap_or(&self.client.realm).clone(),
            parts,
        }
    }
}

impl fmt::Debug for KeytabKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} of type {}: ***", self.version, self.etype)
    }
}

impl ServicePrincipal {
    /// Stands for the server's own host name.
    pub const HOST: &'static str = "_HOST";

    /// `service/_HOST`.
    pub fn of(service: &str) -> Self {
        Self {
            parts: vec![service.to_owned(), Self::HOST.to_owned()],
            realm: None,
        }
    }

    /// Whether it is another one for each server.
    pub fn names_the_host(&self) -> bool {
        self.parts.iter().any(|part| part == Self::HOST)
    }
}

impl Realms {
    /// The realm of a host: by its name, else by the nearest domain around it.
    fn of_host(&self, host: &str) -> Option<&String> {
        let exact = self.domains.get(host);
        let around = host.match_indices('.').map(|(at, _)| &host[at..]);
        exact.or_else(|| around.filter_map(|domain| self.domains.get(domain)).next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(service: ServicePrincipal) -> KerberosPlan {
        let domains = [(".example.com", "EXAMPLE.COM"), ("odd.example.com", "ODD")];
        let domains = domains.map(|(domain, realm)| (domain.to_owned(), realm.to_owned()));
        KerberosPlan {
            client: Principal {
                parts: vec!["howdah".into()],
                realm: "HOME".into(),
            },
            keys: Vec::new(),
            service,
            realms: Arc::new(Realms {
                domains: domains.into(),
                ..Realms::default()
            }),
        }
    }

    #[test]
    fn services_are_named_by_host_and_its_domain() {
        let own = plan(ServicePrincipal::of("hive"));
        for (host, principal) in [
            (
                "HS2-1.a.example.com.",
                "hive/hs2-1.a.example.com@EXAMPLE.COM",
            ),
            ("odd.example.com", "hive/odd.example.com@ODD"),
            ("hs2", "hive/hs2@HOME"),
        ] {
            assert_eq!(own.service_at(host).to_string(), principal);
        }
        let shared = plan(ServicePrincipal {
            parts: vec!["hive".into(), "lb.example.com".into()],
            realm: None,
        });
        let named = shared.service_at("hs2").to_string();
        assert_eq!(named, "hive/lb.example.com@EXAMPLE.COM");
    }
}
