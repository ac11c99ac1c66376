//! What to do about a state file that cannot be written.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::base::reach;

/// Follows the error; empty where nothing is known.
pub(super) fn advice(file: &Path, error: &std::io::Error) -> String {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let uid = rustix::process::geteuid().as_raw();
    let is_ours =
        || (folder.metadata()).is_ok_and(|one| one.uid() == uid && one.mode() & 0o300 == 0o300);
    let (is_confined, shown) = (reach::is_confined(), folder.display());
    match error.kind() {
        ErrorKind::PermissionDenied if is_confined && is_ours() => format!(
            "; howdah locked itself in when {shown} was not there yet: run howdah upgrade, or restart it"
        ),
        ErrorKind::PermissionDenied => format!(
            "; howdah runs as user {uid} and must be able to make files in {shown}: chown {uid} {shown}"
        ),
        ErrorKind::ReadOnlyFilesystem => format!(
            "; {shown} is read-only to howdah: mount it writable, or under systemd name it in StateDirectory= or ReadWritePaths="
        ),
        ErrorKind::IsADirectory => {
            format!("; name a file in it: {}", file.join("state.json").display())
        }
        ErrorKind::NotFound => {
            let then = if is_confined {
                ", then run howdah upgrade, or restart howdah"
            } else {
                ""
            };
            format!("; make the folder: install -d -m 700 -o {uid} {shown}{then}")
        }
        _ => String::new(),
    }
}
