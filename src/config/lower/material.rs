//! The files that a configuration names: certificates, keys, secrets, the access log. Read here and nowhere else, and
//! judged far enough that what gets into a plan works: a key belongs to its certificate, a secret is not empty.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::sign::CertifiedKey;

use crate::config::source::Span;
use crate::config::words::{Cx, Field, FilePath, Spot};
use crate::plan::{Identity, IdentityError, Roots, Secret};

/// What stands in a file, without the line's end.
pub(super) fn secret(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<Secret> {
    let (full, bytes) = read(path, key, cx)?;
    let Ok(text) = String::from_utf8(bytes) else {
        let what = format!("{key} of {} is not text", cx.owner);
        cx.error(&path.span, what)
            .why("not UTF-8")
            .fix("put the secret into the file, in one line");
        return None;
    };
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() || secret.contains('\n') {
        let (is, why) = if secret.contains('\n') {
            ("has several lines", "one is wanted")
        } else {
            ("is empty", "nothing in it")
        };
        let what = format!("{key} of {} {is}", cx.owner);
        cx.error(&path.span, what)
            .why(why)
            .fix("put the secret into the file, in one line");
        return None;
    }
    secret_mode(&full, path, key, cx);
    Some(Secret::new(secret))
}

/// Certificates to trust.
pub(super) fn roots(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<Roots> {
    let (full, bytes) = read(path, key, cx)?;
    let roots = Roots::from_pem(full, &bytes);
    if roots.is_none() {
        let what = format!("{key} of {} holds no certificate", cx.owner);
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
        .and_then(|path| Some((path, read(path, names[0], cx)?)));
    let key_read = key
        .get()
        .and_then(|path| Some((path, read(path, names[1], cx)?)));
    let ((cert, (cert_path, cert_pem)), (key, (key_path, key_pem))) = (cert_read?, key_read?);
    secret_mode(&key_path, key, names[1], cx);
    let identity = match Identity::from_pem(cert_path, &cert_pem, key_path, &key_pem) {
        Ok(identity) => identity,
        Err(IdentityError::NoKey) => {
            let (why, fix) = no_key(&key_pem);
            let what = format!("{} of {} holds no usable private key", names[1], cx.owner);
            cx.error(&key.span, what).why(why).fix(fix);
            return None;
        }
        Err(IdentityError::NoCertificate) => {
            let what = format!("{} of {} holds no certificate", names[0], cx.owner);
            cx.error(&cert.span, what)
                .why(no_certificate(&cert_pem))
                .fix(LOOKS_LIKE_PEM);
            return None;
        }
        Err(IdentityError::Malformed(why)) => {
            let what = format!("{} of {} cannot be parsed", names[0], cx.owner);
            cx.error(&cert.span, what)
                .why(why)
                .fix("write the certificate anew, from where it came");
            return None;
        }
    };
    if let Err((why, fix)) = key_fits(&identity) {
        let what = format!("{} of {} does not fit {}", names[1], cx.owner, names[0]);
        cx.error(&key.span, what).why(why).fix(fix);
        return None;
    }
    expiry(&identity, &cert.span, SystemTime::now(), cx);
    Some(Arc::new(identity))
}

/// Notes an access log that could not be opened.
pub(super) fn writable(path: &Path, word: &Spot<String>, cx: &mut Cx) {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let why = if path.is_dir() {
        "it is a folder"
    } else if folder.is_some_and(|folder| !folder.is_dir()) {
        "its folder does not exist"
    } else if word.value.is_empty() {
        "it is empty"
    } else {
        return;
    };
    let hint = crate::config::suggest::value(&word.value, &["stdout", "stderr", "off"], &[]);
    let what = format!(
        "access in [log] names no file that could be written: {:?}",
        word.value
    );
    let fault = cx.error(&word.span, what).why(why);
    fault.fix(
        hint.unwrap_or_else(|| "stdout, stderr, off, or a file in a folder that exists".into()),
    );
}

/// Warns of a port that this process may not bind.
pub(super) fn privileged(port: u16, span: &Span, cx: &mut Cx) {
    let free_from = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let free_from: u16 = free_from
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024);
    if port != 0 && port < free_from && !may_bind() {
        let what = format!(
            "{} wants port {port}, which this user may not take",
            cx.owner
        );
        cx.warning(span, what)
            .why(format!("below {free_from}"))
            .fix("give the process CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or use another port");
    }
}

/// Whether CAP_NET_BIND_SERVICE, bit 10, is in effect; see capabilities(7) and proc_pid_status(5).
fn may_bind() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_none_or(|set| set & (1 << 10) != 0)
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
                super::super::report::count(usize::try_from(days).unwrap_or(0), "day")
            );
            cx.warning(span, what).why(why).fix(fix);
        }
        Ok(_) => {}
    }
}

/// In UTC.
pub(in crate::config) fn day(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map_or_else(|_| "?".into(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// Warns of a secret that every user of the machine can read.
fn secret_mode(full: &Path, path: &Spot<FilePath>, key: &str, cx: &mut Cx) {
    let mode = fs::metadata(full).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o004 != 0 {
        let what = format!(
            "{key} of {} can be read by everyone on this machine",
            cx.owner
        );
        cx.warning(&path.span, what)
            .why(format!("mode {:04o}", mode & 0o7777))
            .fix(format!("chmod o-rwx {}", path.value.0));
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

fn read(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<(PathBuf, Vec<u8>)> {
    let full = cx.resolve(&path.value.0);
    match read_bounded(&full) {
        Ok(bytes) => Some((full, bytes)),
        Err(error) => {
            let what = format!("{key} of {} cannot be read", cx.owner);
            let absolute = std::path::absolute(&full).unwrap_or(full);
            cx.error(&path.span, what)
                .why(reason(&error))
                .fix(format!("looked for {}", absolute.display()));
            None
        }
    }
}

/// Nothing here is larger than [`LARGEST`], and a pipe or a device would make a reload hang.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
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

const LOOKS_LIKE_PEM: &str = "a certificate's file begins with -----BEGIN CERTIFICATE-----";
const LARGEST: u64 = 1 << 20;
/// A month is what people need to get a new one.
const SOON: Duration = Duration::from_secs(30 * 86_400);
