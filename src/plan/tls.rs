//! Certificates, keys and trust, read and parsed, as values.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use super::{Allowed, RevocationLists};
use crate::base::word::words;

/// Table `[listener.tls]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceptTls {
    /// Chosen by SNI; the first is the default. At least one.
    pub identities: Vec<Arc<Identity>>,
    /// Default 1.2.
    pub min_version: TlsVersion,
    /// Whom client certificates must come from.
    pub client_ca: Option<Roots>,
    /// Default none.
    pub client_auth: ClientAuth,
    /// Client certificates that no longer count; empty: none is revoked.
    pub client_crl: Vec<RevocationLists>,
    /// Subjects that may enter; empty: whoever `client_ca` signed.
    pub client_allow: Vec<Allowed>,
    /// Default any.
    pub sni: Sni,
}

words! {
    /// Key `sni`: what becomes of a client that asks for no name, or for one that no certificate has.
    #[derive(Default)]
    pub enum Sni {
        /// It gets the first certificate.
        #[default]
        Any = "any",
        /// It is refused.
        Strict = "strict",
    }
}

/// Table `[pool.*.tls]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectTls {
    /// Whom the server's certificate must come from; `None`: the system's store.
    pub roots: Option<Roots>,
    /// The name that the certificate must carry; `None`: the server's own host.
    pub server_name: Option<String>,
    /// What howdah shows to servers that ask for a client certificate.
    pub identity: Option<Arc<Identity>>,
}

words! {
    /// Key `client_auth`.
    pub enum ClientAuth {
        /// Not asked for.
        None = "none",
        /// Asked for; verified when given.
        Optional = "optional",
        /// No certificate, no session.
        Required = "required",
    }
}

words! {
    /// Key `min_version`.
    pub enum TlsVersion {
        /// TLS 1.2.
        V1_2 = "1.2",
        /// TLS 1.3.
        V1_3 = "1.3",
    }
}

/// The certificates of a CA file.
#[derive(Clone, PartialEq, Eq)]
pub struct Roots {
    /// Where they were read.
    pub path: PathBuf,
    /// At least one.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// A certificate chain with its private key.
pub struct Identity {
    /// Where the chain was read.
    pub cert_path: PathBuf,
    /// Where the key was read.
    pub key_path: PathBuf,
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Belongs to the leaf, which `tls` checks when it prepares the listener.
    pub key: PrivateKeyDer<'static>,
    /// DNS names (and addresses, as text) of the leaf; its common name when it has none. Lower case.
    pub names: Vec<String>,
    /// End of the leaf's validity.
    pub not_after: SystemTime,
}

/// Why two PEM files are no [`Identity`].
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The certificate file has no PEM block of a certificate.
    #[error("the file holds no certificate in PEM form")]
    NoCertificate,
    /// The key file has no PEM block of a private key.
    #[error("the file holds no private key in PEM form")]
    NoKey,
    /// The leaf is not an X.509 certificate.
    #[error("the certificate cannot be parsed: {0}")]
    Malformed(String),
}

impl Identity {
    /// Parses PEM text; reads no file.
    ///
    /// # Errors
    /// See [`IdentityError`]; that the key fits the certificate is not judged here.
    pub fn from_pem(
        cert_path: PathBuf,
        cert_pem: &[u8],
        key_path: PathBuf,
        key_pem: &[u8],
    ) -> Result<Self, IdentityError> {
        let chain = certificates(cert_pem);
        let leaf = chain.first().ok_or(IdentityError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| IdentityError::NoKey)?;
        let (_, parsed) = X509Certificate::from_der(leaf)
            .map_err(|error| IdentityError::Malformed(error.to_string()))?;
        let names = names_of(&parsed);
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let not_after = UNIX_EPOCH + Duration::from_secs(seconds);
        Ok(Self {
            cert_path,
            key_path,
            chain,
            key,
            names,
            not_after,
        })
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain
            && self.key.secret_der() == other.key.secret_der()
            && self.cert_path == other.cert_path
            && self.key_path == other.key_path
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("cert_path", &self.cert_path)
            .field("names", &self.names)
            .field("key", &"***")
            .finish_non_exhaustive()
    }
}

impl Roots {
    /// Parses PEM text; `None` when there is no certificate in it.
    pub fn from_pem(path: PathBuf, pem: &[u8]) -> Option<Self> {
        let certificates = certificates(pem);
        (!certificates.is_empty()).then_some(Self { path, certificates })
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Roots({}, {})",
            self.path.display(),
            self.certificates.len()
        )
    }
}

/// A password or token: never shown, and wiped from memory with its last copy.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes it in.
    pub fn new(secret: &str) -> Self {
        Self(Arc::new(Zeroizing::new(secret.to_owned())))
    }

    /// For the one place that must send or compare it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .collect()
}

fn names_of(leaf: &X509Certificate<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if let Ok(Some(extension)) = leaf.subject_alternative_name() {
        for name in &extension.value.general_names {
            match name {
                GeneralName::DNSName(dns) => names.push(dns.to_ascii_lowercase()),
                GeneralName::IPAddress(octets) => names.extend(address_text(octets)),
                _ => {}
            }
        }
    }
    if names.is_empty() {
        let common = leaf
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok());
        names.extend(common.map(str::to_ascii_lowercase));
    }
    names
}

fn address_text(octets: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(octets)
        .ok()
        .map(|v6| std::net::Ipv6Addr::from(v6).to_string())
}
