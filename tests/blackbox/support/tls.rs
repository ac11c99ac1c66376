//! Certificates on disk for howdah, and clients that speak TLS.

use std::io;
use std::sync::Arc;

use howdah::standin::{Authority, Minted, Validity};
use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, RootCertStore, SupportedCipherSuite, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::howdah::Site;

/// An authority and what it signed, as files beside the configuration.
pub(crate) struct Certificates {
    pub(crate) authority: Authority,
}

impl Certificates {
    /// `ca.crt` is written at once.
    pub(crate) fn new(site: &Site) -> Self {
        let authority = Authority::new("howdah test authority").unwrap();
        site.write("ca.crt", authority.pem());
        Self { authority }
    }

    /// `NAME.crt` and `NAME.key` for these host names.
    pub(crate) fn write(&self, site: &Site, name: &str, hosts: &[&str]) -> Minted {
        let minted = self.authority.mint(hosts, Validity::Long).unwrap();
        site.write(&format!("{name}.crt"), &minted.cert);
        site.write(&format!("{name}.key"), &minted.key);
        minted
    }

    /// A client that trusts this authority.
    pub(crate) fn client(&self) -> TlsClient<'_> {
        TlsClient {
            authority: &self.authority,
            identity: None,
            versions: rustls::ALL_VERSIONS,
            suites: |_| true,
            groups: None,
        }
    }
}

/// How a client speaks TLS.
pub(crate) struct TlsClient<'a> {
    authority: &'a Authority,
    identity: Option<Minted>,
    versions: &'a [&'static SupportedProtocolVersion],
    suites: fn(CipherSuite) -> bool,
    groups: Option<Vec<&'static dyn SupportedKxGroup>>,
}

impl<'a> TlsClient<'a> {
    /// Shows a certificate of its own when asked.
    pub(crate) fn with_identity(mut self, identity: Minted) -> Self {
        self.identity = Some(identity);
        self
    }

    pub(crate) fn with_versions(
        mut self,
        versions: &'a [&'static SupportedProtocolVersion],
    ) -> Self {
        self.versions = versions;
        self
    }

    /// Offers only these.
    pub(crate) fn with_suites(mut self, suites: fn(CipherSuite) -> bool) -> Self {
        self.suites = suites;
        self
    }

    /// Offers these for the exchange of keys, the first at once.
    pub(crate) fn with_groups(mut self, groups: &[&'static dyn SupportedKxGroup]) -> Self {
        self.groups = Some(groups.to_vec());
        self
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(der(self.authority.pem())).unwrap();
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        let offered = |suite: &SupportedCipherSuite| (self.suites)(suite.suite());
        provider.cipher_suites.retain(offered);
        if let Some(groups) = &self.groups {
            provider.kx_groups.clone_from(groups);
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
                builder
                    .with_client_auth_cert(vec![der(&own.cert)], key)
                    .unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }

    /// Handshake over a connection, asking for `name`.
    pub(crate) async fn over(
        &self,
        stream: TcpStream,
        name: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        over(&self.connector(), stream, name).await
    }
}

/// Handshake with a connector that may have a session to resume.
pub(crate) async fn over(
    connector: &TlsConnector,
    stream: TcpStream,
    name: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    connector.connect(name, stream).await
}

/// The common name or first DNS name of the certificate that the peer showed.
pub(crate) fn shown_name(stream: &TlsStream<TcpStream>) -> String {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    let (_, certificate) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    match &names.value.general_names[0] {
        x509_parser::extensions::GeneralName::DNSName(name) => (*name).to_owned(),
        other => format!("{other:?}"),
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}
