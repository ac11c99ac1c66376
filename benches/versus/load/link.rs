//! One client connection, and the epoll set that watches many.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::Load;
use crate::histogram::Counters;

/// A request of exactly 64 bytes whose answer is exactly 64 bytes.
pub(crate) const SMALL: &[u8; 64] =
    b"GET /25?0123456789012345678901234567890123456789012 HTTP/1.1\r\n\r\n";
/// Bytes of its answer.
pub(crate) const SMALL_ANSWER: usize = 64;

/// How long one answer is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection that awaits the rest of one answer.
pub(crate) struct Link {
    socket: OwnedFd,
    missing: usize,
    asked: Instant,
}

impl Link {
    /// Connects; on loopback that does not sleep.
    pub(crate) fn open(target: SocketAddr) -> io::Result<Self> {
        let family = if target.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &target)?;
        Ok(Self {
            socket,
            missing: 0,
            asked: Instant::now(),
        })
    }

    /// Connects, asks once and waits; the last byte of the answer, by which servers tell themselves apart.
    pub(crate) fn meet(target: SocketAddr) -> io::Result<(Self, u8)> {
        let link = Self::open(target)?;
        sockopt::set_socket_timeout(&link.socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        rustix::net::send(&link.socket, SMALL, SendFlags::NOSIGNAL)?;
        let mut answer = [0; SMALL_ANSWER];
        match rustix::net::recv(&link.socket, &mut answer, RecvFlags::WAITALL)? {
            (_, SMALL_ANSWER) => Ok((link, answer[SMALL_ANSWER - 1])),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    pub(crate) fn no_delay(&self) -> io::Result<()> {
        Ok(sockopt::set_tcp_nodelay(&self.socket, true)?)
    }

    /// Sends a request that has to fit the socket's buffer.
    pub(crate) fn ask(&mut self, request: &[u8], answer: usize, now: Instant) -> io::Result<()> {
        self.missing = answer;
        self.asked = now;
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(&self.socket, request, flags)? {
            sent if sent == request.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Takes what is there; true once the answer is whole.
    pub(crate) fn hear(&mut self, room: &mut [u8]) -> io::Result<bool> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        match rustix::net::recv(&self.socket, room, flags) {
            Ok((_, 0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, got)) => {
                self.missing = self.missing.saturating_sub(got);
                Ok(self.missing == 0)
            }
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Open, with nothing to read.
    pub(crate) fn is_silent(&self) -> bool {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        matches!(
            rustix::net::recv(&self.socket, &mut [0; 1], flags),
            Err(Errno::AGAIN)
        )
    }

    pub(crate) fn asked(&self) -> Instant {
        self.asked
    }
}

/// Readiness of many links, named by their index.
pub(crate) struct Watch {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Watch {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(256),
        })
    }

    pub(crate) fn link(&self, link: &Link, index: usize) -> io::Result<()> {
        self.add(&link.socket, index)
    }

    pub(crate) fn add(&self, file: &OwnedFd, index: usize) -> io::Result<()> {
        let name = epoll::EventData::new_u64(index as u64);
        Ok(epoll::add(&self.epoll, file, name, epoll::EventFlags::IN)?)
    }

    /// The indexes that have something to read; none after a second of silence.
    pub(crate) fn ready(&mut self, into: &mut Vec<usize>) -> io::Result<()> {
        let second = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        into.clear();
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, spare, Some(&second)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        into.extend(self.events.iter().map(|event| event.data.u64() as usize));
        Ok(())
    }
}

/// Asks the same over all connections, again as soon as each has answered.
pub(crate) fn closed_loop(
    load: &Load,
    request: &[u8],
    answer: usize,
    room: &mut [u8],
) -> Result<Counters, Box<dyn Error>> {
    let mut watch = Watch::new()?;
    let mut links = Vec::with_capacity(load.connections);
    for index in 0..load.connections {
        let link = Link::open(load.target)?;
        link.no_delay()?;
        watch.link(&link, index)?;
        links.push(link);
    }
    let mut counters = Counters::new();
    let mut ready = Vec::with_capacity(256);
    let begin = Instant::now();
    let (from, until) = (
        begin + load.warmup(),
        begin + load.warmup() + load.seconds(),
    );
    for link in &mut links {
        link.ask(request, answer, Instant::now())?;
    }
    let mut now = begin;
    while now < until && (load.count == 0 || counters.total < load.count) {
        watch.ready(&mut ready)?;
        for index in &ready {
            if !links[*index].hear(room)? {
                continue;
            }
            now = Instant::now();
            counters.total += 1;
            if now >= from {
                counters.measured += 1;
                counters.latency.add(now - links[*index].asked());
            }
            links[*index].ask(request, answer, now)?;
        }
        if ready.is_empty() {
            now = Instant::now();
        }
    }
    counters.took = now.saturating_duration_since(from);
    Ok(counters)
}
