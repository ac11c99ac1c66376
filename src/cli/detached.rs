//! A process that outlives the command that started it, and tells that command how it began.
//!
//! Their connection is the standard input of the process, until it serves: then that is nothing.

use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::setsid;

/// The command that started this process.
pub(super) struct Parent(());

impl Parent {
    /// Leaves the session of that command, whose end would be ours too.
    pub(super) fn leave() -> Self {
        // Refused only to who leads a group already, as nobody does who was started so.
        let _ = setsid();
        Self(())
    }

    /// It may end well.
    pub(super) fn hears_that_it_serves(&self) {
        self.hears(SERVES);
        if let Ok(nothing) = std::fs::File::open("/dev/null") {
            let _ = rustix::stdio::dup2_stdin(OwnedFd::from(nothing));
        }
    }

    /// It may say why.
    pub(super) fn hears_why(&self, why: &str) {
        self.hears(why);
    }

    fn hears(&self, text: &str) {
        // It may have been ended.
        let _ = rustix::net::send(
            rustix::stdio::stdin(),
            text.as_bytes(),
            rustix::net::SendFlags::NOSIGNAL,
        );
    }
}

/// How a process began.
pub(super) enum Began {
    /// It serves.
    Serves,
    /// It has ended, with this exit code and this as its last words; the rest is on standard error.
    Ended(Option<i32>, String),
}

/// Starts `howdah run --takeover` with `config`, and waits until it serves or has ended.
pub(super) fn start(config: &Path) -> std::io::Result<Began> {
    let (ours, its) = UnixStream::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["run", "--takeover", "--detached", "--config"])
        .arg(config)
        .stdin(Stdio::from(OwnedFd::from(its)))
        .spawn()?;
    let Some(said) = hear(ours, LONGEST)? else {
        child.kill()?;
        child.wait()?;
        let why = format!("it hung for {} s, and was killed", LONGEST.as_secs());
        return Ok(Began::Ended(None, why));
    };
    if said == SERVES {
        return Ok(Began::Serves);
    }
    Ok(Began::Ended(child.wait()?.code(), said))
}

/// `None`: nothing within `patience`, and it has not ended.
fn hear(mut ours: UnixStream, patience: Duration) -> std::io::Result<Option<String>> {
    ours.set_read_timeout(Some(patience))?;
    let mut said = Vec::new();
    let mut some = [0; 1024];
    while said != SERVES.as_bytes() {
        match ours.read(&mut some) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Ok(0) | Err(_) => break,
            Ok(count) => said.extend_from_slice(&some[..count]),
        }
    }
    Ok(Some(String::from_utf8_lossy(&said).into_owned()))
}

const SERVES: &str = "serves\n";
/// More than the one that runs waits for a successor.
const LONGEST: Duration = Duration::from_secs(2 * 60);

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn one_that_hangs_is_waited_for_no_longer_than_it_may() {
        let patience = Duration::from_millis(100);
        let (ours, _silent) = UnixStream::pair().expect("a pair");
        assert_eq!(hear(ours, patience).expect("heard"), None);
        let (ours, ended) = UnixStream::pair().expect("a pair");
        drop(ended);
        assert_eq!(hear(ours, patience).expect("heard"), Some(String::new()));
        let (ours, mut its) = UnixStream::pair().expect("a pair");
        its.write_all(SERVES.as_bytes()).expect("said");
        assert_eq!(hear(ours, patience).expect("heard"), Some(SERVES.into()));
    }
}
