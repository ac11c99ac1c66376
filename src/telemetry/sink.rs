//! Where lines go: a descriptor of our own, and how to write to it without being held by a reader that is stuck.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// Where lines go; opened before anything depends on it.
pub struct Sink(pub(super) Option<File>);

impl Sink {
    /// Standard output, on a descriptor of its own.
    pub(super) fn stdout() -> io::Result<Self> {
        Self::duplicate(io::stdout().as_fd())
    }

    /// Standard error, on a descriptor of its own.
    pub(super) fn stderr() -> io::Result<Self> {
        Self::duplicate(io::stderr().as_fd())
    }

    /// Appends to a file; made with mode 640 when it is not there. A named pipe that nobody reads is an error,
    /// not a wait.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o640);
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        Ok(Self(Some(options.custom_flags(flags).open(path)?)))
    }

    /// Nothing is written.
    pub(super) fn off() -> Self {
        Self(None)
    }

    pub(super) fn is_off(&self) -> bool {
        self.0.is_none()
    }

    fn duplicate(fd: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self(Some(File::from(fd.try_clone_to_owned()?))))
    }
}

/// How much was written, and what stopped it. Pipes are non-blocking, standard output by the will of others; a
/// reader that is stuck is waited for until there is another place to go to (`leave`).
pub(super) fn write_all(
    file: &mut File,
    mut bytes: &[u8],
    leave: impl Fn() -> bool,
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
