//! A service manager, as systemd is one: a socket that howdah tells things, and who told them.
//!
//! sd_notify(3) is a protocol of datagrams with credentials, which this speaks exactly as systemd does; systemd itself is in
//! `tests/real/test_package.py`.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::sync::watch;

use super::soon;

/// See the module.
pub(crate) struct Manager {
    socket: Arc<UnixDatagram>,
    name: String,
    all: Arc<Mutex<Vec<Said>>>,
    /// Datagrams that were read, and how many of them were our own marks.
    read: watch::Receiver<(usize, usize)>,
}

/// One datagram.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Who said it, as the kernel knows.
    pub(crate) pid: u32,
    pub(crate) text: String,
    pub(crate) at: Instant,
}

impl Manager {
    /// In the abstract namespace, as one in a container is.
    pub(crate) fn new() -> Self {
        let name = format!("howdah-test-{}-{}", std::process::id(), fastrand::u64(..));
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self::at(
            UnixDatagram::bind_addr(&address).unwrap(),
            format!("@{name}"),
        )
    }

    /// In the file system, as systemd's is.
    pub(crate) fn in_folder(folder: &std::path::Path) -> Self {
        let path = folder.join("notify");
        let name = path.to_str().unwrap().to_owned();
        Self::at(UnixDatagram::bind(path).unwrap(), name)
    }

    fn at(socket: UnixDatagram, name: String) -> Self {
        set_socket_passcred(&socket, true).unwrap();
        let socket = Arc::new(socket);
        let all = Arc::new(Mutex::new(Vec::new()));
        let (tell, read) = watch::channel((0, 0));
        let (heard, keep) = (Arc::clone(&socket), Arc::clone(&all));
        thread::spawn(move || {
            while let Some(said) = hear(&heard) {
                let is_mark = said.text == MARK;
                if !is_mark {
                    keep.lock().unwrap().push(said);
                }
                tell.send_modify(|(all, marks)| {
                    *all += 1;
                    *marks += usize::from(is_mark);
                });
            }
        });
        Self {
            socket,
            name,
            all,
            read,
        }
    }

    /// Starts this as a service of its own, which it wants to hear of within `watchdog` microseconds; 0: when it likes.
    pub(crate) fn starts(&self, mut command: Command, watchdog: u64) -> Command {
        command.env("NOTIFY_SOCKET", &self.name);
        if watchdog > 0 {
            command.env("WATCHDOG_USEC", watchdog.to_string());
        }
        command
    }

    pub(crate) fn so_far(&self) -> Vec<Said> {
        self.all.lock().unwrap().clone()
    }

    /// What was said until now, all of it: datagrams are read in their order.
    pub(crate) async fn until_now(&self) -> Vec<Said> {
        let mut read = self.read.clone();
        let marks = read.borrow_and_update().1;
        let address = self.socket.local_addr().unwrap();
        let mark = UnixDatagram::unbound().unwrap();
        mark.connect_addr(&address).unwrap();
        mark.send(MARK.as_bytes()).unwrap();
        soon(read.wait_for(|(_, all)| *all > marks)).await.unwrap();
        self.so_far()
    }

    /// The first at or after number `from` that `wanted` likes, and the number of the next.
    pub(crate) async fn hears(&self, from: usize, wanted: impl Fn(&Said) -> bool) -> (usize, Said) {
        let mut read = self.read.clone();
        soon(async {
            loop {
                read.borrow_and_update();
                let all = self.so_far();
                let found = all.iter().skip(from).position(&wanted);
                if let Some(place) = found {
                    return (from + place + 1, all[from + place].clone());
                }
                read.changed().await.unwrap();
            }
        })
        .await
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // Ends the thread that hears.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Said {
    pub(crate) fn has(&self, line: &str) -> bool {
        self.text.lines().any(|one| one == line)
    }

    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }

    pub(crate) fn beats(&self) -> bool {
        self.has("WATCHDOG=1")
    }
}

/// `None` when nobody listens any more.
fn hear(socket: &UnixDatagram) -> Option<Said> {
    let mut text = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut text)];
    let read = recvmsg(socket, &mut slices, &mut beside, RecvFlags::empty()).ok()?;
    let pid = beside.drain().find_map(|one| match one {
        RecvAncillaryMessage::ScmCredentials(who) => Some(who.pid.as_raw_nonzero().get()),
        _ => None,
    })?;
    Some(Said {
        pid: pid.unsigned_abs(),
        text: String::from_utf8_lossy(&text[..read.bytes]).into_owned(),
        at: Instant::now(),
    })
}

/// Of ourselves, as no service says it.
const MARK: &str = "MARK";
