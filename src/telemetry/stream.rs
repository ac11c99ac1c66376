//! Lines one after the other into a file, a pipe or a terminal, without being held by a reader that is stuck.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// Lines one after the other.
pub(super) struct Stream {
    file: File,
    /// Where to open it again.
    path: Option<PathBuf>,
    /// The last write ended within a line.
    torn: bool,
    /// The file was deleted, and there is no other: nobody would read what is written there.
    gone: bool,
}

/// What became of a batch of lines.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Lines.
    pub(super) lost: u64,
    /// Of the last that was.
    pub(super) why: Option<io::Error>,
}

impl Written {
    pub(super) fn lose(&mut self, lines: u64, why: io::Error) {
        self.lost += lines;
        self.why = Some(why);
    }
}

impl Stream {
    /// What is open already.
    pub(super) fn of(file: File) -> Self {
        Self {
            file,
            path: None,
            torn: false,
            gone: false,
        }
    }

    /// Appends to a file; made with mode 640 when it is not there. A named pipe that nobody reads is an error,
    /// not a wait.
    pub(super) fn append(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: append_to(path)?,
            path: Some(path.to_owned()),
            torn: false,
            gone: false,
        })
    }

    /// Opens a file again under its name.
    ///
    /// # Errors
    /// When there is no such file to be had; then the old one stays, and where it was deleted, lines are lost.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        self.file = append_to(path).inspect_err(|_| {
            let here = self.file.metadata();
            self.gone = here.is_ok_and(|here| here.nlink() == 0);
        })?;
        (self.torn, self.gone) = (false, false);
        Ok(())
    }

    /// A line is written whole or not at all, as far as the disk lets us: after a torn write the next begins on a new line.
    pub(super) fn write(&mut self, batch: &[u8], leave: &dyn Fn() -> bool) -> Written {
        if self.gone {
            let mut result = Written::default();
            let lines = batch.iter().filter(|byte| **byte == b'\n');
            let why = "the file was deleted, and cannot be made again";
            result.lose(lines.count() as u64, io::Error::other(why));
            return result;
        }
        if self.torn && write_all(&mut self.file, b"\n", leave).1.is_none() {
            self.torn = false;
        }
        let mut result = Written::default();
        let (written, error) = write_all(&mut self.file, batch, leave);
        let Some(error) = error else { return result };
        self.torn |= written > 0 && batch[written - 1] != b'\n';
        let lines = batch[written..].iter().filter(|byte| **byte == b'\n');
        result.lose(lines.count() as u64, error);
        result
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640);
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    options.custom_flags(flags).open(path)
}

/// How much was written, and what stopped it. Pipes are non-blocking, standard output by the will of others.
fn write_all(
    file: &mut File,
    mut bytes: &[u8],
    leave: &dyn Fn() -> bool,
) -> (usize, Option<io::Error>) {
    let all = bytes.len();
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return (all - bytes.len(), Some(ErrorKind::WriteZero.into())),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && !leave() => {
                let second = Timespec {
                    tv_sec: 1,
                    tv_nsec: 0,
                };
                let _ = poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&second));
            }
            Err(error) => return (all - bytes.len(), Some(error)),
        }
    }
    (all, None)
}
