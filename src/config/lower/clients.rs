//! `client_crl` and `client_allow` of `[listener.tls]` → [`RevocationLists`] and [`Allowed`].

use std::time::SystemTime;

use x509_parser::prelude::{FromDer, X509Certificate};

use super::material;
use crate::base::time::day;
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::AcceptTls;
use crate::config::words::FilePath;
use crate::plan::{ATTRIBUTES, Allowed, RevocationLists, Roots};

/// Every list that can be used.
pub(super) fn revocation_lists(
    words: &AcceptTls,
    ca: Option<&Roots>,
    cx: &mut Cx,
) -> Vec<RevocationLists> {
    let Some(spot) = words.client_crl.get() else {
        return Vec::new();
    };
    needs_ca("client_crl", &spot.span, words, cx);
    let files = spot.value.0.iter();
    let lists: Vec<_> = files.filter_map(|path| one(path, cx)).collect();
    if lists.len() < spot.value.0.len() {
        return lists;
    }
    for subject in ca.map(unlisted(&lists)).unwrap_or_default() {
        let what = format!("client_crl of {} has no list of {subject}", cx.owner);
        cx.warning(&spot.span, what)
            .why("clients that it signed itself are refused")
            .fix("add its list, or take it out of client_ca");
    }
    lists
}

fn one(path: &Spot<FilePath>, cx: &mut Cx) -> Option<RevocationLists> {
    let (full, bytes) = material::read(path, "client_crl", cx)?;
    match RevocationLists::parse(full, &bytes) {
        Ok(lists) => {
            outdated(&lists, path, SystemTime::now(), cx);
            Some(lists)
        }
        Err(error) => {
            let what = format!("{} cannot be used", cx.subject_of("client_crl"));
            cx.error(&path.span, what)
                .why(error.to_string())
                .fix("a list's file begins with -----BEGIN X509 CRL-----, or is DER: openssl crl -in FILE -noout -text shows it");
            None
        }
    }
}

/// Warns of a list that should have been replaced: whom its signer has revoked since, still enters.
fn outdated(lists: &RevocationLists, path: &Spot<FilePath>, now: SystemTime, cx: &mut Cx) {
    if let Some(end) = lists.next_update.filter(|end| *end < now) {
        let what = format!("{} is outdated", cx.subject_of("client_crl"));
        cx.warning(&path.span, what)
            .why(format!(
                "a new list was due on {}; this one still counts",
                day(end)
            ))
            .fix("fetch the new one, then `howdah reload`");
    }
}

/// Subjects of those in `ca` that signed no list.
fn unlisted(lists: &[RevocationLists]) -> impl Fn(&Roots) -> Vec<String> {
    move |ca| {
        let subject = |der: &rustls::pki_types::CertificateDer<'_>| {
            let (_, parsed) = X509Certificate::from_der(der).ok()?;
            Some(parsed.subject().to_string())
        };
        let issuers = || lists.iter().flat_map(|file| &file.issuers);
        let subjects = ca.certificates.iter().filter_map(subject);
        subjects
            .filter(|subject| !issuers().any(|issuer| issuer == subject))
            .collect()
    }
}

/// Every entry that has one of the forms.
pub(super) fn allowed(words: &AcceptTls, cx: &mut Cx) -> Vec<Allowed> {
    let Some(spot) = words.client_allow.get() else {
        return Vec::new();
    };
    needs_ca("client_allow", &spot.span, words, cx);
    if spot.value.0.is_empty() {
        let what = format!("{} is empty", cx.subject_of("client_allow"));
        cx.error(&spot.span, what)
            .why("it would shut everybody out")
            .fix("leave it out to let in whoever client_ca signed");
    }
    let mut all = Vec::new();
    for entry in &spot.value.0 {
        match Allowed::parse(&entry.value) {
            Some(allowed) => all.push(allowed),
            None => {
                let what = format!(
                    "{} has {:?}, which names no subject",
                    cx.subject_of("client_allow"),
                    entry.value
                );
                cx.error(&entry.span, what)
                    .why("dns:NAME, uri:URI, email:ADDRESS, ip:ADDRESS, or attributes")
                    .fix(format!(
                        "attributes are {}: \"CN=alice, O=Example\"",
                        ATTRIBUTES.join(", ")
                    ));
            }
        }
    }
    all
}

fn needs_ca(key: &str, span: &crate::config::source::Span, words: &AcceptTls, cx: &mut Cx) {
    if words.client_ca.is_absent() {
        let what = format!(
            "{} judges certificates that nobody asks for",
            cx.subject_of(key)
        );
        cx.error(span, what)
            .why("needs client_ca")
            .fix("add client_ca = \"FILE\", the CA of your clients");
    }
}
