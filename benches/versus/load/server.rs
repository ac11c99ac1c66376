//! The server behind every proxy. It reads `GET /N HTTP/1.x` up to the empty line and answers with a
//! head and N bytes; one request at a time on a connection, any number of connections.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, sockopt,
};
use slab::Slab;

const LARGEST: usize = 1 << 30;
const BACKLOG: i32 = 4096;

struct Visit {
    socket: OwnedFd,
    heard: Vec<u8>,
    answer: Option<(Rc<[u8]>, usize)>,
    last: bool,
    interest: epoll::EventFlags,
}

struct Server {
    epoll: OwnedFd,
    listeners: Vec<OwnedFd>,
    visits: Slab<Visit>,
    answers: Answers,
    abrupt: bool,
}

/// What was answered before, by size, and the byte of which answers consist.
struct Answers {
    known: HashMap<usize, Rc<[u8]>>,
    mark: u8,
}

enum Next {
    Read,
    Write,
    Close,
}

/// Serves until the process is ended. What is open then ends in order, or, when `abrupt`, by reset.
pub(crate) fn run(listen: &[String], mark: u8, abrupt: bool) -> Result<(), Box<dyn Error>> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut listeners = Vec::new();
    for address in listen.iter().map(|text| addresses(text)) {
        for address in address? {
            let listener = open(address)?;
            let name = epoll::EventData::new_u64(listeners.len() as u64);
            epoll::add(&epoll, &listener, name, epoll::EventFlags::IN)?;
            listeners.push(listener);
        }
    }
    println!("{}", serde_json::json!({ "listening": listeners.len() }));
    let mut server = Server {
        epoll,
        listeners,
        visits: Slab::new(),
        answers: Answers {
            known: HashMap::new(),
            mark,
        },
        abrupt,
    };
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        let spare = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&server.epoll, spare, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            server.turn(event.data.u64() as usize);
        }
    }
}

/// The head of an answer of `size` bytes.
pub(crate) fn head(size: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
}

impl Server {
    fn turn(&mut self, index: usize) {
        if index < self.listeners.len() {
            return self.accept(index);
        }
        let key = index - self.listeners.len();
        let Some(visit) = self.visits.get_mut(key) else {
            return;
        };
        let want = match visit.serve(&mut self.answers) {
            Next::Close => return drop(self.visits.remove(key)),
            Next::Read => epoll::EventFlags::IN,
            Next::Write => epoll::EventFlags::OUT,
        };
        if want != visit.interest {
            visit.interest = want;
            let name = epoll::EventData::new_u64(index as u64);
            if epoll::modify(&self.epoll, &visit.socket, name, want).is_err() {
                self.visits.remove(key);
            }
        }
    }

    fn accept(&mut self, listener: usize) {
        for _ in 0..64 {
            let Ok(socket) = accept_with(&self.listeners[listener], SocketFlags::CLOEXEC) else {
                return;
            };
            if self.abrupt {
                let at_once = Some(Duration::ZERO);
                let _ = sockopt::set_socket_linger(&socket, at_once);
            }
            let entry = self.visits.vacant_entry();
            let name = epoll::EventData::new_u64((self.listeners.len() + entry.key()) as u64);
            if epoll::add(&self.epoll, &socket, name, epoll::EventFlags::IN).is_ok() {
                entry.insert(Visit {
                    socket,
                    heard: Vec::new(),
                    answer: None,
                    last: false,
                    interest: epoll::EventFlags::IN,
                });
            }
        }
    }
}

impl Visit {
    fn serve(&mut self, answers: &mut Answers) -> Next {
        if self.answer.is_none() {
            let mut room = [0; 4096];
            let got = match rustix::net::recv(&self.socket, &mut room, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Next::Close,
                Ok((_, got)) => got,
                Err(Errno::AGAIN | Errno::INTR) => return Next::Read,
                Err(_) => return Next::Close,
            };
            let request = if self.heard.is_empty() && room[..got].ends_with(b"\r\n\r\n") {
                parse(&room[..got])
            } else {
                self.heard.extend_from_slice(&room[..got]);
                if !self.heard.ends_with(b"\r\n\r\n") {
                    return if self.heard.len() > 65_536 {
                        Next::Close
                    } else {
                        Next::Read
                    };
                }
                let request = parse(&self.heard);
                self.heard = Vec::new();
                request
            };
            let Some((size, last)) = request else {
                return Next::Close;
            };
            self.answer = Some((answers.of(size), 0));
            self.last = last;
        }
        self.write()
    }

    fn write(&mut self) -> Next {
        let Some((answer, sent)) = &mut self.answer else {
            return Next::Read;
        };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        while *sent < answer.len() {
            match rustix::net::send(&self.socket, &answer[*sent..], flags) {
                Ok(more) => *sent += more,
                Err(Errno::AGAIN) => return Next::Write,
                Err(_) => return Next::Close,
            }
        }
        self.answer = None;
        if self.last { Next::Close } else { Next::Read }
    }
}

/// The size that the path asks for, and whether the connection ends after it.
fn parse(request: &[u8]) -> Option<(usize, bool)> {
    let line = request.strip_prefix(b"GET /")?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let size = std::str::from_utf8(&line[..digits]).ok()?.parse().ok()?;
    let end = line.iter().position(|byte| *byte == b'\r')?;
    (size <= LARGEST).then_some((size, line[..end].ends_with(b"/1.0")))
}

impl Answers {
    fn of(&mut self, size: usize) -> Rc<[u8]> {
        let mark = self.mark;
        let answer = self.known.entry(size).or_insert_with(|| {
            let mut bytes = head(size).into_bytes();
            bytes.resize(bytes.len() + size, mark);
            bytes.into()
        });
        Rc::clone(answer)
    }
}

/// `127.0.0.1+3:80` is 127.0.0.1, .2 and .3, all on port 80.
pub(crate) fn addresses(text: &str) -> Result<Vec<SocketAddr>, Box<dyn Error>> {
    let Some((first, rest)) = text.split_once('+') else {
        return Ok(vec![text.parse()?]);
    };
    let (count, port) = rest.split_once(':').ok_or("ADDRESS+COUNT:PORT")?;
    let (first, count): (Ipv4Addr, u32) = (first.parse()?, count.parse()?);
    let port = port.parse()?;
    Ok((0..count)
        .map(|step| Ipv4Addr::from(u32::from(first) + step))
        .map(|ip| SocketAddr::new(IpAddr::V4(ip), port))
        .collect())
}

fn open(address: SocketAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    sockopt::set_tcp_nodelay(&listener, true)?; // inherited by every accepted socket
    rustix::net::bind(&listener, &address)?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}
