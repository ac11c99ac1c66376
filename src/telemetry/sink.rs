//! Where lines go: a stream on a descriptor of our own, or a daemon.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::datagrams::Datagrams;
use super::journald;
use super::stream::{Stream, Written};
use crate::plan::LogTarget;

/// Where lines go; opened before anything depends on it.
pub struct Sink(Way);

enum Way {
    Off,
    Stream(Stream),
    Messages(Box<Datagrams>),
}

impl Sink {
    /// Opens what a key names; nothing is written there yet. `for_people`: the text of messages is words, not JSON.
    ///
    /// # Errors
    /// When a file cannot be opened for appending. A daemon that is away is no error: it will come.
    pub(super) fn open(target: &LogTarget, for_people: bool) -> io::Result<Self> {
        Ok(match target {
            LogTarget::Stdout => Self::duplicate(io::stdout().as_fd())?,
            LogTarget::Stderr => Self::duplicate(io::stderr().as_fd())?,
            LogTarget::Off => Self(Way::Off),
            LogTarget::File(path) => Self::file(path)?,
            LogTarget::Syslog(to, facility) => {
                let syslog = Datagrams::syslog(to, *facility, for_people);
                Self(Way::Messages(Box::new(syslog)))
            }
            LogTarget::Journald(path) => {
                let journal = Datagrams::journal(path.clone(), for_people);
                Self(Way::Messages(Box::new(journal)))
            }
        })
    }

    /// Appends to a file; made with mode 640 when it is not there. A named pipe that nobody reads is an error,
    /// not a wait.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        Stream::append(path).map(|stream| Self(Way::Stream(stream)))
    }

    /// Lines one after the other into what is open already.
    pub(super) fn stream(file: File) -> Self {
        Self(Way::Stream(Stream::of(file)))
    }

    pub(super) fn is_off(&self) -> bool {
        matches!(self.0, Way::Off)
    }

    /// Opens a file again under its name, and looks for a daemon anew.
    ///
    /// # Errors
    /// When there is no such file to be had; then the old one stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Way::Stream(stream) => stream.reopen(),
            Way::Messages(messages) => {
                messages.forget();
                Ok(())
            }
            Way::Off => Ok(()),
        }
    }

    /// Writes whole lines. A reader that is stuck is waited for until there is another place to go to (`leave`).
    pub(super) fn write(&mut self, batch: &[u8], leave: &dyn Fn() -> bool) -> Written {
        match &mut self.0 {
            Way::Off => Written::default(),
            Way::Stream(stream) => stream.write(batch, leave),
            Way::Messages(messages) => messages.write(batch, leave),
        }
    }

    fn duplicate(fd: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self::stream(File::from(fd.try_clone_to_owned()?)))
    }
}

/// What a key that says nothing means: `stream`, or the journal where `stream` leads there.
pub(super) fn usual(stream: LogTarget) -> LogTarget {
    let said = std::env::var("JOURNAL_STREAM").ok();
    let socket = Path::new(LogTarget::JOURNAL);
    let behind = match stream {
        LogTarget::Stdout => journald::is_behind(io::stdout(), said.as_deref(), socket),
        _ => journald::is_behind(io::stderr(), said.as_deref(), socket),
    };
    match behind {
        true => LogTarget::Journald(socket.to_owned()),
        false => stream,
    }
}
