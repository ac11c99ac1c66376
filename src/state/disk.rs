//! The file on its disk: written as a whole or not at all, and set aside where nobody can read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::format::{Damage, Head, MOST, Memory, decode, head};
use crate::base::time::rfc3339;

/// Why a file was not read. Reads after its name.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("cannot be read: {error}; it is kept as {}", .kept.display())]
    Closed { error: io::Error, kept: PathBuf },
    #[error("{damage}; it is kept as {}", .kept.display())]
    Kept { damage: Damage, kept: PathBuf },
    #[error("{damage}, and it could not be set aside: {source}")]
    Stays { damage: Damage, source: io::Error },
}

/// The memory in the file; `None`: there is no file. What cannot be read is set aside.
pub(super) fn load(path: &Path) -> Result<Option<Memory>, Unread> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Of another user: it would be lost by the first writing.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(match set_aside(path) {
                Ok(kept) => Unread::Closed { error, kept },
                Err(_) => error.into(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file").into());
    }
    let mut bytes = Vec::new();
    file.take(MOST as u64 + 1).read_to_end(&mut bytes)?;
    let damage = match decode(&bytes) {
        Ok(memory) => return Ok(Some(memory)),
        Err(damage) => damage,
    };
    match set_aside(path) {
        Ok(kept) => Err(Unread::Kept { damage, kept }),
        Err(source) => Err(Unread::Stays { damage, source }),
    }
}

/// Who wrote what is there now; `None`: nobody, or something else is.
pub(super) fn author(path: &Path) -> Option<Head> {
    let mut start = Vec::new();
    let file = open(path).ok()?;
    file.take(HEAD).read_to_end(&mut start).ok()?;
    head(&start)
}

/// Waits for nobody: what is there may be no file, but a pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    options.open(path)
}

/// All of it, or the former file stays. On return it outlives a loss of power.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replaceable(path)?;
    let new = beside(path, &format!("{}{NEW}", std::process::id()));
    let written = fill(&new, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written?;
    File::open(folder(path))?.sync_all()
}

/// Renaming puts a file into the place of whatever is there: no device or socket of somebody ends so.
fn replaceable(path: &Path) -> io::Result<()> {
    let there = fs::symlink_metadata(path).map(|one| one.file_type());
    match there {
        Ok(kind) if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(kind) if !kind.is_file() && !kind.is_symlink() => Err(io::Error::other(
            "a device, pipe or socket is there: name a file",
        )),
        _ => Ok(()),
    }
}

/// What a howdah left behind that ended while it wrote.
pub(super) fn tidy(path: &Path) {
    for found in others(path) {
        let pid = found.1.strip_suffix(NEW);
        let pid = pid.and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_file(found.0);
        }
    }
}

fn fill(new: &Path, bytes: &[u8]) -> io::Result<()> {
    // Of a howdah that had this number; and where somebody else has put a link, nobody follows it.
    let _ = fs::remove_file(new);
    let open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(new);
    let mut file = open?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Under another name; of many such, the newest stay.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let now = rfc3339(SystemTime::now()).to_string().replace(':', "");
    let kept = beside(path, &format!("{DAMAGED}{now}"));
    fs::rename(path, &kept)?;
    let mut all: Vec<_> = others(path)
        .filter(|one| one.1.starts_with(DAMAGED))
        .collect();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    all.truncate(all.len().saturating_sub(KEPT));
    for (old, _) in all {
        let _ = fs::remove_file(old);
    }
    Ok(kept)
}

/// Files beside it whose names begin as its own does, with the rest of the name.
fn others(path: &Path) -> impl Iterator<Item = (PathBuf, String)> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let begins = format!("{}.", name.unwrap_or_default());
    let found = fs::read_dir(folder(path)).into_iter().flatten().flatten();
    found.filter_map(move |entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((entry.path(), name.strip_prefix(&begins)?.to_owned()))
    })
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

fn folder(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Ends the name of a file that is being written.
const NEW: &str = ".new";
/// Begins what the name of a file that was set aside has more.
const DAMAGED: &str = "damaged-";
/// Files that were set aside.
const KEPT: usize = 3;
/// The head of a file ends within so many bytes.
const HEAD: u64 = 1024;
