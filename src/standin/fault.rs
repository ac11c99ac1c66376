//! The ways in which a stand-in can fail, switched while it runs.
//!
//! A [`Switch`] is shared by the listener that accepts and by every connection it has accepted. The listener does
//! what a fault means for the listening socket; what it means for bytes happens in [`Faulty`], which wraps the plain
//! TCP stream, so that TLS, SASL and Thrift above it meet the fault as they would meet a broken network.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// What is wrong with a stand-in just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it serves.
    #[default]
    None,
    /// It does not listen; sessions that it has go on.
    Refuse,
    /// Killed: it does not listen, and every session is reset.
    Dead,
    /// It accepts, and says and hears nothing, like a process that was stopped.
    Hang,
    /// It answers one byte at a time.
    Dribble,
    /// It resets a connection as soon as the peer has said something.
    Reset,
    /// It ends its own direction of a new connection at once, and goes on reading.
    HalfClose,
    /// It shows a certificate with a flaw to new connections. Without TLS this is no fault.
    BadCertificate(Flaw),
    /// It thinks for that long before each answer.
    Delay(Duration),
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Made out to another name.
    Name,
    /// Its time is over.
    Expired,
    /// Signed by an authority that nobody trusts.
    Stranger,
}

/// One fault for all who share it.
#[derive(Clone, Debug)]
pub struct Switch(Arc<watch::Sender<Fault>>);

impl Switch {
    /// Starts without fault.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Fault::None)))
    }

    /// From now on; connections that are open feel it as well.
    pub fn set(&self, fault: Fault) {
        self.0.send_replace(fault);
    }

    /// What is set.
    pub fn get(&self) -> Fault {
        *self.0.borrow()
    }

    /// To wait for changes.
    pub(super) fn watch(&self) -> watch::Receiver<Fault> {
        self.0.subscribe()
    }
}

impl Default for Switch {
    fn default() -> Self {
        Self::new()
    }
}

/// A TCP stream that suffers the fault of its switch.
///
/// Dropped while the fault is [`Fault::Dead`] or [`Fault::Reset`] it ends with RST, otherwise with FIN.
pub(super) struct Faulty {
    stream: TcpStream,
    switch: Switch,
    /// The peer has spoken since our last answer began: the next answer is a new one.
    asked: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Faulty {
    /// Wraps what was accepted.
    pub(super) fn new(stream: TcpStream, switch: Switch) -> Self {
        Self {
            stream,
            switch,
            asked: false,
            pause: None,
        }
    }

    /// Ready when the pause that was begun is over, or none was.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Pending while the fault is [`Fault::Hang`]; looks again every [`LOOK_AGAIN`].
    fn poll_hang(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.switch.get() == Fault::Hang {
            ready!(self.poll_pause(cx));
            self.pause = Some(Box::pin(sleep(LOOK_AGAIN)));
        }
        Poll::Ready(())
    }

    fn die_by_reset(&self) {
        // It fails only on a socket that is already gone.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_hang(cx));
        if self.asked && self.switch.get() == Fault::Reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.asked |= buf.filled().len() > before;
        if self.asked && self.switch.get() == Fault::Reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_hang(cx));
        ready!(self.poll_pause(cx));
        match self.switch.get() {
            Fault::Dribble => {
                let first = bytes.get(..1).unwrap_or_default();
                let wrote = ready!(Pin::new(&mut self.stream).poll_write(cx, first))?;
                self.pause = Some(Box::pin(sleep(BETWEEN_DRIBBLES)));
                return Poll::Ready(Ok(wrote));
            }
            Fault::Delay(pause) if self.asked => {
                self.asked = false;
                self.pause = Some(Box::pin(sleep(pause)));
                ready!(self.poll_pause(cx));
            }
            _ => {}
        }
        self.asked = false;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_hang(cx));
        if self.switch.get() == Fault::Reset {
            // The reset of the drop is to be the first that the peer hears.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if matches!(self.switch.get(), Fault::Dead | Fault::Reset) {
            self.die_by_reset();
        }
    }
}

/// How soon a hanging connection notices that it may go on.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Long enough that each byte travels in a segment of its own.
const BETWEEN_DRIBBLES: Duration = Duration::from_millis(1);
