//! Where the control socket of a configuration is: the same for every howdah that runs with that file.
//!
//! A socket is made, and later renamed over that of a predecessor, by the user that howdah is then. So the folder must be that
//! user's, also where root makes it; see [`give`].
//!
//! Named after the file's folder, without links, and its own name: that survives what Kubernetes does, which moves the link
//! behind the name with each change of a ConfigMap.

use std::ffi::OsString;
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

/// A howdah that runs with `config`, and where it answers. `user`: who howdah becomes with that file, beside who this process is.
pub fn find(config: &Path, user: Option<u32>) -> Option<(UnixStream, PathBuf)> {
    let users: Vec<u32> = user.into_iter().chain([geteuid().as_raw()]).collect();
    found(folders(&users), &users, &name(config))
}

fn found(
    folders: impl IntoIterator<Item = (PathBuf, Made)>,
    users: &[u32],
    name: &str,
) -> Option<(UnixStream, PathBuf)> {
    // Anybody may make a folder in the temporary one, and listen there for who wants to take over.
    let ours = |(folder, made): &(PathBuf, Made)| {
        *made != Made::Private
            || fs::symlink_metadata(folder).is_ok_and(|one| is_private(&one, users))
    };
    let folders = folders.into_iter().filter(ours);
    let mut paths = folders.map(|(folder, _)| folder.join(name));
    paths.find_map(|path| Some((UnixStream::connect(&path).ok()?, path)))
}

/// As root, before the process becomes `user` of `group`: what root made, or makes here, for howdah is that user's from now on;
/// so is the folder of the `former` one. What cannot be given is not used ([`folder`]).
pub fn give((user, group): (u32, u32), former: Option<&Path>) {
    if !geteuid().is_root() {
        return;
    }
    let shared = match runtime_directory() {
        Some(folder) => folder == Path::new(SHARED),
        None => make(Path::new(SHARED), 0o755).is_ok(),
    };
    let named = former.into_iter().filter(|folder| is_named_by_us(folder));
    for folder in named.chain(shared.then_some(Path::new(SHARED))) {
        let roots = fs::symlink_metadata(folder).is_ok_and(|one| one.is_dir() && one.uid() == 0);
        if roots {
            let _ = chown(folder, Some(user), Some(group));
        }
    }
}

/// One in the temporary folder, which root alone can have made for itself.
fn is_named_by_us(folder: &Path) -> bool {
    folder == private(&std::env::temp_dir(), 0)
}

/// Where a control socket may be made: the first folder that can be had by who this process is by now.
///
/// # Errors
/// The last folder's, when none can be had.
pub fn folder() -> io::Result<PathBuf> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    let user = geteuid().as_raw();
    for (folder, made) in folders(&[user]) {
        match usable(&folder, made, user) {
            Ok(()) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// In this order, each with whether it may be made, and is then nobody else's.
fn folders(users: &[u32]) -> Vec<(PathBuf, Made)> {
    let mut all: Vec<_> = (runtime_directory().into_iter())
        .map(|one| (one, Made::No))
        .collect();
    let shared = if geteuid().is_root() {
        Made::ByRoot
    } else {
        Made::No
    };
    all.push((PathBuf::from(SHARED), shared));
    if let Some(given) = named("XDG_RUNTIME_DIR") {
        all.push((PathBuf::from(given).join("howdah"), Made::Private));
    }
    let temporary = std::env::temp_dir();
    all.extend(
        users
            .iter()
            .map(|user| (private(&temporary, *user), Made::Private)),
    );
    all
}

/// The first that the service manager made for this service.
fn runtime_directory() -> Option<PathBuf> {
    std::env::split_paths(&named("RUNTIME_DIRECTORY")?).next()
}

fn named(variable: &str) -> Option<OsString> {
    std::env::var_os(variable).filter(|value| !value.is_empty())
}

fn private(temporary: &Path, user: u32) -> PathBuf {
    temporary.join(format!("howdah-{user}"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    No,
    ByRoot,
    Private,
}

fn usable(folder: &Path, made: Made, user: u32) -> io::Result<()> {
    match made {
        Made::No => {}
        Made::ByRoot => make(folder, 0o755)?,
        Made::Private => make(folder, 0o700)?,
    }
    let found = fs::symlink_metadata(folder)?;
    let trusted = found.is_dir() && (made != Made::Private || is_private(&found, &[user]));
    match trusted && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok() {
        true => Ok(()),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

fn make(folder: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn is_private(folder: &Metadata, users: &[u32]) -> bool {
    folder.is_dir() && users.contains(&folder.uid()) && folder.mode() & 0o077 == 0
}

/// Ours by its name.
const SHARED: &str = "/run/howdah";

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
        make(&open, 0o755).expect("made");
        make(&closed, 0o700).expect("made");
        let user = geteuid().as_raw();
        assert!(usable(&closed, Made::Private, user).is_ok());
        assert!(usable(&open, Made::Private, user).is_err());
        assert!(usable(&closed, Made::Private, user + 1).is_err());
        assert!(usable(&open, Made::No, user).is_ok());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&closed, &link).expect("linked");
        assert!(usable(&link, Made::Private, user).is_err());
    }

    #[test]
    fn nobody_is_found_in_a_folder_of_somebody_else() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let all = [(dir.path().join("howdah"), Made::Private)];
        make(&all[0].0, 0o700).expect("made");
        let ours = [geteuid().as_raw()];
        let _listens = std::os::unix::net::UnixListener::bind(all[0].0.join("c")).expect("binds");
        assert!(found(all.clone(), &ours, "c").is_some());
        assert!(
            found(all.clone(), &[ours[0] + 1], "c").is_none(),
            "another's"
        );
        fs::set_permissions(&all[0].0, fs::Permissions::from_mode(0o777)).expect("opened");
        assert!(
            found(all.clone(), &ours, "c").is_none(),
            "anybody may listen there"
        );
        fs::rename(&all[0].0, dir.path().join("away")).expect("renamed");
        std::os::unix::fs::symlink(dir.path().join("away"), &all[0].0).expect("linked");
        assert!(found(all, &ours, "c").is_none(), "a link");
    }
}
