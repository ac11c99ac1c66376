//! A TCP connect for callers of whom the kernel can know when they will speak.

use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_quickack;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// Connects to `address`. `at_once`: the caller's bytes, or its end, follow at once, so the last packet of TCP's
/// handshake rides on them: one packet less for both ends. A kernel that will not do so loses nothing.
///
/// # Errors
/// Those of `socket` and `connect`. Dropping the future closes the socket.
pub async fn connect(address: SocketAddr, at_once: bool) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if at_once {
        let _ = set_tcp_quickack(&socket, false);
    }
    TcpSocket::from_std_stream(socket.into())
        .connect(address)
        .await
}

/// Whether a connect failed for a limit of our own process or machine (descriptors, ports, memory): it tells nothing of
/// the server.
pub fn is_own_limit(error: &io::Error) -> bool {
    let ours = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::ADDRNOTAVAIL,
    ];
    let number = error.raw_os_error();
    ours.iter()
        .any(|errno| Some(errno.raw_os_error()) == number)
}
