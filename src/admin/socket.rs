//! The unix socket of the admin server: made with its mode and group before anybody can connect, removed at the end.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::plan::AdminSocket;

/// Removes the file, if that is this process's to do.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    is_ours: bool,
}

impl Place {
    /// Whether it is this process that removes the file at its end, or another.
    pub(super) fn is_ours(&mut self, is_ours: bool) {
        self.is_ours = is_ours;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_ours {
            // Gone already, or not ours to remove: either way nothing is left to do.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The socket, listening, and its place.
///
/// # Errors
/// Another howdah answers there, something else than a socket is there, or the folder or the group is not ours.
pub(super) fn open(plan: &AdminSocket) -> io::Result<(UnixListener, Place)> {
    clear(&plan.path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&plan.path)?)?;
    let place = Place {
        path: plan.path.clone(),
        is_ours: true,
    };
    // Nobody connects before `listen`, so nobody comes in by a mode that is not the plan's.
    fs::set_permissions(&plan.path, fs::Permissions::from_mode(plan.mode))?;
    if let Some(group) = plan.group {
        chown(&plan.path, None, Some(group))?;
    }
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok((socket.into(), place))
}

/// The socket of a predecessor, and its place, which is the predecessor's for now; mode and group are made those of the plan.
///
/// # Errors
/// When they cannot be.
pub(super) fn inherit(plan: &AdminSocket, socket: OwnedFd) -> io::Result<(UnixListener, Place)> {
    let listener = UnixListener::from(socket);
    listener.set_nonblocking(true)?;
    fs::set_permissions(&plan.path, fs::Permissions::from_mode(plan.mode))?;
    if let Some(group) = plan.group {
        chown(&plan.path, None, Some(group))?;
    }
    let place = Place {
        path: plan.path.clone(),
        is_ours: false,
    };
    Ok((listener, place))
}

/// Takes away what a howdah left that was killed.
fn clear(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            ErrorKind::AlreadyExists,
            "it is there, and no socket",
        ));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ErrorKind::AddrInUse.into()),
        Err(_) => fs::remove_file(path),
    }
}

const BACKLOG: i32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(path: PathBuf) -> AdminSocket {
        AdminSocket {
            path,
            mode: 0o600,
            group: None,
        }
    }

    #[test]
    fn what_was_left_is_replaced_and_what_lives_is_not() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let plan = plan(dir.path().join("admin.sock"));
        drop(UnixListener::bind(&plan.path).expect("binds"));
        let (listener, place) = open(&plan).expect("replaced");
        let mode = fs::metadata(&plan.path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = open(&plan).expect_err("in use");
        assert_eq!(second.kind(), ErrorKind::AddrInUse);
        drop((listener, place));
        assert!(!plan.path.exists());
        fs::write(&plan.path, "a file").expect("writes");
        let error = open(&plan).expect_err("no socket");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(plan.path.exists());
    }
}
