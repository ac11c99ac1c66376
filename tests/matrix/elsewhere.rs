//! Another host, so to speak: a network namespace behind a pair of virtual links, whose addresses can vanish.
//!
//! A peer vanishes when its address is taken away: no packet to it finds an owner, none from it leaves, and nobody
//! answers in its place. The namespace has no name and is held by a thread of this process alone, so that the kernel
//! removes it, with its end of the link, whenever and however the process ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, SockAddr, Socket, Type};

pub(crate) struct Elsewhere {
    /// The first three numbers of all addresses: 1 is here, 2 is there, and from [`FIRST`] on they may vanish.
    block: [u8; 3],
    next: AtomicU8,
    jobs: SyncSender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Elsewhere {
    /// # Errors
    /// This machine or container does not let us: the text says what failed.
    pub(crate) fn open() -> Result<Self, String> {
        let mut keeper = Keeper::start()?;
        let space = keeper.space()?;
        let block = link(keeper.0.id())?;
        let (jobs, to_do) = sync_channel::<Job>(0);
        thread::spawn(move || {
            let moved = move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network));
            moved.expect("root may enter a namespace that it has made");
            to_do.into_iter().for_each(|job| job());
        });
        let elsewhere = Self {
            block,
            next: AtomicU8::new(FIRST),
            jobs,
        };
        elsewhere.furnish()?;
        Ok(elsewhere)
    }

    /// Where howdah listens for clients from there.
    pub(crate) fn here(&self) -> Ipv4Addr {
        self.numbered(1)
    }

    /// A new address there, for one peer.
    pub(crate) fn address(&self) -> Ipv4Addr {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let address = self.numbered(number);
        self.there(move || ip(&format!("addr add {address}/32 dev lo")))
            .expect("an address is added");
        address
    }

    /// From now on nobody has this address.
    pub(crate) fn vanish(&self, address: Ipv4Addr) {
        self.there(move || ip(&format!("addr del {address}/32 dev lo")))
            .expect("an address is taken away");
    }

    pub(crate) fn listen(&self, address: Ipv4Addr) -> io::Result<TcpListener> {
        let listener = self.there(move || TcpListener::bind((address, 0)))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    pub(crate) fn connect(&self, from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
        let stream: TcpStream = self.there(move || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SockAddr::from(SocketAddr::from((from, 0))))?;
            socket.connect(&SockAddr::from(to))?;
            Ok::<_, io::Error>(socket.into())
        })?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// Runs something in the namespace: what it opens stays there.
    fn there<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = sync_channel(1);
        let job = move || {
            let _ = tell.send(what());
        };
        self.jobs.send(Box::new(job)).expect("the thread lives");
        told.recv().expect("the thread lives")
    }

    fn numbered(&self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.block;
        Ipv4Addr::new(a, b, c, last)
    }

    fn furnish(&self) -> Result<(), String> {
        let (here, there) = (self.numbered(1), self.numbered(2));
        let name = far_name();
        self.there(move || {
            ip("link set lo up")?;
            ip(&format!("addr add {there}/30 dev {name}"))?;
            ip(&format!("link set {name} up"))?;
            ip(&format!("route add default via {here}"))
        })
    }
}

/// A process whose only merit is a network namespace of its own. It ends with the pipe to it.
struct Keeper(Child);

impl Keeper {
    fn start() -> Result<Self, String> {
        let child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        child.map(Self).map_err(|error| format!("unshare: {error}"))
    }

    /// The namespace, once it is there.
    fn space(&mut self) -> Result<File, String> {
        let mut word = [0; 6];
        let mut said = self.0.stdout.take().ok_or("no pipe")?;
        if said.read_exact(&mut word).is_err() {
            let mut why = String::new();
            let pipe = self.0.stderr.take();
            pipe.map(|mut pipe| pipe.read_to_string(&mut why));
            return Err(format!(
                "a network namespace cannot be made: {}",
                why.trim()
            ));
        }
        let path = format!("/proc/{}/ns/net", self.0.id());
        File::open(path).map_err(|error| error.to_string())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A link from here into the namespace of that process, on the first block of addresses that nobody else has taken.
fn link(process: u32) -> Result<[u8; 3], String> {
    let (near, far) = (near_name(), far_name());
    ip(&format!(
        "link add {near} type veth peer name {far} netns {process}"
    ))?;
    ip(&format!("link set {near} up"))?;
    // 198.18.0.0/15 is for tests between networks (RFC 2544).
    let number = std::process::id() % 508;
    let block = [198, 18 + u8::from(number > 253), (number % 254) as u8];
    let [a, b, c] = block;
    ip(&format!("addr add {a}.{b}.{c}.1/30 dev {near}"))?;
    ip(&format!("route add {a}.{b}.{c}.0/24 via {a}.{b}.{c}.2"))?;
    Ok(block)
}

fn near_name() -> String {
    format!("hd{}n", std::process::id())
}

fn far_name() -> String {
    format!("hd{}f", std::process::id())
}

fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip").args(words.split(' ')).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let why = String::from_utf8_lossy(&output.stderr);
            Err(format!("ip {words}: {}", why.trim()))
        }
    }
}

/// Says loudly, past the test harness, which keeps what a good test prints, that something was not tried.
pub(crate) fn skipped(what: &str, why: &str) {
    let _ = writeln!(io::stderr(), "\nSKIPPED: {what}: {why}");
}

const FIRST: u8 = 10;
