//! The files that a configuration names: certificates, keys, secrets, the access log. Read here and nowhere else.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::source::Span;
use crate::config::words::{Cx, Field, FilePath, Spot};
use crate::plan::{Identity, IdentityError, Roots, Secret};

/// What stands in a file, without the line's end.
pub(super) fn secret(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<Secret> {
    let (_, bytes) = read(path, key, cx)?;
    let text = String::from_utf8_lossy(&bytes);
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        let what = format!("{key} of {} is empty", cx.owner);
        cx.error(&path.span, what)
            .why("nothing in it")
            .fix("put the secret into the file, in one line");
        return None;
    }
    Some(Secret::new(secret))
}

/// Certificates to trust.
pub(super) fn roots(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<Roots> {
    let (full, bytes) = read(path, key, cx)?;
    let roots = Roots::from_pem(full, &bytes);
    if roots.is_none() {
        let what = format!("{key} of {} holds no certificate", cx.owner);
        cx.error(&path.span, what)
            .why("not PEM")
            .fix("a PEM file begins with -----BEGIN CERTIFICATE-----");
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
    let cert_bytes = cert.get().and_then(|path| read(path, names[0], cx));
    let key_bytes = key.get().and_then(|path| read(path, names[1], cx));
    let ((cert_path, cert_pem), (key_path, key_pem)) = (cert_bytes?, key_bytes?);
    match Identity::from_pem(cert_path, &cert_pem, key_path, &key_pem) {
        Ok(identity) => Some(Arc::new(identity)),
        Err(error) => {
            let at = if matches!(error, IdentityError::NoKey) {
                key
            } else {
                cert
            };
            let what = format!("{} has a certificate that cannot be used", cx.owner);
            cx.error(&at.span().unwrap_or_default(), what)
                .why(error.to_string());
            None
        }
    }
}

/// Notes an access log that could not be opened.
pub(super) fn writable(path: &Path, word: &Spot<String>, cx: &mut Cx) {
    let _ = (path, word, cx);
}

fn read(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<(PathBuf, Vec<u8>)> {
    let full = cx.resolve(&path.value.0);
    match std::fs::read(&full) {
        Ok(bytes) => Some((full, bytes)),
        Err(error) => {
            let what = format!("{key} of {} cannot be read", cx.owner);
            let fault = cx.error(&path.span, what).why(reason(&error));
            fault.fix(format!("looked for {}", full.display()));
            None
        }
    }
}

/// An I/O error in a few words.
pub(in crate::config) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        _ => error.to_string(),
    }
}
