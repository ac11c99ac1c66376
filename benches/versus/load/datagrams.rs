//! Datagrams of 64 bytes out and back: over kept ports, or each question from a new one.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, recv, recvfrom,
    send, sendto, socket_with,
};

use crate::Load;
use crate::histogram::Counters;
use crate::link::Watch;
use crate::server::addresses;

const QUESTION: [u8; 64] = [b'?'; 64];
/// A datagram that has no answer by then is lost, and asked again.
const LOST: Duration = Duration::from_millis(200);

/// A port that awaits an answer.
struct Asker {
    socket: OwnedFd,
    asked: Instant,
}

/// Sends back what comes, until the process is ended.
pub(crate) fn serve(listen: &[String]) -> Result<(), Box<dyn Error>> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut sockets = Vec::new();
    for address in listen.iter().map(|text| addresses(text)) {
        for address in address? {
            let socket = open()?;
            bind(&socket, &address)?;
            let name = epoll::EventData::new_u64(sockets.len() as u64);
            epoll::add(&epoll, &socket, name, epoll::EventFlags::IN)?;
            sockets.push(socket);
        }
    }
    println!("{}", serde_json::json!({ "listening": sockets.len() }));
    let mut events = Vec::with_capacity(64);
    let mut room = [0; 2048];
    loop {
        events.clear();
        let spare = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&epoll, spare, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let socket = &sockets[event.data.u64() as usize];
            while let Ok((_, length, Some(from))) = recvfrom(socket, &mut room, RecvFlags::DONTWAIT)
            {
                let _ = sendto(socket, &room[..length], SendFlags::DONTWAIT, &from);
            }
        }
    }
}

/// A closed loop. `fresh`: a new port for each question.
pub(crate) fn run(load: &Load, fresh: bool) -> Result<(), Box<dyn Error>> {
    let mut watch = Watch::new()?;
    let mut askers = Vec::with_capacity(load.connections);
    for index in 0..load.connections {
        askers.push(Asker::ask(load.target, &watch, index)?);
    }
    let mut counters = Counters::new();
    let begin = Instant::now();
    let (from, until) = (
        begin + load.warmup(),
        begin + load.warmup() + load.seconds(),
    );
    let (mut now, mut looked, mut ready) = (begin, begin, Vec::with_capacity(256));
    while now < until {
        watch.ready(&mut ready)?;
        now = Instant::now();
        for index in &ready {
            let asker = &mut askers[*index];
            if !asker.hear()? {
                continue;
            }
            counters.total += 1;
            if now >= from {
                counters.measured += 1;
                counters.latency.add(now - asker.asked);
            }
            if fresh {
                *asker = Asker::ask(load.target, &watch, *index)?;
            } else {
                asker.send(now)?;
            }
        }
        if now - looked > LOST {
            looked = now;
            for asker in askers.iter_mut().filter(|one| now - one.asked > LOST) {
                counters.lost += 1;
                asker.send(now)?;
            }
        }
    }
    counters.took = now.saturating_duration_since(from);
    counters.print();
    Ok(())
}

impl Asker {
    fn ask(target: SocketAddr, watch: &Watch, index: usize) -> io::Result<Self> {
        let socket = open()?;
        connect(&socket, &target)?;
        watch.add(&socket, index)?;
        let mut asker = Self {
            socket,
            asked: Instant::now(),
        };
        asker.send(asker.asked)?;
        Ok(asker)
    }

    fn send(&mut self, now: Instant) -> io::Result<()> {
        self.asked = now;
        match send(&self.socket, &QUESTION, SendFlags::DONTWAIT) {
            // Lost, as any datagram may be.
            Ok(_) | Err(Errno::CONNREFUSED | Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn hear(&self) -> io::Result<bool> {
        match recv(&self.socket, &mut [0; 64][..], RecvFlags::DONTWAIT) {
            Ok((_, length)) => Ok(length == QUESTION.len()),
            Err(Errno::AGAIN | Errno::CONNREFUSED) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        flags,
        None,
    )?)
}
