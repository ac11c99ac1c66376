//! Which client certificates are good enough: those that no list revokes, and whose subject is allowed.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// The revocation lists of one file of key `client_crl`.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationLists {
    /// Where they were read.
    pub path: PathBuf,
    /// At least one.
    pub lists: Vec<CertificateRevocationListDer<'static>>,
    /// Who signed each, as text.
    pub issuers: Vec<String>,
    /// When the first of them should have been replaced; `None` when none says.
    pub next_update: Option<SystemTime>,
}

/// Why a file holds no revocation list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// Neither PEM nor DER of one.
    #[error("no revocation list in PEM or DER form in it")]
    None,
    /// It begins as one.
    #[error("a revocation list in it cannot be parsed: {0}")]
    Malformed(String),
}

impl RevocationLists {
    /// Parses PEM (one list or several) or DER (one); reads no file.
    ///
    /// # Errors
    /// See [`RevocationError`]; who signed it is judged when the listener is prepared.
    pub fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, RevocationError> {
        let lists: Vec<CertificateRevocationListDer<'static>> = match bytes.first() {
            Some(0x30) => vec![bytes.to_vec().into()],
            _ => CertificateRevocationListDer::pem_slice_iter(bytes)
                .filter_map(Result::ok)
                .collect(),
        };
        if lists.is_empty() {
            return Err(RevocationError::None);
        }
        let (mut issuers, mut next_update) = (Vec::new(), None::<SystemTime>);
        for list in &lists {
            let (_, parsed) = CertificateRevocationList::from_der(list)
                .map_err(|error| RevocationError::Malformed(error.to_string()))?;
            issuers.push(parsed.issuer().to_string());
            let next = parsed.next_update().map(|end| {
                let seconds = u64::try_from(end.timestamp()).unwrap_or(0);
                UNIX_EPOCH + Duration::from_secs(seconds)
            });
            next_update = next_update.into_iter().chain(next).min();
        }
        Ok(Self {
            path,
            lists,
            issuers,
            next_update,
        })
    }
}

impl fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, count) = (self.path.display(), self.lists.len());
        write!(f, "RevocationLists({path}, {count})")
    }
}

/// One entry of key `client_allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// `dns:NAME`, or `dns:*.SUFFIX` for exactly one label more; lower case.
    Dns(String),
    /// `uri:URI`, as SPIFFE has them.
    Uri(String),
    /// `email:ADDRESS`.
    Email(String),
    /// `ip:ADDRESS`.
    Ip(IpAddr),
    /// `CN=alice, O=Example`: all of these stand in the subject.
    Subject(Vec<(String, String)>),
}

/// The attributes of a subject that can be asked for, by the names that openssl shows them with.
pub const ATTRIBUTES: [&str; 7] = ["CN", "O", "OU", "C", "ST", "L", "DC"];

impl Allowed {
    /// Reads one entry; `None` when it has none of the forms.
    pub fn parse(text: &str) -> Option<Self> {
        let filled = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        if let Some(name) = text.strip_prefix("dns:") {
            return filled(name).map(|name| Self::Dns(name.to_ascii_lowercase()));
        }
        if let Some(uri) = text.strip_prefix("uri:") {
            return filled(uri).map(Self::Uri);
        }
        if let Some(address) = text.strip_prefix("email:") {
            return filled(address).map(Self::Email);
        }
        if let Some(address) = text.strip_prefix("ip:") {
            return address.parse().ok().map(Self::Ip);
        }
        let attributes: Option<Vec<_>> = split(text).iter().map(|part| attribute(part)).collect();
        attributes.map(Self::Subject)
    }
}

/// At commas that no backslash stands before.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut escaped) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                part.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            ',' => parts.push(std::mem::take(&mut part)),
            _ => part.push(c),
        }
    }
    parts.push(part);
    parts
}

fn attribute(part: &str) -> Option<(String, String)> {
    let (name, value) = part.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let known = ATTRIBUTES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))?;
    (!value.is_empty()).then(|| ((*known).to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let subject = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            Some(Allowed::Subject(pairs.collect()))
        };
        for (text, read) in [
            (
                "dns:*.Example.com",
                Some(Allowed::Dns("*.example.com".into())),
            ),
            (
                "uri:spiffe://a/b",
                Some(Allowed::Uri("spiffe://a/b".into())),
            ),
            ("email:a@b.c", Some(Allowed::Email("a@b.c".into()))),
            ("ip:10.0.0.7", Some(Allowed::Ip([10, 0, 0, 7].into()))),
            ("cn=alice", subject(&[("CN", "alice")])),
            (
                "CN=alice, O=Acme\\, Inc.",
                subject(&[("CN", "alice"), ("O", "Acme, Inc.")]),
            ),
            ("alice", None),
            ("dns:", None),
            ("ip:alice", None),
            ("CN=", None),
            ("CN=alice,shoe=42", None),
            ("", None),
        ] {
            assert_eq!(Allowed::parse(text), read, "{text}");
        }
    }

    #[test]
    fn what_is_no_list_is_told_apart() {
        let parse = |bytes: &[u8]| RevocationLists::parse("f".into(), bytes).unwrap_err();
        assert_eq!(parse(b"hello"), RevocationError::None);
        assert_eq!(parse(b""), RevocationError::None);
        assert!(matches!(parse(&[0x30, 1]), RevocationError::Malformed(_)));
    }
}
