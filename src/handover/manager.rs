//! The service manager (systemd, or whatever speaks as it does): what it is told, and the sockets that it gives.
//!
//! Connected before the process locks itself in. Where nobody manages, every word goes nowhere.

use std::env;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use rustix::time::{ClockId, clock_gettime};

use super::inherited::Inherited;
use super::message::Described;
use crate::plan::Protocol;

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Manager {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that started this process, by `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn of_this_process() -> Self {
        Self {
            socket: env::var_os("NOTIFY_SOCKET").and_then(|name| {
                let socket = connect(name.as_encoded_bytes());
                socket.map(Arc::new).ok()
            }),
            watchdog: watchdog(),
        }
    }

    /// How often it wants to hear of us.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.socket.is_some())
    }

    /// What it told a predecessor counts for us, whom it did not start.
    pub fn inherit_watchdog(&mut self, micros: Option<u64>) {
        self.watchdog = self.watchdog.or(micros.map(Duration::from_micros));
    }

    /// We serve. After a takeover it is we whom it watches from now on.
    pub fn ready(&self) {
        let pid = std::process::id();
        self.say(&format!("MAINPID={pid}\nREADY=1\nSTATUS=serving"));
    }

    /// A configuration is read.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// It is, or was refused.
    pub fn reloaded(&self) {
        self.say("READY=1");
    }

    /// We drain.
    pub fn stopping(&self, sessions: u32) {
        self.say(&format!(
            "STOPPING=1\nSTATUS=draining, {sessions} sessions open"
        ));
    }

    /// We are alive, the workers too.
    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    fn say(&self, text: &str) {
        // Who does not listen any more cannot be helped.
        if let Some(socket) = &self.socket {
            let _ = socket.send(text.as_bytes());
        }
    }
}

fn connect(name: &[u8]) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match name.split_first() {
        Some((b'@', abstract_name)) => {
            socket.connect_addr(&SocketAddr::from_abstract_name(abstract_name)?)?;
        }
        _ => {
            let path = std::str::from_utf8(name).map_err(std::io::Error::other)?;
            socket.connect(path)?;
        }
    }
    Ok(socket)
}

/// Meant for this process alone where it names one.
fn watchdog() -> Option<Duration> {
    let micros = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    let whose = env::var("WATCHDOG_PID").ok();
    let ours = whose.is_none_or(|pid| pid == std::process::id().to_string());
    (ours && micros > 0).then(|| Duration::from_micros(micros))
}

/// The sockets that it opened for us (`LISTEN_FDS`, `LISTEN_PID`), by their address. One that is neither a listening socket nor
/// one for datagrams is passed over.
pub fn given() -> Inherited {
    let mut given = ListenFd::from_env();
    let mut inherited = Inherited::default();
    for place in 0..given.len() {
        let socket = stream(&mut given, place)
            .or_else(|| datagrams(&mut given, place))
            .or_else(|| in_the_file_system(&mut given, place));
        if let Some((described, socket)) = socket {
            inherited.add(described, socket);
        }
    }
    inherited
}

fn stream(given: &mut ListenFd, place: usize) -> Option<(Described, OwnedFd)> {
    let socket: TcpListener = given.take_tcp_listener(place).ok()??;
    socket.set_nonblocking(true).ok()?;
    let address = socket.local_addr().ok()?;
    let described = Described::listener("", address, address, Protocol::Tcp);
    Some((described, socket.into()))
}

fn datagrams(given: &mut ListenFd, place: usize) -> Option<(Described, OwnedFd)> {
    let socket: UdpSocket = given.take_udp_socket(place).ok()??;
    socket.set_nonblocking(true).ok()?;
    let address = socket.local_addr().ok()?;
    let described = Described::listener("", address, address, Protocol::Udp);
    Some((described, socket.into()))
}

fn in_the_file_system(given: &mut ListenFd, place: usize) -> Option<(Described, OwnedFd)> {
    let socket: UnixListener = given.take_unix_listener(place).ok()??;
    socket.set_nonblocking(true).ok()?;
    let path = socket.local_addr().ok()?.as_pathname()?.to_owned();
    Some((Described::AdminSocket { path }, socket.into()))
}
