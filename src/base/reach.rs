//! What of the file system this process has confined itself to, as a fact that anybody may ask for.
//!
//! Set once, by `confine`, before there is a second thread; never set where nothing is confined. The kernel says no
//! more than "permission denied": who wants to name the reason looks here.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Folders and files, with all that is below them; their paths hold no symbolic link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// May be read.
    pub read: Vec<PathBuf>,
    /// May be read and written; files may be made there.
    pub write: Vec<PathBuf>,
}

static REACH: OnceLock<Reach> = OnceLock::new();

/// From now on the process reaches no further. Only the first call counts, as with the kernel.
pub fn confined_to(reach: Reach) {
    let _ = REACH.set(reach);
}

/// Whether a file there is within reach; whether its owner lets us is another question.
pub fn may_read(path: &Path) -> bool {
    REACH.get().is_none_or(|reach| reach.reads(&real(path)))
}

/// Whether a file may be made, or written, there.
pub fn may_write(path: &Path) -> bool {
    REACH.get().is_none_or(|reach| reach.writes(&real(path)))
}

/// Whether it has confined itself at all.
pub fn is_confined() -> bool {
    REACH.get().is_some()
}

impl Reach {
    fn reads(&self, path: &Path) -> bool {
        self.writes(path) || self.read.iter().any(|allowed| path.starts_with(allowed))
    }

    fn writes(&self, path: &Path) -> bool {
        self.write.iter().any(|allowed| path.starts_with(allowed))
    }
}

/// The path without symbolic links; of a file that is not there yet, that of its folder.
pub fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let folder = path.parent().map_or(Path::new("."), |folder| {
        if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        }
    });
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_folder_is_within_reach() {
        let reach = Reach {
            read: vec!["/etc/howdah".into()],
            write: vec!["/var/log/howdah".into()],
        };
        for (path, read, write) in [
            ("/etc/howdah", true, false),
            ("/etc/howdah/certs/hive.crt", true, false),
            ("/etc/howdah-old/hive.crt", false, false),
            ("/var/log/howdah/access.log", true, true),
            ("/var/log", false, false),
        ] {
            assert_eq!(reach.reads(Path::new(path)), read, "{path}");
            assert_eq!(reach.writes(Path::new(path)), write, "{path}");
        }
    }

    #[test]
    fn a_link_is_followed_also_by_a_file_to_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        assert_eq!(real(&root.join("link/new.log")), root.join("real/new.log"));
        assert_eq!(real(&root.join("link")), root.join("real"));
    }
}
