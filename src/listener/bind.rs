//! Opening listening sockets, and saying what is wrong when one cannot be had.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::base::keepalive;
use crate::plan::Protocol as Spoken;
use crate::session::datagram;

/// Connections that wait while a worker is busy. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Bytes of datagrams that wait, for each worker.
const ROOM: usize = 4 << 20;

/// Why an address cannot be listened on; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process, or another listener, has it.
    #[error(
        "{0} is in use: stop what listens there (`ss -ltnp` shows it), or choose another port; a howdah that runs with the same \
         configuration is taken over by `howdah run --takeover`"
    )]
    InUse(SocketAddr),
    /// Below 1024 without the right.
    #[error(
        "{0} needs a privilege: choose a port of 1024 or above, or grant CAP_NET_BIND_SERVICE \
         (`setcap cap_net_bind_service=+ep howdah`, or AmbientCapabilities in its systemd unit); a howdah that was \
         started as root and became `user` has it where the configuration of its start had such a port: restart it"
    )]
    Privileged(SocketAddr),
    /// The address belongs to no interface.
    #[error(
        "{0} is not an address of this machine: use one that `ip addr` shows, or 0.0.0.0 for all"
    )]
    NotLocal(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The sockets of one address, one for each worker.
pub enum Sockets {
    /// Listening.
    Tcp(Vec<TcpListener>),
    /// For datagrams.
    Udp(Vec<UdpSocket>),
}

/// Who else may have an address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim {
    /// Another listener of this process, about to leave it.
    pub ours: bool,
    /// Another machine: it is a virtual one, and may not be here yet.
    pub is_virtual: bool,
}

impl Claim {
    fn apply(self, socket: &Socket, address: SocketAddr) -> io::Result<()> {
        match (self.is_virtual, address) {
            (false, _) => Ok(()),
            (true, SocketAddr::V4(_)) => socket.set_freebind_v4(true),
            (true, SocketAddr::V6(_)) => socket.set_freebind_v6(true),
        }
    }
}

impl Sockets {
    /// The same once more, to be handed over: whoever has them keeps the address open.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn share(&self) -> io::Result<Vec<OwnedFd>> {
        match self {
            Self::Tcp(all) => all
                .iter()
                .map(|one| one.as_fd().try_clone_to_owned())
                .collect(),
            Self::Udp(all) => all
                .iter()
                .map(|one| one.as_fd().try_clone_to_owned())
                .collect(),
        }
    }

    /// Where they are.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(all) => all.first().and_then(|socket| socket.local_addr().ok()),
            Self::Udp(all) => all.first().and_then(|socket| socket.local_addr().ok()),
        }
    }
}

/// Opens `workers` sockets on one address. Port 0 takes a free one, the same for all.
/// `claim`: who else may have the address. `patience`: clients that answer nothing for so long are gone.
///
/// # Errors
/// See [`BindError`]. Nothing stays open after an error.
pub fn open(
    address: SocketAddr,
    workers: usize,
    claim: Claim,
    patience: Duration,
) -> Result<Vec<TcpListener>, BindError> {
    let explain = |source| BindError::of(address, source);
    if !claim.ours {
        refuse_if_taken(address, claim).map_err(explain)?;
    }
    let first = socket(address, true, claim, patience).map_err(explain)?;
    let bound = first.local_addr().map_err(explain)?;
    let others = (1..workers).map(|_| socket(bound, true, claim, patience));
    std::iter::once(Ok(first))
        .chain(others)
        .collect::<io::Result<_>>()
        .map_err(explain)
}

/// Sockets of one address that came from elsewhere, for `workers`. For connections every worker has one: where there are too few,
/// some share one. No socket is added to those of the address: what the kernel would put there waits for nobody, should this
/// howdah fail before it serves. More sockets than workers are served all the same.
///
/// # Errors
/// When a socket is not what it was said to be.
pub fn inherit(
    sockets: Vec<OwnedFd>,
    address: SocketAddr,
    protocol: Spoken,
    workers: usize,
    patience: Duration,
) -> Result<Sockets, BindError> {
    let explain = |source| BindError::of(address, source);
    let sockets: Vec<Socket> = sockets.into_iter().map(Socket::from).collect();
    for socket in &sockets {
        judge(socket, address, protocol).map_err(explain)?;
    }
    match protocol {
        Spoken::Udp => {
            for socket in &sockets {
                datagram::tell_destinations(socket, address).map_err(explain)?;
            }
            Ok(Sockets::Udp(
                sockets.into_iter().map(Socket::into).collect(),
            ))
        }
        Spoken::Tcp => {
            let given = sockets.len();
            let mut all = sockets;
            for place in given..workers {
                let shared = all[place % given].try_clone().map_err(explain)?;
                all.push(shared);
            }
            for socket in &all {
                dress(socket, patience).map_err(explain)?;
            }
            Ok(Sockets::Tcp(all.into_iter().map(Socket::into).collect()))
        }
    }
}

fn judge(socket: &Socket, address: SocketAddr, protocol: Spoken) -> io::Result<()> {
    let kind = match protocol {
        Spoken::Tcp => Type::STREAM,
        Spoken::Udp => Type::DGRAM,
    };
    let bound = socket.local_addr()?.as_socket();
    let port = |bound: SocketAddr| address.port() == 0 || bound.port() == address.port();
    let is_it = bound.is_some_and(|bound| bound.ip() == address.ip() && port(bound));
    if socket.r#type()? != kind || !is_it {
        return Err(io::Error::other(
            "another socket was handed over in its place",
        ));
    }
    socket.set_nonblocking(true)
}

/// `SO_REUSEPORT` lets two howdahs of one user share a port without a word, each taking half of the sessions.
/// A socket without it finds out.
fn refuse_if_taken(address: SocketAddr, claim: Claim) -> io::Result<()> {
    if address.port() == 0 {
        Ok(())
    } else {
        socket(address, false, claim, keepalive::DEFAULT).map(drop)
    }
}

/// Opens `workers` sockets for datagrams on one address, as [`open`] does for connections. The kernel gives the datagrams
/// of one client to one of them, as long as their number stays what it is.
///
/// # Errors
/// See [`BindError`]. Nothing stays open after an error.
pub fn open_udp(
    address: SocketAddr,
    workers: usize,
    claim: Claim,
) -> Result<Vec<UdpSocket>, BindError> {
    let explain = |source| BindError::of(address, source);
    if !claim.ours && address.port() != 0 {
        udp_socket(address, false, claim).map_err(explain)?;
    }
    let first = udp_socket(address, true, claim).map_err(explain)?;
    let bound = first.local_addr().map_err(explain)?;
    let others = (1..workers).map(|_| udp_socket(bound, true, claim));
    std::iter::once(Ok(first))
        .chain(others)
        .collect::<io::Result<_>>()
        .map_err(explain)
}

/// No `SO_REUSEADDR`: over UDP it would let anybody share the address.
fn udp_socket(address: SocketAddr, shared: bool, claim: Claim) -> io::Result<UdpSocket> {
    let kind = Type::DGRAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(shared)?;
    // A burst waits here while the worker is busy. The kernel gives as much of it as net.core.rmem_max lets it.
    let _ = socket.set_recv_buffer_size(ROOM);
    let _ = socket.set_send_buffer_size(ROOM);
    datagram::tell_destinations(&socket, address)?;
    claim.apply(&socket, address)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Accepted sockets inherit what is set here, at no cost to a session.
fn dress(socket: &Socket, patience: Duration) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    keepalive::set(socket, patience)?;
    // A byte that a client marks urgent keeps its place in the stream instead of leaving it.
    socket.set_out_of_band_inline(true)
}

fn socket(
    address: SocketAddr,
    shared: bool,
    claim: Claim,
    patience: Duration,
) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    dress(&socket, patience)?;
    claim.apply(&socket, address)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

impl BindError {
    fn of(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::PermissionDenied => Self::Privileged(address),
            io::ErrorKind::AddrNotAvailable => Self::NotLocal(address),
            _ => Self::Other { address, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_of_udp_is_refused_too_and_one_of_tcp_is_another() {
        // An address of its own: the same port of TCP is then nobody else's, whatever runs beside this.
        let held = open_udp("127.0.53.17:0".parse().unwrap(), 2, Claim::default()).unwrap();
        let address = held[0].local_addr().unwrap();
        let error = open_udp(address, 1, Claim::default()).unwrap_err();
        assert!(
            matches!(error, BindError::InUse(at) if at == address),
            "{error}"
        );
        open(address, 1, Claim::default(), keepalive::DEFAULT).unwrap();
    }

    #[test]
    fn an_address_that_is_not_here_yet_is_listened_on_where_it_is_a_virtual_one() {
        for address in ["192.0.2.53:0", "[2001:db8::53]:0"] {
            let address = address.parse().unwrap();
            let error = open(address, 1, Claim::default(), keepalive::DEFAULT).unwrap_err();
            assert!(matches!(error, BindError::NotLocal(_)), "{error}");
            let claim = Claim {
                is_virtual: true,
                ..Claim::default()
            };
            open(address, 2, claim, keepalive::DEFAULT).unwrap();
            open_udp(address, 2, claim).unwrap();
        }
    }

    #[test]
    fn a_taken_port_is_refused_even_by_a_socket_that_would_share_it() {
        let held = open(
            "127.0.0.1:0".parse().unwrap(),
            2,
            Claim::default(),
            keepalive::DEFAULT,
        )
        .unwrap();
        let address = held[0].local_addr().unwrap();
        assert_eq!(held[1].local_addr().unwrap(), address);
        let error = open(address, 1, Claim::default(), keepalive::DEFAULT).unwrap_err();
        assert!(
            matches!(error, BindError::InUse(at) if at == address),
            "{error}"
        );
    }
}
