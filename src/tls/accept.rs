//! TLS from clients: answers each with the certificate that fits the name it asks for.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{TlsError, clients, provider};
use crate::plan::{AcceptTls, ClientAuth, Identity, Sni, TlsVersion};

/// Prepares [`AcceptTls`] for all sessions of one listener.
///
/// Clients resume their sessions by tickets alone, so that ten thousand silent clients cost no session store. The keys
/// of the tickets belong to this one configuration: a client must not get past a listener that asks for a certificate
/// with a ticket from one that does not.
///
/// # Errors
/// A key that does not fit its certificate, or unusable CA certificates.
pub fn server_config(plan: &AcceptTls) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[&rustls::SupportedProtocolVersion] = match plan.min_version {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let builder =
        ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions)?;
    let builder = match (&plan.client_ca, plan.client_auth) {
        (Some(ca), ClientAuth::Optional | ClientAuth::Required) => {
            builder.with_client_cert_verifier(clients::verifier(plan, ca)?)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(ByName::new(plan)?));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // The ticketer changes its key every six hours, and accepts the last one's tickets for six more.
    config.ticketer = Ticketer::new()?;
    config.send_tls13_tickets = 1;
    // The client's order of two good suites is its library's default, not anybody's wish: the provider's order counts.
    config.ignore_client_order = true;
    Ok(Arc::new(config))
}

/// The certificates on offer to a client that asks for this name, as places in `identities`; none: it is refused.
pub fn on_offer(plan: &AcceptTls, sni: Option<&str>) -> Vec<usize> {
    Names::new(plan).on_offer(sni).to_vec()
}

/// Whether one of the certificates carries this name.
pub fn carries(plan: &AcceptTls, name: &str) -> bool {
    Names::new(plan).named(name).is_some()
}

/// Which certificates carry a name, as places in the plan's list.
#[derive(Debug)]
struct Names {
    exact: HashMap<String, Vec<usize>>,
    wildcard: HashMap<String, Vec<usize>>,
    /// For a client that asks for another name, or for none.
    others: Vec<usize>,
}

impl Names {
    fn new(plan: &AcceptTls) -> Self {
        let all = 0..plan.identities.len();
        let mut own = Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            others: match plan.sni {
                Sni::Any => all.collect(),
                Sni::Strict => Vec::new(),
            },
        };
        for (place, identity) in plan.identities.iter().enumerate() {
            for name in &identity.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(suffix) => (&mut own.wildcard, suffix),
                    None => (&mut own.exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_default().push(place);
            }
        }
        own
    }

    fn on_offer(&self, sni: Option<&str>) -> &[usize] {
        sni.and_then(|name| self.named(name))
            .unwrap_or(&self.others)
    }

    fn named(&self, name: &str) -> Option<&Vec<usize>> {
        let name = name.to_ascii_lowercase();
        self.exact.get(&name).or_else(|| {
            self.wildcard
                .get(name.split_once('.').map_or("", |(_, suffix)| suffix))
        })
    }
}

/// Finds the certificates for a name. Where several carry it (an ECDSA and an RSA certificate, say), the client gets the
/// first whose signature it can verify.
struct ByName {
    names: Names,
    keys: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    fn new(plan: &AcceptTls) -> Result<Self, TlsError> {
        let keys = plan.identities.iter();
        let keys = keys.map(|identity| Ok(Arc::new(certified(identity)?)));
        Ok(Self {
            names: Names::new(plan),
            keys: keys.collect::<Result<_, TlsError>>()?,
        })
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let places = self.names.on_offer(hello.server_name()).iter();
        let mut keys = places.filter_map(|place| self.keys.get(*place));
        let first = keys.clone().next();
        let fits =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        keys.find(fits).or(first).cloned()
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByName")
            .field("names", &self.names.exact.keys())
            .finish_non_exhaustive()
    }
}

fn certified(identity: &Identity) -> Result<CertifiedKey, TlsError> {
    let chain = identity.chain.clone();
    CertifiedKey::from_der(chain, identity.key.clone_key(), &provider()).map_err(|source| {
        TlsError::Identity {
            cert: identity.cert_path.display().to_string(),
            key: identity.key_path.display().to_string(),
            source,
        }
    })
}
