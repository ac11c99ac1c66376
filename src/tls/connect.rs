//! TLS towards servers: whom to trust, and which name a certificate must carry.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::{TlsError, provider, roots_of};
use crate::plan::ConnectTls;

/// Prepared [`ConnectTls`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl Connector {
    /// Builds the shared configuration. Sessions to one server are resumed.
    ///
    /// # Errors
    /// Unusable CA certificates, client certificate or server name.
    pub fn new(plan: &ConnectTls) -> Result<Self, TlsError> {
        let roots = match &plan.roots {
            Some(roots) => roots_of(roots)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match &plan.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|source| TlsError::Identity {
                    cert: identity.cert_path.display().to_string(),
                    key: identity.key_path.display().to_string(),
                    source,
                })?,
        };
        let server_name = plan.server_name.as_deref().map(name).transpose()?;
        Ok(Self {
            config: Arc::new(config),
            server_name,
        })
    }

    /// For one handshake.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The name to ask for and to verify: the plan's, else `host`.
    ///
    /// # Errors
    /// `host` is neither a host name nor an address.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.server_name {
            Some(own) => Ok(own.clone()),
            None => name(host),
        }
    }
}

fn name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.to_owned()))
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        Err(TlsError::NoSystemRoots)
    } else {
        Ok(store)
    }
}
