//! The sockets that the service manager opened for this process: `LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES` (sd_listen_fds(3)).
//!
//! A plan takes them by their address, as it takes those of a predecessor. What nobody can use is closed, and said when there is a
//! log.

use std::env;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::inherited::Inherited;
use super::message::Described;
use crate::plan::Protocol;

/// What came with the process.
#[derive(Debug, Default)]
pub struct Given {
    /// By their address.
    pub sockets: Inherited,
    /// What is none of those that a plan can have, each by its name and place.
    pub useless: Vec<String>,
}

/// Takes what is there. What is meant for another process is left alone.
pub fn given() -> Given {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut listen = ListenFd::from_env();
    let mut given = Given::default();
    for place in 0..listen.len() {
        let name = names.next().filter(|name| !name.is_empty());
        let found = stream(&mut listen, place)
            .or_else(|| datagrams(&mut listen, place))
            .or_else(|| in_the_file_system(&mut listen, place));
        match found {
            Some((described, socket)) => given.sockets.add_named(described, socket, name),
            None => {
                close(&mut listen, place);
                let name = name.unwrap_or("unknown");
                given.useless.push(format!("{name} (no. {})", place + 1));
            }
        }
    }
    given
}

fn stream(listen: &mut ListenFd, place: usize) -> Option<(Described, OwnedFd)> {
    let socket: TcpListener = listen.take_tcp_listener(place).ok()??;
    listens(&socket)?;
    socket.set_nonblocking(true).ok()?;
    let address = socket.local_addr().ok()?;
    let described = Described::listener("", address, address, Protocol::Tcp);
    Some((described, socket.into()))
}

fn datagrams(listen: &mut ListenFd, place: usize) -> Option<(Described, OwnedFd)> {
    let socket: UdpSocket = listen.take_udp_socket(place).ok()??;
    socket.set_nonblocking(true).ok()?;
    let address = socket.local_addr().ok()?;
    let described = Described::listener("", address, address, Protocol::Udp);
    Some((described, socket.into()))
}

fn in_the_file_system(listen: &mut ListenFd, place: usize) -> Option<(Described, OwnedFd)> {
    let socket: UnixListener = listen.take_unix_listener(place).ok()??;
    listens(&socket)?;
    socket.set_nonblocking(true).ok()?;
    let path = socket.local_addr().ok()?.as_pathname()?.to_owned();
    Some((Described::AdminSocket { path }, socket.into()))
}

/// A connection (`Accept=yes`) is none of ours.
fn listens(socket: impl AsFd) -> Option<()> {
    socket_acceptconn(socket).ok()?.then_some(())
}

/// What is no socket, or one of another kind. What was taken has been closed by whoever took it.
fn close(listen: &mut ListenFd, place: usize) {
    if let Ok(Some(descriptor)) = listen.take_raw_fd(place) {
        let _ = nix::unistd::close(descriptor);
    }
}
