//! Certificates, keys and trust → [`Identity`] and [`Roots`], judged far enough that what gets into a plan works: PEM, not
//! encrypted, the key belongs to the certificate. An end of validity that is near or past is a warning.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::material;
use crate::base::time::day;
use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::report::count;
use crate::config::source::Span;
use crate::config::words::FilePath;
use crate::plan::{Identity, Roots};

/// Certificates to trust.
pub(super) fn roots(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<Roots> {
    let (full, bytes) = material::read(path, key, cx)?;
    let roots = Roots::from_pem(full, &bytes);
    if roots.is_none() {
        let what = format!("{} holds no certificate", cx.subject_of(key));
        cx.error(&path.span, what)
            .why(no_certificate(&bytes))
            .fix(LOOKS_LIKE_PEM);
    }
    roots
}

/// A certificate chain with its key; `names` are the two keys' names in the file.
pub(super) fn identity(
    cert: &Field<FilePath>,
    key: &Field<FilePath>,
    names: [&str; 2],
    span: &Span,
    cx: &mut Cx,
) -> Option<Arc<Identity>> {
    for (field, name) in [(cert, names[0]), (key, names[1])] {
        if field.is_absent() {
            super::missing(span, name, &format!("{name} = \"FILE\""), cx);
        }
    }
    let cert_read = cert
        .get()
        .and_then(|path| read_certificate(path, names[0], cx));
    let key_read = key.get().and_then(|path| read_key(path, names[1], cx));
    let ((cert_path, cert_pem), (key_path, key_pem)) = (cert_read?, key_read?);
    let (cert_span, key_span) = (cert.span()?, key.span()?);
    let identity = match Identity::from_pem(cert_path, &cert_pem, key_path, &key_pem) {
        Ok(identity) => identity,
        Err(error) => {
            let what = format!("{} cannot be used", cx.subject_of(names[0]));
            cx.error(&cert_span, what)
                .why(error.to_string())
                .fix("get the certificate anew from where it came");
            return None;
        }
    };
    if let Err((why, fix)) = key_fits(&identity) {
        let what = format!("{} does not fit {}", cx.subject_of(names[1]), names[0]);
        cx.error(&key_span, what).why(why).fix(fix);
        return None;
    }
    expiry(&identity, &cert_span, SystemTime::now(), cx);
    Some(Arc::new(identity))
}

fn read_certificate(path: &Spot<FilePath>, name: &str, cx: &mut Cx) -> Option<(PathBuf, Vec<u8>)> {
    let (full, pem) = material::read(path, name, cx)?;
    if CertificateDer::from_pem_slice(&pem).is_ok() {
        return Some((full, pem));
    }
    let what = format!("{} holds no certificate", cx.subject_of(name));
    cx.error(&path.span, what)
        .why(no_certificate(&pem))
        .fix(LOOKS_LIKE_PEM);
    None
}

fn read_key(path: &Spot<FilePath>, name: &str, cx: &mut Cx) -> Option<(PathBuf, Vec<u8>)> {
    let (full, pem) = material::read(path, name, cx)?;
    if PrivateKeyDer::from_pem_slice(&pem).is_ok() {
        material::secret_mode(&full, path, name, cx);
        return Some((full, pem));
    }
    let (why, fix) = no_key(&pem);
    let what = format!("{} holds no usable private key", cx.subject_of(name));
    cx.error(&path.span, what).why(why).fix(fix);
    None
}

/// Reason and remedy, if the key is of no known kind or another certificate's.
fn key_fits(identity: &Identity) -> Result<(), (String, &'static str)> {
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&identity.key).map_err(|_| {
        (
            "a kind of key that TLS does not use".into(),
            "use an RSA, ECDSA (P-256, P-384) or Ed25519 key",
        )
    })?;
    match CertifiedKey::new(identity.chain.clone(), key).keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let fix = "name the key that the certificate was made with; the server's own certificate comes first in its file";
            Err(("the key of another certificate".into(), fix))
        }
        Err(error) => Err((
            error.to_string(),
            "write certificate and key anew, from where they came",
        )),
    }
}

/// Warns of a certificate that clients refuse, or soon will.
fn expiry(identity: &Identity, span: &Span, now: SystemTime, cx: &mut Cx) {
    let names = identity.names.join(", ");
    let fix = "put the new certificate in place, then `howdah reload`";
    match identity.not_after.duration_since(now) {
        Err(_) => {
            let what = format!("the certificate of {names} has expired");
            let why = format!("ended on {}", day(identity.not_after));
            cx.warning(span, what).why(why).fix(fix);
        }
        Ok(left) if left < SOON => {
            let days = left.as_secs() / 86_400;
            let what = format!("the certificate of {names} expires soon");
            let why = format!(
                "ends on {}, {} from now",
                day(identity.not_after),
                count(usize::try_from(days).unwrap_or(0), "day")
            );
            cx.warning(span, what).why(why).fix(fix);
        }
        Ok(_) => {}
    }
}

fn no_certificate(pem: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(pem);
    if text.contains("PRIVATE KEY-----") {
        "this is a private key: were the two swapped?"
    } else if text.trim().is_empty() {
        "the file is empty"
    } else if pem.first() == Some(&0x30) {
        "this is DER, not PEM"
    } else {
        "no certificate in PEM form in it"
    }
}

fn no_key(pem: &[u8]) -> (&'static str, &'static str) {
    let text = String::from_utf8_lossy(pem);
    if text.contains("ENCRYPTED") {
        (
            "the key is encrypted",
            "nobody is there to ask for the passphrase: openssl pkey -in KEY -out PLAIN-KEY",
        )
    } else if text.contains("BEGIN CERTIFICATE-----") {
        (
            "this is a certificate: were the two swapped?",
            "a key's file begins with -----BEGIN PRIVATE KEY-----",
        )
    } else if text.trim().is_empty() {
        (
            "the file is empty",
            "a key's file begins with -----BEGIN PRIVATE KEY-----",
        )
    } else {
        (
            "no private key in PEM form in it",
            "a key's file begins with -----BEGIN PRIVATE KEY-----",
        )
    }
}

const LOOKS_LIKE_PEM: &str = "a certificate's file begins with -----BEGIN CERTIFICATE-----";
/// A month is what people need to get a new one.
const SOON: Duration = Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said at `now` of a certificate that ends on 2030-01-31.
    fn said(now: &str) -> Option<String> {
        let pair = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["hive.example.com".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2030, 1, 31);
        let pem = params.self_signed(&pair).unwrap().pem();
        let (cert, key) = (PathBuf::from("c"), PathBuf::from("k"));
        let key_pem = pair.serialize_pem();
        let identity = Identity::from_pem(cert, pem.as_bytes(), key, key_pem.as_bytes()).unwrap();
        let now: jiff::Timestamp = now.parse().unwrap();
        let mut cx = Cx::new(std::path::Path::new("f"), "cert".into());
        expiry(&identity, &(0..4), now.into(), &mut cx);
        cx.faults
            .pop()
            .map(|fault| format!("{}: {}", fault.what, fault.why))
    }

    #[test]
    fn the_end_of_a_certificate_is_announced_a_month_before() {
        assert_eq!(said("2029-12-31T00:00:00Z"), None);
        let soon = "the certificate of hive.example.com expires soon: ends on 2030-01-31, 29 days from now";
        assert_eq!(said("2030-01-01T12:00:00Z").as_deref(), Some(soon));
        let over = "the certificate of hive.example.com has expired: ended on 2030-01-31";
        assert_eq!(said("2030-02-01T00:00:00Z").as_deref(), Some(over));
    }
}
