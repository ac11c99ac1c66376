//! What a configuration needs of the machine: files that can be read, an access log that can be written, a port that may
//! be taken. Files are read here and nowhere else.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::base::{passwd, reach};
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::settings::fingerprint;
use crate::config::source::Span;
use crate::config::words::FilePath;
use crate::plan::{RunAs, Secret};

/// What stands in a file, without the line's end.
pub(super) fn secret(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<Secret> {
    let (full, bytes) = read(path, key, cx)?;
    let Ok(text) = String::from_utf8(bytes) else {
        let what = format!("{} is not text", cx.subject_of(key));
        cx.error(&path.span, what)
            .why("not UTF-8")
            .fix("put the secret into the file, in one line");
        return None;
    };
    let text = Zeroizing::new(text);
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() || secret.contains('\n') {
        let (is, why) = if secret.contains('\n') {
            ("has several lines", "one is wanted")
        } else {
            ("is empty", "nothing in it")
        };
        let what = format!("{} {is}", cx.subject_of(key));
        cx.error(&path.span, what)
            .why(why)
            .fix("put the secret into the file, in one line");
        return None;
    }
    secret_mode(&full, path, key, cx);
    Some(Secret::new(secret))
}

/// Notes a log, of `key`, that could not be opened.
pub(super) fn writable(path: &Path, key: &str, word: &Spot<String>, cx: &mut Cx) {
    let empty = word.value.is_empty().then_some("it is empty");
    let Some(why) = unwritable(path).or(empty) else {
        return;
    };
    let reachable = reach::may_write(path);
    let hint = crate::config::suggest::value(&word.value, TARGETS, &[]);
    let what = format!(
        "{key} in [log] names no file that could be written: {:?}",
        word.value
    );
    let fault = cx.error(&word.span, what).why(why);
    if !reachable {
        fault.fix("name a file in the folder of a present log, or restart howdah");
        return;
    }
    fault.fix(
        hint.unwrap_or_else(|| {
            format!("{}, or a file in a folder that exists", TARGETS.join(", "))
        }),
    );
}

/// Why a file cannot be made or written there, as far as that is known without doing it.
pub(super) fn unwritable(path: &Path) -> Option<&'static str> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() {
        Some("it is a folder")
    } else if folder.is_some_and(|folder| !folder.is_dir()) {
        Some("its folder does not exist")
    } else if !reach::may_write(path) {
        Some("outside the folders that howdah locked itself into when it started")
    } else {
        None
    }
}

/// A user of this machine, or a fault.
pub(super) fn user(name: &Spot<String>, cx: &mut Cx) -> Option<RunAs> {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let Some(ids) = passwd::find(&text("/etc/passwd"), &text("/etc/group"), &name.value) else {
        let what = format!(
            "[global] names a user {:?} that this machine does not have",
            name.value
        );
        cx.error(&name.span, what)
            .why("not in /etc/passwd")
            .fix("useradd --system --shell /usr/sbin/nologin NAME makes one");
        return None;
    };
    if ids.uid == 0 {
        cx.warning(&name.span, "user in [global] is root")
            .why("nothing is given up")
            .fix("name a user of howdah's own");
    }
    Some(RunAs {
        name: name.value.clone(),
        uid: ids.uid,
        gid: ids.gid,
        groups: ids.groups,
    })
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

/// Warns of a secret that every user of the machine can read.
pub(super) fn secret_mode(full: &Path, path: &Spot<FilePath>, key: &str, cx: &mut Cx) {
    let mode = fs::metadata(full).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o004 != 0 {
        let what = format!(
            "{} can be read by everyone on this machine",
            cx.subject_of(key)
        );
        cx.warning(&path.span, what)
            .why(format!("mode {:04o}", mode & 0o7777))
            .fix(format!("chmod o-rwx {}", path.value.0));
    }
}

/// The file's path and content, or a fault.
pub(super) fn read(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Option<(PathBuf, Vec<u8>)> {
    read_up_to(LARGEST, path, key, cx)
}

/// The same for lists, which may be long.
pub(super) fn read_long(
    path: &Spot<FilePath>,
    key: &str,
    cx: &mut Cx,
) -> Option<(PathBuf, Vec<u8>)> {
    read_up_to(16 * LARGEST, path, key, cx)
}

fn read_up_to(
    most: u64,
    path: &Spot<FilePath>,
    key: &str,
    cx: &mut Cx,
) -> Option<(PathBuf, Vec<u8>)> {
    let full = cx.resolve(&path.value.0);
    match read_bounded(&full, most) {
        Ok(bytes) => {
            cx.files.push(full.clone());
            cx.contents.insert(full.clone(), fingerprint(&bytes));
            Some((full, bytes))
        }
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied && !reach::may_read(&full) =>
        {
            let what = format!("{} cannot be read", cx.subject_of(key));
            let absolute = std::path::absolute(&full).unwrap_or(full);
            cx.error(&path.span, what)
                .why("outside the folders that howdah locked itself into when it started")
                .fix(format!(
                    "put {} into the configuration's folder, or restart howdah",
                    absolute.display()
                ));
            None
        }
        Err(error) => {
            let what = format!("{} cannot be read", cx.subject_of(key));
            let absolute = std::path::absolute(&full).unwrap_or(full);
            cx.error(&path.span, what)
                .why(reason(&error))
                .fix(format!("looked for {}", absolute.display()));
            None
        }
    }
}

/// Nothing here is larger than `most`, and a pipe or a device would make a reload hang.
fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(most + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let bound = format!("it is larger than {} MiB", most / LARGEST);
        return Err(io::Error::other(bound));
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

const LARGEST: u64 = 1 << 20;

/// Where a log may go without a path.
const TARGETS: &[&str] = &["stdout", "stderr", "off", "syslog", "journald"];
