//! One direction: from a source to a sink, with what could not be delivered at once.

use std::cell::Cell;
use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;

use super::pipe::Pipe;
use crate::plan::RelayWay;
use crate::session::lend;
use crate::session::side::Side;

/// What one poll may move in one direction before other sessions of the worker get their turn.
const TURN: u64 = 256 * 1024;
/// A read between two plain sockets that brings so much is a bulk, which goes on by splice.
const BULK: usize = 64 * 1024;

thread_local! {
    static WAY: Cell<RelayWay> = const { Cell::new(RelayWay::Auto) };
}

/// Sets the way of this worker's flows.
pub fn set_way(way: RelayWay) {
    WAY.set(way);
}

/// Which end of a flow failed.
#[derive(Debug)]
pub(super) enum Broken {
    /// The source broke.
    Read(io::Error),
    /// The sink takes no more.
    Write,
}

/// The state of one direction.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Delivered to the sink (for TLS: taken by it), PROXY header and TLS overhead not counted.
    pub(super) bytes: u64,
    stage: Stage,
    /// Read, not yet taken by the sink. Empty, and without memory, unless the sink is slow.
    rest: Vec<u8>,
    /// How much of `rest` the sink has.
    taken: usize,
    /// Held while a bulk passes.
    pipe: Option<Pipe>,
    /// A TLS sink may hold bytes of its own.
    unflushed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The source has ended; what is left goes out, then the end itself.
    Ending,
    /// As `Ending`, without telling the sink: the source broke.
    Breaking,
    /// All is said.
    Over,
}

impl Flow {
    /// A flow that has `head` to deliver before it reads.
    pub(super) fn with(head: Vec<u8>) -> Self {
        Self {
            rest: head,
            ..Self::default()
        }
    }

    /// The source has said its last.
    pub(super) fn has_ended(&self) -> bool {
        self.stage != Stage::Open
    }

    /// The sink has been told so.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Drops what is under way and reads no more.
    pub(super) fn give_up(&mut self) {
        self.stage = Stage::Over;
        self.rest = Vec::new();
        self.pipe = None;
    }

    /// Delivers what had been read before the source broke.
    pub(super) fn finish_without_end(&mut self) {
        if self.stage == Stage::Open {
            self.stage = Stage::Breaking;
        }
    }

    /// Moves what can be moved now. `last`: the opposite flow is over, so that closing the sink, which comes next,
    /// tells the end of this one too, for a system call less. On return without error the flow is over, or its task will be woken.
    pub(super) fn pump<A: Side, B: Side>(
        &mut self,
        source: &mut A,
        sink: &mut B,
        last: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), Broken> {
        let until = self.bytes + TURN;
        while self.stage != Stage::Over {
            match self.step(source, sink, last, cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(broken)) => return Err(broken),
                Poll::Ready(Ok(())) if self.bytes >= until => {
                    cx.waker().wake_by_ref();
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
            Stage::Ending | Stage::Breaking => {
                if self.stage == Stage::Ending && (B::TLS || !last) {
                    // A sink that is gone already has heard of the end.
                    let _ = ready!(sink.poll_end(cx));
                } else {
                    let _ = ready!(sink.poll_flush(cx));
                }
                self.stage = Stage::Over;
                Poll::Ready(Ok(()))
            }
            Stage::Over => Poll::Ready(Ok(())),
        }
    }

    /// Everything read before goes out before anything is read again: that is the back-pressure.
    fn deliver<B: Side>(&mut self, sink: &mut B, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while self.taken < self.rest.len() {
            let written = ready!(sink.poll_give(cx, &self.rest[self.taken..]));
            let written = written.map_err(|_| Broken::Write)?;
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
        lend::buffer(|buffer| {
            let room = if A::TLS || B::TLS {
                buffer
            } else {
                &mut buffer[..BULK]
            };
            let taken = match source.poll_take(cx, room) {
                Poll::Pending if self.unflushed => {
                    ready!(sink.poll_flush(cx)).map_err(|_| Broken::Write)?;
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
                self.stage = Stage::Ending;
                return Poll::Ready(Ok(()));
            }
            if bytes.len() == BULK && !A::TLS && !B::TLS && WAY.get() == RelayWay::Auto {
                self.pipe = Pipe::lend();
            }
            self.pass(bytes, sink, cx)
        })
    }

    /// Writes straight from the lent buffer; only what the sink does not take is kept.
    fn pass<B: Side>(
        &mut self,
        bytes: &[u8],
        sink: &mut B,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        let written = match sink.poll_give(cx, bytes) {
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Write)),
            Poll::Pending => 0,
        };
        self.bytes += written as u64;
        self.unflushed = B::TLS;
        self.rest.extend_from_slice(&bytes[written..]);
        Poll::Ready(Ok(()))
    }

    fn wants_splice(&mut self) -> bool {
        if self.pipe.is_none() && WAY.get() == RelayWay::Splice {
            self.pipe = Pipe::lend();
        }
        self.pipe.is_some()
    }

    /// The pipe is empty here: fills it, or gives it back when the bulk is over.
    fn splice<A: Side, B: Side>(
        &mut self,
        source: &A,
        sink: &B,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        let Some(mut pipe) = self.pipe.take() else {
            return Poll::Ready(Ok(()));
        };
        let source = source.tcp();
        let moved = loop {
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
                pipe.give_back();
                self.stage = Stage::Ending;
                Poll::Ready(Ok(()))
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
            ready!(sink.poll_write_ready(cx)).map_err(|_| Broken::Write)?;
            match sink.try_io(Interest::WRITABLE, || pipe.drain(sink)) {
                Ok(moved) => self.bytes += moved as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(Err(Broken::Write)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// TLS's closing alert did not come before the end of the stream.
fn is_silent_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
