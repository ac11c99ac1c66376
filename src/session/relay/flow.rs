//! One direction: from a source to a sink, with what could not be delivered at once.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::task::yield_now;

use super::pipe::Pipe;
use crate::plan::RelayWay;
use crate::session::scratch;
use crate::session::side::Side;

/// What one poll moves in one direction, and little more, before other sessions of the worker get their turn: small
/// requests beside bulk wait for a few of these.
const TURN: u64 = 64 * 1024;
/// A read between two plain sockets that brings so much is a bulk, which goes on by splice.
const BULK: usize = 64 * 1024;

/// Which end of a flow failed.
#[derive(Debug)]
pub(super) enum Broken {
    /// The source broke.
    Read(io::Error),
    /// The sink broke.
    Write,
    /// The sink had ended in order before, and refuses what comes after that end. `surely`: no other call can have
    /// been told of a fault and left this as its echo, as one splice may that moved some of its bytes.
    Refused { surely: bool },
}

impl Broken {
    /// Linux says EPIPE where a reset followed the peer's own end, and names the fault where none had come.
    fn write(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Refused { surely: true },
            _ => Self::Write,
        }
    }
}

/// The state of one direction.
#[derive(Debug)]
pub(super) struct Flow {
    way: RelayWay,
    /// Delivered to the sink (for TLS: taken by it), PROXY header and TLS overhead not counted.
    pub(super) bytes: u64,
    stage: Stage,
    /// The source's connection has broken already, and what it still yields ends in no order.
    doomed: bool,
    /// Read, not yet taken by the sink. Empty, and without memory, unless the sink is slow.
    rest: Vec<u8>,
    /// How much of `rest` the sink has.
    taken: usize,
    /// Held while a bulk passes.
    pipe: Option<Pipe>,
    /// A TLS sink may hold bytes of its own.
    unflushed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The source has ended in order; what is left goes out, then the end itself.
    Ending,
    /// The source broke; what is left goes out, and no end in order.
    Breaking,
    /// All was delivered, and the end told.
    Whole,
    /// Over before its end.
    Cut,
}

impl Flow {
    /// A flow that has `head` to deliver before it reads.
    pub(super) fn new(way: RelayWay, head: Vec<u8>) -> Self {
        Self {
            way,
            bytes: 0,
            stage: Stage::Open,
            doomed: false,
            rest: head,
            taken: 0,
            pipe: None,
            unflushed: false,
        }
    }

    /// The source has said its last.
    pub(super) fn has_ended(&self) -> bool {
        self.stage != Stage::Open
    }

    /// Nothing more will move.
    pub(super) fn is_over(&self) -> bool {
        self.is_whole() || self.stage == Stage::Cut
    }

    /// The source ended in order, and the sink has everything.
    pub(super) fn is_whole(&self) -> bool {
        self.stage == Stage::Whole
    }

    /// The source broke, and what it said before is still on its way.
    pub(super) fn is_breaking(&self) -> bool {
        self.stage == Stage::Breaking
    }

    /// Holds bytes that the sink has not taken.
    pub(super) fn is_loaded(&self) -> bool {
        if self.is_over() {
            return false;
        }
        let piped = self.pipe.as_ref().is_some_and(|pipe| pipe.filled() > 0);
        self.unflushed || piped || !self.rest.is_empty()
    }

    /// Drops what is under way and reads no more.
    pub(super) fn cut(&mut self) {
        if !self.is_over() {
            self.stage = Stage::Cut;
        }
        self.rest = Vec::new();
        self.pipe = None;
    }

    /// The source broke: what had been read before is delivered, and no end in order after it.
    pub(super) fn break_off(&mut self) {
        if self.stage == Stage::Open {
            self.stage = Stage::Breaking;
        }
    }

    /// The source's connection is known to be broken, but may hold bytes that came before. Whatever follows them
    /// then looks like an end in order, as the fault itself is told only once.
    pub(super) fn doom(&mut self) {
        self.doomed = true;
    }

    /// Moves what can be moved now. `last`: the opposite flow is whole, so that closing the sink, which comes next,
    /// tells the end of this one too, for a system call less. On return without error the flow is over, or its task
    /// will be woken.
    pub(super) fn pump<A: Side, B: Side>(
        &mut self,
        source: &mut A,
        sink: &mut B,
        last: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), Broken> {
        let until = self.bytes + TURN;
        while !self.is_over() {
            match self.step(source, sink, last, cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(broken)) => return Err(broken),
                Poll::Ready(Ok(())) if self.bytes >= until => {
                    come_back(cx);
                    return Ok(());
                }
                Poll::Ready(Ok(())) => {}
            }
        }
        Ok(())
    }

    fn step<A: Side, B: Side>(
        &mut self,
        source: &mut A,
        sink: &mut B,
        last: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        ready!(self.deliver(sink, cx))?;
        let splices = !A::TLS && !B::TLS && self.wants_splice();
        match self.stage {
            Stage::Open if splices => self.splice(source, sink, cx),
            Stage::Open => self.copy(source, sink, cx),
            Stage::Ending => {
                if B::TLS || !last {
                    ready!(sink.poll_end(cx)).map_err(|error| Broken::write(&error))?;
                }
                self.stage = Stage::Whole;
                Poll::Ready(Ok(()))
            }
            Stage::Breaking => {
                let _ = ready!(sink.poll_flush(cx));
                self.stage = Stage::Cut;
                Poll::Ready(Ok(()))
            }
            Stage::Whole | Stage::Cut => Poll::Ready(Ok(())),
        }
    }

    /// Everything read before goes out before anything is read again: that is the back-pressure.
    fn deliver<B: Side>(&mut self, sink: &mut B, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while self.taken < self.rest.len() {
            let written = ready!(sink.poll_give(cx, &self.rest[self.taken..]));
            let written = written.map_err(|error| Broken::write(&error))?;
            if written == 0 {
                return Poll::Ready(Err(Broken::Write));
            }
            self.taken += written;
            self.bytes += written as u64;
            self.unflushed = B::TLS;
        }
        if self.taken > 0 {
            self.rest = Vec::new();
            self.taken = 0;
        }
        if self.pipe.as_ref().is_some_and(|pipe| pipe.filled() > 0) {
            ready!(self.drain(sink, cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn copy<A: Side, B: Side>(
        &mut self,
        source: &mut A,
        sink: &mut B,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        scratch::buffer(|buffer| {
            let room = if A::TLS || B::TLS {
                buffer
            } else {
                &mut buffer[..BULK]
            };
            let taken = match source.poll_take(cx, room) {
                Poll::Pending if self.unflushed => {
                    ready!(sink.poll_flush(cx)).map_err(|error| Broken::write(&error))?;
                    self.unflushed = false;
                    return Poll::Pending;
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) if A::MAY_LEAVE_SILENTLY && is_silent_end(&error) => 0,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Read(error))),
                Poll::Ready(Ok(taken)) => taken,
            };
            let bytes = &room[..taken];
            if bytes.is_empty() {
                self.end();
                return Poll::Ready(Ok(()));
            }
            if bytes.len() == BULK && !A::TLS && !B::TLS && self.way == RelayWay::Auto {
                self.pipe = Pipe::take();
            }
            self.pass(bytes, sink, cx)
        })
    }

    /// Writes straight from the scratch buffer; only what the sink does not take is kept.
    fn pass<B: Side>(
        &mut self,
        bytes: &[u8],
        sink: &mut B,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        let written = match sink.poll_give(cx, bytes) {
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::write(&error))),
            Poll::Pending => 0,
        };
        self.bytes += written as u64;
        self.unflushed = B::TLS;
        self.rest.extend_from_slice(&bytes[written..]);
        Poll::Ready(Ok(()))
    }

    /// The source's stream is at its end.
    fn end(&mut self) {
        self.stage = if self.doomed {
            Stage::Breaking
        } else {
            Stage::Ending
        };
    }

    fn wants_splice(&mut self) -> bool {
        if self.pipe.is_none() && self.way == RelayWay::Splice {
            self.pipe = Pipe::take();
        }
        self.pipe.is_some()
    }

    /// The pipe is empty here: fills it, or gives it back when the bulk is over.
    fn splice<A: Side, B: Side>(
        &mut self,
        source: &mut A,
        sink: &mut B,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        let Some(mut pipe) = self.pipe.take() else {
            return Poll::Ready(Ok(()));
        };
        let moved = loop {
            let source = source.tcp();
            match source.poll_read_ready(cx) {
                Poll::Pending => {
                    pipe.give_back();
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Read(error))),
                Poll::Ready(Ok(())) => {}
            }
            match source.try_io(Interest::READABLE, || pipe.fill(source)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => break other,
            }
        };
        match moved {
            Err(error) => Poll::Ready(Err(Broken::Read(error))),
            Ok(0) => {
                // The end, or a byte marked urgent, before which splice stops and which only a read gets past.
                pipe.give_back();
                self.copy(source, sink, cx)
            }
            Ok(_) => {
                self.pipe = Some(pipe);
                self.drain(sink, cx)
            }
        }
    }

    fn drain<B: Side>(&mut self, sink: &B, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let sink = sink.tcp();
        while let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.filled() > 0) {
            ready!(sink.poll_write_ready(cx)).map_err(|error| Broken::write(&error))?;
            match sink.try_io(Interest::WRITABLE, || pipe.drain(sink)) {
                Ok(moved) => self.bytes += moved as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Poll::Ready(Err(Broken::Refused { surely: false }));
                }
                Err(error) => return Poll::Ready(Err(Broken::write(&error))),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Wakes the task when the worker has looked at its sockets. A task that wakes itself is polled before that, up to 61 times.
fn come_back(cx: &mut Context<'_>) {
    let _ = pin!(yield_now()).poll(cx);
}

/// TLS's closing alert did not come before the end of the stream.
fn is_silent_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
