//! The folder of the state file: made at the start where it is missing, for its owner alone.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// Makes it, and gives it to that user and group. Called before the process gives up its rights and locks itself in: there it
/// could make no folders. `None`: nothing was to be made, or it could not be, which the first writing says.
///
/// Only the folder itself is made. Where the one that it would lie in is missing too, the name is as likely misspelt.
pub fn make_folder(file: &Path, owner: Option<(u32, u32)>) -> Option<PathBuf> {
    let file = std::path::absolute(file).ok()?;
    let folder = file.parent()?;
    DirBuilder::new().mode(PRIVATE).create(folder).ok()?;
    if let Some((user, group)) = owner {
        // The first writing tells what came of it.
        let _ = give(folder, user, group);
    }
    Some(folder.into())
}

/// Through no link that somebody has put there since.
fn give(folder: &Path, user: u32, group: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.read(true);
    let made = options
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(folder)?;
    fchown(made.as_fd(), Some(user), Some(group))
}

const PRIVATE: u32 = 0o700;
