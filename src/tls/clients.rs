//! Judges client certificates: the right CA signed them, no list revokes them, their subject is allowed.
//!
//! rustls judges the chain, the dates and the lists. Then this file judges the subject, and writes a line into the log for
//! each certificate that either refuses, with its subject and the reason. Nobody judges a resumed session again: its
//! ticket belongs to one configuration, and a changed list makes a new one.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use super::{TlsError, provider, roots_of};
use crate::plan::{AcceptTls, Allowed, ClientAuth, Roots};

/// Makes the judge of the clients of a listener with this `ca`.
///
/// The judge looks for the client's own certificate in the lists, and refuses it where its signer has no list there. It
/// asks for no list of the authorities above. A list past its next update still counts: to refuse everybody because a
/// cron job failed helps nobody.
///
/// # Errors
/// CA certificates or lists that cannot be used.
pub(super) fn verifier(
    plan: &AcceptTls,
    ca: &Roots,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = Arc::new(roots_of(ca)?);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    if plan.client_auth == ClientAuth::Optional {
        builder = builder.allow_unauthenticated();
    }
    let lists = plan.client_crl.iter().flat_map(|file| &file.lists).cloned();
    let lists: Vec<_> = lists.collect();
    if !lists.is_empty() {
        builder = builder.with_crls(lists).only_check_end_entity_revocation();
    }
    let chain = builder.build().map_err(|error| TlsError::Roots {
        path: ca.path.display().to_string(),
        detail: error.to_string(),
    })?;
    let allowed = plan.client_allow.clone();
    Ok(Arc::new(Judge { chain, allowed }))
}

struct Judge {
    chain: Arc<dyn ClientCertVerifier>,
    /// Empty: whoever the CA signed.
    allowed: Vec<Allowed>,
}

impl Judge {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(leaf, others, now)?;
        if self.allowed.is_empty() || is_allowed(leaf, &self.allowed) {
            return Ok(verified);
        }
        // rustls answers this error with the alert access_denied, which says just that (RFC 8446, section 6.2).
        Err(CertificateError::ApplicationVerificationFailure.into())
    }
}

impl ClientCertVerifier for Judge {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let judged = self.judge(leaf, others, now);
        if let Err(error) = &judged {
            let reason = reason(error);
            tracing::info!(subject = %subject_of(leaf), reason, "client certificate refused");
        }
        judged
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

fn reason(error: &Error) -> String {
    let Error::InvalidCertificate(why) = error else {
        return error.to_string();
    };
    match why {
        CertificateError::ApplicationVerificationFailure => "not in client_allow".into(),
        CertificateError::Revoked => "revoked".into(),
        CertificateError::UnknownRevocationStatus => "no list of its signer in client_crl".into(),
        CertificateError::UnknownIssuer => "not signed by client_ca".into(),
        other => other.to_string(),
    }
}

/// The subject as the certificate has it. A peer chose this text, so it appears only as a field of a log line.
fn subject_of(leaf: &CertificateDer<'_>) -> String {
    match X509Certificate::from_der(leaf) {
        Ok((_, parsed)) => parsed.subject().to_string(),
        Err(_) => "?".into(),
    }
}

/// Whether one of `allowed` fits.
fn is_allowed(leaf: &CertificateDer<'_>, allowed: &[Allowed]) -> bool {
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else {
        return false;
    };
    let names = leaf.subject_alternative_name().ok().flatten();
    let names = names.map_or(&[][..], |extension| &extension.value.general_names);
    allowed.iter().any(|one| match one {
        Allowed::Subject(wanted) => wanted.iter().all(|pair| has(leaf.subject(), pair)),
        other => names.iter().any(|name| fits(other, name)),
    })
}

fn has(subject: &X509Name<'_>, (wanted, value): &(String, String)) -> bool {
    subject.iter_attributes().any(|attribute| {
        let name = oid2abbrev(attribute.attr_type(), oid_registry());
        name.is_ok_and(|name| name.eq_ignore_ascii_case(wanted))
            && attribute.as_str().is_ok_and(|own| own == value)
    })
}

fn fits(allowed: &Allowed, name: &GeneralName<'_>) -> bool {
    match (allowed, name) {
        (Allowed::Dns(wanted), GeneralName::DNSName(own)) => {
            let own = own.to_ascii_lowercase();
            match wanted.strip_prefix("*.") {
                Some(suffix) => own.split_once('.').is_some_and(|(label, rest)| {
                    !label.is_empty() && label != "*" && rest == suffix
                }),
                None => own == *wanted,
            }
        }
        (Allowed::Uri(wanted), GeneralName::URI(own)) => own == wanted,
        (Allowed::Email(wanted), GeneralName::RFC822Name(own)) => own == wanted,
        (Allowed::Ip(wanted), GeneralName::IPAddress(octets)) => match wanted {
            IpAddr::V4(wanted) => wanted.octets() == *octets,
            IpAddr::V6(wanted) => wanted.octets() == *octets,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    /// A certificate of alice, with a name of each kind.
    fn alice() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["alice.example.com".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "alice");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Acme, Inc.");
        params.subject_alt_names.extend([
            SanType::URI("spiffe://acme/alice".try_into().unwrap()),
            SanType::Rfc822Name("alice@acme.test".try_into().unwrap()),
            SanType::IpAddress([10, 0, 0, 7].into()),
        ]);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn a_subject_is_allowed_by_any_entry_and_an_entry_by_all_its_attributes() {
        let alice = alice();
        for (entries, allowed) in [
            (&["CN=alice"][..], true),
            (&["CN=Alice"], false),
            (&["CN=alic"], false),
            (&["CN=alice,O=Acme\\, Inc."], true),
            (&["CN=alice,O=Other"], false),
            (&["CN=bob", "dns:alice.example.com"], true),
            (&["dns:*.example.com"], true),
            (&["dns:*.com"], false),
            (&["dns:example.com"], false),
            (&["uri:spiffe://acme/alice"], true),
            (&["uri:spiffe://acme/"], false),
            (&["email:alice@acme.test"], true),
            (&["ip:10.0.0.7"], true),
            (&["ip:10.0.0.8"], false),
            // A name of one kind is no name of another.
            (&["CN=alice.example.com"], false),
            (&["dns:alice"], false),
            (&["uri:alice.example.com"], false),
        ] {
            let parsed: Vec<_> = entries
                .iter()
                .filter_map(|one| Allowed::parse(one))
                .collect();
            assert_eq!(parsed.len(), entries.len(), "{entries:?}");
            assert_eq!(is_allowed(&alice, &parsed), allowed, "{entries:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_allowed() {
        let allowed = [Allowed::Dns("x".into())];
        assert!(!is_allowed(
            &CertificateDer::from(vec![0x30, 0x82]),
            &allowed
        ));
    }
}
