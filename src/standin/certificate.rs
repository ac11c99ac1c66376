//! Certificates minted in memory: an authority for tests and the demo, and what a stand-in wears.
//!
//! Nothing here is ever read from or trusted outside the process that made it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::fault::{Fault, Flaw};

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The names are no names, or the machine gives no randomness.
    #[error("cannot mint a certificate")]
    Mint(#[from] rcgen::Error),
    /// What was minted is not what rustls can use.
    #[error("cannot use the minted certificate")]
    Use(#[from] rustls::Error),
    /// What was minted is not PEM.
    #[error("cannot read the minted certificate")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

/// A certificate authority that lives in memory.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate chain and its key, both PEM.
#[derive(Clone)]
pub struct Minted {
    /// The leaf alone: the authority is the root.
    pub cert: String,
    /// PKCS #8.
    pub key: String,
}

/// From when to when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// For as long as anybody will run this.
    Long,
    /// Over since 2001.
    Expired,
}

impl Authority {
    /// A new one, with a key of its own.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn new(name: &str) -> Result<Self, MintError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, pem })
    }

    /// The root certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names or addresses, good for both sides of a connection.
    ///
    /// # Errors
    /// A name is not one.
    pub fn mint(&self, names: &[&str], validity: Validity) -> Result<Minted, MintError> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        if validity == Validity::Expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok(Minted {
            cert: cert.pem(),
            key: key.serialize_pem(),
        })
    }

    /// A revocation list with these certificates in it, PEM; with [`Validity::Expired`], its next one is overdue.
    ///
    /// # Errors
    /// What was minted is not PEM, or cannot be signed.
    pub fn revoke(&self, minted: &[&Minted], validity: Validity) -> Result<String, MintError> {
        let mut revoked_certs = Vec::new();
        for one in minted {
            let der = CertificateDer::from_pem_slice(one.cert.as_bytes())?;
            let serial = X509Certificate::from_der(&der)
                .map(|(_, certificate)| certificate.raw_serial().to_vec());
            revoked_certs.extend(serial.ok().map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: date_time_ymd(2000, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }));
        }
        let end = match validity {
            Validity::Long => 2200,
            Validity::Expired => 2001,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2000, 1, 1),
            next_update: date_time_ymd(end, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

/// The certificate that a stand-in shows, and those it shows when a fault is ordered.
pub struct Wardrobe {
    good: TlsAcceptor,
    wrong_name: TlsAcceptor,
    expired: TlsAcceptor,
    stranger: TlsAcceptor,
}

impl Wardrobe {
    /// Certificates for `names` by `authority`, and each of the flawed ones.
    ///
    /// # Errors
    /// As [`Authority::mint`].
    pub fn new(authority: &Authority, names: &[&str]) -> Result<Self, MintError> {
        let stranger = Authority::new("nobody trusts this")?;
        Ok(Self {
            good: acceptor(&authority.mint(names, Validity::Long)?)?,
            wrong_name: acceptor(&authority.mint(&["elsewhere.test"], Validity::Long)?)?,
            expired: acceptor(&authority.mint(names, Validity::Expired)?)?,
            stranger: acceptor(&stranger.mint(names, Validity::Long)?)?,
        })
    }

    /// What a connection gets that arrives under `fault`.
    pub(super) fn acceptor(&self, fault: Fault) -> &TlsAcceptor {
        match fault {
            Fault::BadCertificate(Flaw::Name) => &self.wrong_name,
            Fault::BadCertificate(Flaw::Expired) => &self.expired,
            Fault::BadCertificate(Flaw::Stranger) => &self.stranger,
            _ => &self.good,
        }
    }
}

fn acceptor(minted: &Minted) -> Result<TlsAcceptor, MintError> {
    let chain =
        CertificateDer::pem_slice_iter(minted.cert.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(minted.key.as_bytes())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
