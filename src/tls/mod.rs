//! Certificates chosen by name, and trust towards servers.
//!
//! [`accept`] prepares what a listener needs to end TLS, [`connect`] what a pool needs to begin it. Each turns its part
//! of a plan into one rustls configuration, before the plan is put to work, and all sessions share it. A session reads
//! no file and can fail at nothing but its handshake.

pub mod accept;
mod clients;
pub mod connect;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, SupportedCipherSuite};

/// Why a plan's TLS settings cannot be put to work. The operator has to mend them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The key is of an unknown kind, or belongs to another certificate.
    #[error("certificate {cert} and key {key} cannot be used: {source}")]
    Identity {
        /// The file of the certificate.
        cert: String,
        /// The file of the key.
        key: String,
        /// What rustls says.
        source: rustls::Error,
    },
    /// A CA file holds something that is no trust anchor, or nothing at all.
    #[error("the CA certificates of {path} cannot be used: {detail}")]
    Roots {
        /// The file.
        path: String,
        /// Which of them, and why.
        detail: String,
    },
    /// No CA was named and the system has none.
    #[error(
        "the system's certificate store is empty; name a CA file with `ca`, or install ca-certificates"
    )]
    NoSystemRoots,
    /// Not a host name.
    #[error("\"{0}\" is not a name that a certificate can carry")]
    Name(String),
    /// rustls refuses the combination.
    #[error("TLS cannot be set up: {0}")]
    Config(#[from] rustls::Error),
}

/// The one cryptography provider: aws-lc-rs with rustls's suites, those of AES-128 first, and its groups for the exchange
/// of keys, X25519MLKEM768 among them: a client that lists it first gets it (docs/adr/0019-post-quantum-as-the-client-likes.md).
///
/// Nobody breaks AES with 128 bits or with 256. The 128 cost less per byte, and the SHA-256 of those suites takes a fifth
/// of SHA-384's time in a handshake (docs/adr/0015-aes-128-first.md).
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = aws_lc_rs::default_provider();
        // The sort is stable, so suites of equal preference keep the provider's order.
        provider.cipher_suites.sort_by_key(preference);
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

/// Whether rustls ended a handshake because a listener with `sni = "strict"` has no certificate for the client's name.
/// rustls marks that by this text alone and would send the alert access_denied; RFC 6066, section 3, wants
/// unrecognized_name, which the caller sends instead.
pub fn is_unknown_name(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::General(text) if text == "no server certificate chain resolved")
}

fn preference(suite: &SupportedCipherSuite) -> (bool, bool) {
    let old = suite.tls13().is_none();
    let aes_128 = matches!(
        suite.suite(),
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    );
    (old, !aes_128)
}

fn roots_of(roots: &crate::plan::Roots) -> Result<rustls::RootCertStore, TlsError> {
    let mut store = rustls::RootCertStore::empty();
    for certificate in &roots.certificates {
        store
            .add(certificate.clone())
            .map_err(|error| TlsError::Roots {
                path: roots.path.display().to_string(),
                detail: error.to_string(),
            })?;
    }
    Ok(store)
}
