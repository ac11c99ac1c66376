//! Where the control socket of a configuration is: the same for every howdah that runs with that file.
//!
//! Named after the file's folder, without links, and its own name: that survives what Kubernetes does, which moves the link
//! behind the name with each change of a ConfigMap.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The name of the control socket of `config`, as all its howdahs know it.
pub fn name(config: &Path) -> String {
    let file = config.file_name().unwrap_or_default();
    let folder = match config.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    let hash = hash(folder.join(file).as_os_str().as_encoded_bytes());
    format!("control-{hash:016x}.sock")
}

/// FNV-1a, 64 bits: the same in every version and on every machine.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A howdah that runs with `config`, and where it answers.
pub fn find(config: &Path) -> Option<(UnixStream, PathBuf)> {
    found(folders(), &name(config))
}

fn found(
    folders: impl IntoIterator<Item = (PathBuf, Made)>,
    name: &str,
) -> Option<(UnixStream, PathBuf)> {
    // Anybody may make a folder in the temporary one, and listen there for who wants to take over.
    let ours = |(folder, made): &(PathBuf, Made)| {
        *made != Made::Private || fs::symlink_metadata(folder).is_ok_and(|one| is_private(&one))
    };
    let folders = folders.into_iter().filter(ours);
    let mut paths = folders.map(|(folder, _)| folder.join(name));
    paths.find_map(|path| Some((UnixStream::connect(&path).ok()?, path)))
}

/// Where a control socket may be made: the first folder that can be had. `owner`: who the process becomes.
///
/// # Errors
/// The last folder's, when none can be had.
pub fn folder(owner: Option<(u32, u32)>) -> io::Result<PathBuf> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for (folder, made) in folders() {
        match usable(&folder, made, owner) {
            Ok(()) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// In this order, each with whether it may be made, and is then nobody else's.
fn folders() -> Vec<(PathBuf, Made)> {
    let named = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    let mut all = Vec::new();
    if let Some(given) = named("RUNTIME_DIRECTORY") {
        all.extend(
            std::env::split_paths(&given)
                .next()
                .map(|one| (one, Made::No)),
        );
    }
    let shared = if geteuid().is_root() {
        Made::ByRoot
    } else {
        Made::No
    };
    all.push((PathBuf::from("/run/howdah"), shared));
    if let Some(given) = named("XDG_RUNTIME_DIR") {
        all.push((PathBuf::from(given).join("howdah"), Made::Private));
    }
    let own = format!("howdah-{}", geteuid().as_raw());
    all.push((std::env::temp_dir().join(own), Made::Private));
    all
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    No,
    ByRoot,
    Private,
}

fn usable(folder: &Path, made: Made, owner: Option<(u32, u32)>) -> io::Result<()> {
    let new = match made {
        Made::No => false,
        Made::ByRoot => make(folder, 0o755)?,
        Made::Private => make(folder, 0o700)?,
    };
    if new && let Some((uid, gid)) = owner.filter(|_| geteuid().is_root()) {
        chown(folder, Some(uid), Some(gid))?;
    }
    let found = fs::symlink_metadata(folder)?;
    let trusted = found.is_dir() && (made != Made::Private || is_private(&found));
    match trusted && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok() {
        true => Ok(()),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// True when it was not there.
fn make(folder: &Path, mode: u32) -> io::Result<bool> {
    match DirBuilder::new().mode(mode).create(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_private(folder: &Metadata) -> bool {
    folder.is_dir() && folder.uid() == geteuid().as_raw() && folder.mode() & 0o077 == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_file_has_one_name_whichever_way_it_is_named() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::create_dir(&real).expect("made");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        let file = name(&real.join("howdah.toml"));
        assert_eq!(file, name(&link.join("howdah.toml")));
        assert_ne!(file, name(&real.join("other.toml")));
        // As in Kubernetes: the file is a link, which leads elsewhere after each change.
        fs::write(dir.path().join("now"), "").expect("written");
        std::os::unix::fs::symlink(dir.path().join("now"), real.join("howdah.toml"))
            .expect("linked");
        assert_eq!(file, name(&real.join("howdah.toml")));
    }

    #[test]
    fn a_folder_that_others_may_enter_is_not_private() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (open, closed) = (dir.path().join("open"), dir.path().join("closed"));
        assert!(make(&open, 0o755).expect("made") && make(&closed, 0o700).expect("made"));
        assert!(usable(&closed, Made::Private, None).is_ok());
        assert!(usable(&open, Made::Private, None).is_err());
        assert!(usable(&open, Made::No, None).is_ok());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&closed, &link).expect("linked");
        assert!(usable(&link, Made::Private, None).is_err());
    }

    #[test]
    fn nobody_is_found_in_a_folder_of_somebody_else() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let all = [(dir.path().join("howdah"), Made::Private)];
        make(&all[0].0, 0o700).expect("made");
        let _listens = std::os::unix::net::UnixListener::bind(all[0].0.join("c")).expect("binds");
        assert!(found(all.clone(), "c").is_some());
        fs::set_permissions(&all[0].0, fs::Permissions::from_mode(0o777)).expect("opened");
        assert!(
            found(all.clone(), "c").is_none(),
            "anybody may listen there"
        );
        fs::rename(&all[0].0, dir.path().join("away")).expect("renamed");
        std::os::unix::fs::symlink(dir.path().join("away"), &all[0].0).expect("linked");
        assert!(found(all, "c").is_none(), "a link");
    }
}
