//! A reply, read as it comes in: every byte is looked at once, whoever sends them, and in what pieces.
//!
//! Whoever asks feeds what has arrived and takes away what was used; only a line under way is kept here. Heads, marks of
//! chunks, trailers, interim replies and the body are bounded, so a server without end is told apart from a slow one.

use std::mem;

use super::{BODY_MAX, HEAD_MAX, Incoming, Reply};

/// Reads one reply; see the module.
#[derive(Debug, Default)]
pub struct Reader {
    /// The request was HEAD, or one whose reply needs no body.
    bodiless: bool,
    at: At,
    line: Vec<u8>,
    /// Bytes of this head, of all chunk marks, or of the trailers.
    spent: usize,
    interim: u8,
    started: bool,
    reply: Reply,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default)]
enum At {
    #[default]
    Status,
    Header,
    /// So many bytes of body.
    Body(usize),
    /// Body until the server ends.
    UntilTheEnd,
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
    Done,
}

enum Stop {
    /// The line is not whole yet.
    Incomplete,
    NotHttp,
    Malformed,
}

impl Reader {
    /// Nothing was read. `bodiless`: the request was HEAD, so that the reply ends with its head.
    pub fn new(bodiless: bool) -> Self {
        Self {
            bodiless,
            ..Self::default()
        }
    }

    /// Takes in what has arrived since the last call, and says how many bytes of it were used: all of them, unless the reply
    /// is whole (what follows is the next one's) or wrong.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Incoming) {
        self.started |= !bytes.is_empty();
        let mut rest = bytes;
        let incoming = loop {
            if matches!(self.at, At::Done) {
                break Incoming::Reply(mem::take(&mut self.reply));
            }
            if rest.is_empty() {
                break Incoming::Incomplete;
            }
            match self.step(&mut rest) {
                Ok(next) => self.at = next,
                Err(Stop::Incomplete) => break Incoming::Incomplete,
                Err(Stop::NotHttp) => break Incoming::NotHttp(self.start(rest)),
                Err(Stop::Malformed) => break Incoming::Malformed,
            }
        };
        (bytes.len() - rest.len(), incoming)
    }

    /// The server has ended its side: a body without a length is whole by that.
    pub fn end(mut self) -> Incoming {
        match self.at {
            At::UntilTheEnd | At::Done => Incoming::Reply(mem::take(&mut self.reply)),
            _ => Incoming::Malformed,
        }
    }

    /// Whether any byte has come.
    pub fn has_started(&self) -> bool {
        self.started
    }

    fn step(&mut self, rest: &mut &[u8]) -> Result<At, Stop> {
        Ok(match self.at {
            At::Status => {
                self.recognise(rest)?;
                let line = self.line(rest, HEAD_MAX)?;
                self.reply.status = status(&line).ok_or(Stop::Malformed)?;
                At::Header
            }
            At::Header => {
                let line = self.line(rest, HEAD_MAX)?;
                self.header(&line)?
            }
            At::Body(left) => match self.fill(rest, left) {
                0 => At::Done,
                left => At::Body(left),
            },
            At::UntilTheEnd => match self.fill(rest, BODY_MAX - self.reply.body.len()) {
                0 => At::Done,
                _ => At::UntilTheEnd,
            },
            At::ChunkSize => {
                let line = self.line(rest, MARKS_MAX)?;
                self.chunk(&line)?
            }
            At::Chunk(left) => match self.fill(rest, left) {
                0 if self.reply.body.len() == BODY_MAX => At::Done,
                0 => At::ChunkEnd,
                left => At::Chunk(left),
            },
            At::ChunkEnd => match self.line(rest, MARKS_MAX)?.is_empty() {
                true => At::ChunkSize,
                false => return Err(Stop::Malformed),
            },
            At::Trailer => match self.line(rest, HEAD_MAX)?.is_empty() {
                true => At::Done,
                false => At::Trailer,
            },
            At::Done => At::Done,
        })
    }

    /// Something else than HTTP shows at its first strange byte.
    fn recognise(&self, rest: &[u8]) -> Result<(), Stop> {
        let known = self.line.iter().chain(rest).zip(PREFIX);
        match known.into_iter().all(|(is, must)| is == must) {
            true => Ok(()),
            false => Err(Stop::NotHttp),
        }
    }

    fn start(&self, rest: &[u8]) -> Vec<u8> {
        let start = self.line.iter().chain(rest);
        start.take(START_MAX).copied().collect()
    }

    /// The next line, without its end: CR LF, or LF alone (RFC 9112 §2.2).
    fn line(&mut self, rest: &mut &[u8], most: usize) -> Result<String, Stop> {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (part, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        *rest = after;
        self.spent += part.len();
        if self.spent > most {
            return Err(Stop::Malformed);
        }
        self.line.extend_from_slice(part);
        if end.is_none() {
            return Err(Stop::Incomplete);
        }
        let line = mem::take(&mut self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    fn header(&mut self, line: &str) -> Result<At, Stop> {
        if line.is_empty() {
            return self.head_is_whole();
        }
        if let Some((name, value)) = line.split_once(':') {
            if self.reply.headers.len() == HEADERS_MAX {
                return Err(Stop::Malformed);
            }
            let header = (name.to_ascii_lowercase(), value.trim().to_owned());
            self.reply.headers.push(header);
        }
        Ok(At::Header)
    }

    /// How the body ends (RFC 9112 §6.3).
    fn head_is_whole(&mut self) -> Result<At, Stop> {
        self.spent = 0;
        let reply = &mut self.reply;
        if (100..200).contains(&reply.status) && reply.status != 101 {
            self.interim += 1;
            *reply = Reply::default();
            return match self.interim {
                0..=INTERIM_MAX => Ok(At::Status),
                _ => Err(Stop::Malformed),
            };
        }
        if self.bodiless || matches!(reply.status, 101 | 204 | 304) {
            return Ok(At::Done);
        }
        if reply.says("transfer-encoding", "chunked") {
            return Ok(At::ChunkSize);
        }
        match reply.header("content-length").map(str::parse::<usize>) {
            Some(Ok(0)) => Ok(At::Done),
            Some(Ok(length)) => Ok(At::Body(length.min(BODY_MAX))),
            Some(Err(_)) => Err(Stop::Malformed),
            None => Ok(At::UntilTheEnd),
        }
    }

    fn chunk(&mut self, line: &str) -> Result<At, Stop> {
        let size = line.split(';').next().unwrap_or("").trim();
        match usize::from_str_radix(size, 16) {
            Ok(0) => {
                self.spent = 0;
                Ok(At::Trailer)
            }
            Ok(size) => Ok(At::Chunk(size.min(BODY_MAX - self.reply.body.len()))),
            Err(_) => Err(Stop::Malformed),
        }
    }

    /// Moves up to `left` bytes into the body; returns how many are still wanted.
    fn fill(&mut self, rest: &mut &[u8], left: usize) -> usize {
        let (part, after) = rest.split_at(left.min(rest.len()));
        *rest = after;
        self.reply.body.extend_from_slice(part);
        left - part.len()
    }
}

fn status(line: &str) -> Option<u16> {
    let code = line.split(' ').nth(1)?;
    code.parse().ok().filter(|code| (100..1000).contains(code))
}

const PREFIX: &[u8] = b"HTTP/1.";

/// What is shown of something else than HTTP.
const START_MAX: usize = 32;

/// More is no reply to a probe.
const HEADERS_MAX: usize = 256;

/// Replies "100 Continue" and the like before the one that counts.
const INTERIM_MAX: u8 = 8;

/// Bytes of chunk sizes and their ends: for each byte of body as many as a chunk of one byte needs.
const MARKS_MAX: usize = 5 * BODY_MAX;
