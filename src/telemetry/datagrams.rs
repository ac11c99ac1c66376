//! Messages to a daemon's socket: one datagram a line, to syslog or to the journal.
//!
//! A daemon that is away, or starts anew, is waited for while lines gather in the queue, which counts those that it has no
//! room for: a restart of syslog loses nothing. Only the thread of one log waits here. Over UDP nobody says that a
//! datagram was lost, but that nobody listens there; the datagram before is counted then.

use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::journald;
use super::record::Record;
use super::stream::Written;
use super::syslog::Header;
use crate::plan::{Address, Facility, Host, Syslog};

/// A daemon, and how it wants to be told.
pub(super) struct Datagrams {
    to: Place,
    shape: Shape,
    socket: Option<(Socket, Instant)>,
    /// Kept at the size of the longest message.
    message: Vec<u8>,
}

enum Place {
    Unix(PathBuf),
    Udp(Address),
}

enum Shape {
    Syslog(Header),
    Journal { for_people: bool },
}

enum Socket {
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

impl Datagrams {
    /// To a syslog daemon.
    pub(super) fn syslog(to: &Syslog, facility: Facility, for_people: bool) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let (to, limit) = match to {
            Syslog::Unix(path) => (Place::Unix(path.clone()), UNIX_LIMIT),
            Syslog::Udp(address) => (Place::Udp(address.clone()), UDP_LIMIT),
        };
        let header = Header::new(facility, &host, limit, for_people);
        Self::to(to, Shape::Syslog(header))
    }

    /// To systemd's journal.
    pub(super) fn journal(path: PathBuf, for_people: bool) -> Self {
        Self::to(Place::Unix(path), Shape::Journal { for_people })
    }

    fn to(to: Place, shape: Shape) -> Self {
        Self {
            to,
            shape,
            socket: None,
            message: Vec::new(),
        }
    }

    /// The next message finds its way anew.
    pub(super) fn forget(&mut self) {
        self.socket = None;
    }

    /// Sends each line; waits for a daemon that is away or busy until told to `leave`.
    pub(super) fn write(&mut self, batch: &[u8], leave: &dyn Fn() -> bool) -> Written {
        let mut written = Written::default();
        for line in batch
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let line = String::from_utf8_lossy(line);
            let record = Record::read(&line);
            self.message.clear();
            match &self.shape {
                Shape::Syslog(header) => header.print(&record, &mut self.message),
                Shape::Journal { for_people } => {
                    journald::print(&record, *for_people, &mut self.message);
                }
            }
            self.send(leave, &mut written);
        }
        self.message.shrink_to(UNIX_LIMIT);
        written
    }

    fn send(&mut self, leave: &dyn Fn() -> bool, written: &mut Written) {
        let mut again = false;
        loop {
            let error = match self.try_send() {
                Ok(()) => return,
                Err(error) => error,
            };
            match self.judge(&error) {
                Failure::Message => return written.lose(1, error),
                Failure::Before if again => return written.lose(1, error),
                Failure::Before => {
                    again = true;
                    written.lose(1, error);
                }
                _ if leave() => return written.lose(1, error),
                Failure::Busy => self.wait_until_writable(),
                Failure::Away => {
                    self.socket = None;
                    pause();
                }
            }
        }
    }

    fn try_send(&mut self) -> io::Result<()> {
        let stale = |since: &Instant| since.elapsed() > LOOK_UP_AGAIN;
        if let Some((Socket::Udp(_), since)) = &self.socket
            && stale(since)
            // A look-up that fails leaves the address in force.
            && let Ok(socket) = self.to.open()
        {
            self.socket = Some((socket, Instant::now()));
        }
        if self.socket.is_none() {
            self.socket = Some((self.to.open()?, Instant::now()));
        }
        match &self.socket {
            Some((socket, _)) => socket.send(&self.message),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn judge(&self, error: &io::Error) -> Failure {
        let udp = matches!(self.socket, Some((Socket::Udp(_), _)));
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Failure::Busy,
            ErrorKind::ConnectionRefused if udp => Failure::Before,
            _ if error.raw_os_error() == Some(libc::EMSGSIZE) => Failure::Message,
            _ => Failure::Away,
        }
    }

    fn wait_until_writable(&self) {
        let Some((socket, _)) = &self.socket else {
            return;
        };
        let socket = socket.as_fd();
        let _ = poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&PAUSE));
    }
}

/// What a failed send means.
enum Failure {
    /// The message itself will never do.
    Message,
    /// The one before this one was lost.
    Before,
    /// The daemon has its hands full.
    Busy,
    /// Nobody is there.
    Away,
}

impl Place {
    fn open(&self) -> io::Result<Socket> {
        match self {
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_nonblocking(true)?;
                Ok(Socket::Unix(socket))
            }
            Self::Udp(address) => {
                let to = resolve(address)?;
                let any: SocketAddr = match to {
                    SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(to)?;
                socket.set_nonblocking(true)?;
                Ok(Socket::Udp(socket))
            }
        }
    }
}

/// Blocks, which is the writer's alone to bear.
fn resolve(address: &Address) -> io::Result<SocketAddr> {
    match &address.host {
        Host::Ip(ip) => Ok((*ip, address.port).into()),
        Host::Name(name) => {
            let mut found = (name.as_str(), address.port).to_socket_addrs()?;
            found.next().ok_or(ErrorKind::NotFound.into())
        }
    }
}

impl Socket {
    fn send(&self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(message).map(drop),
            Self::Udp(socket) => socket.send(message).map(drop),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(socket) => socket.as_fd(),
            Self::Udp(socket) => socket.as_fd(),
        }
    }
}

fn pause() {
    let _ = poll(&mut [], Some(&PAUSE));
}

/// What daemons take of a message on a unix socket without being told otherwise.
const UNIX_LIMIT: usize = 8192;
/// What receivers should take over UDP (RFC 5426 §3.2).
const UDP_LIMIT: usize = 2048;
/// Between two looks at a daemon that is away, or busy.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// How long what a name resolved to counts.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"{\"message\":\"one\"}\n{\"message\":\"two\"}\n";

    fn receive(socket: &UnixDatagram) -> String {
        let mut room = [0; 9000];
        let wait = Some(Duration::from_secs(5));
        socket.set_read_timeout(wait).expect("a time");
        let length = socket.recv(&mut room).expect("a datagram");
        String::from_utf8_lossy(&room[..length]).into_owned()
    }

    #[test]
    fn a_daemon_that_starts_anew_is_found_again() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("log");
        let first = UnixDatagram::bind(&path).expect("binds");
        let to = Syslog::Unix(path.clone());
        let mut syslog = Datagrams::syslog(&to, Facility::Daemon, true);
        assert_eq!(syslog.write(LINE, &|| false).lost, 0);
        assert!(receive(&first).ends_with("] one") && receive(&first).ends_with("] two"));
        drop(first);
        std::fs::remove_file(&path).expect("was there");
        assert_eq!(syslog.write(LINE, &|| true).lost, 2, "nobody is there");
        let second = UnixDatagram::bind(&path).expect("binds");
        assert_eq!(syslog.write(LINE, &|| false).lost, 0);
        assert!(receive(&second).ends_with("] one"));
    }

    #[test]
    fn nobody_at_the_port_is_counted() {
        // An address of its own, here and in other tests that give a port up: nobody takes it then.
        let free = UdpSocket::bind("127.0.53.18:0").expect("binds");
        let address = free.local_addr().expect("bound");
        drop(free);
        let to = Syslog::Udp(Address {
            host: Host::Ip(address.ip()),
            port: address.port(),
        });
        let mut syslog = Datagrams::syslog(&to, Facility::Daemon, true);
        let lost: u64 = (0..20).map(|_| syslog.write(LINE, &|| false).lost).sum();
        assert!((30..=39).contains(&lost), "{lost} of 40");
    }
}
