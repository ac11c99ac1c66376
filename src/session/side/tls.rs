//! A side whose TLS ends here: plaintext towards the session, records on its socket.
//!
//! rustls keeps the state of the connection; this file reads records from the socket for it, writes its records to the
//! socket, and keeps a session cheap while doing so:
//!
//! * A side reads records into the worker's scratch buffer, as many as fit, and writes all pending records in one call.
//! * A side sends control records together with what comes next, so that they do not wake the peer by a packet of their
//!   own: a session ticket goes with the server's first answer, a client's Finished with its first bytes, `close_notify`
//!   with the FIN.
//! * A silent side holds what rustls holds, and no buffer.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::ops::DerefMut;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, ProtocolVersion, ServerConfig,
    ServerConnection, SideData,
};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::{Side, end, poll_some};
use crate::session::scratch;
use crate::tls::is_unknown_name;

/// The longest record with its header (RFC 8446, section 5.2): the most that rustls keeps of a record whose end is
/// still to come.
const RECORD: usize = 5 + (1 << 14) + 256;
/// The most that one read takes during a handshake. rustls keeps the data that a peer sends right behind its handshake,
/// and has room for no more than this.
const HANDSHAKE: usize = 1 << 14;
/// The fatal alert for a name that no certificate has: one record, in the clear, since it answers a ClientHello (RFC 8446,
/// sections 5.1 and 6).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
/// The most that rustls keeps for a slow socket; the side takes no plaintext above it.
const WAITING: usize = scratch::BUFFER;

/// A socket and the TLS that ends here. In a box, as the state of rustls is large.
pub(in crate::session) struct TlsSide<C>(Box<Inner<C>>);

struct Inner<C> {
    tcp: Arc<TcpStream>,
    tls: C,
    /// The socket was full at the last write, so records wait in rustls.
    stuck: bool,
    /// Control records wait for the next bytes or the end. Never in TLS 1.2.
    defers: bool,
    /// `close_notify` has been handed to rustls.
    ended: bool,
}

impl TlsSide<ServerConnection> {
    /// Answers a client's handshake, to its end.
    ///
    /// # Errors
    /// The socket's; and `InvalidData` where the client speaks no TLS, or none that is acceptable: it has been sent an alert.
    pub(in crate::session) async fn accept(
        tcp: impl Into<Arc<TcpStream>>,
        config: Arc<ServerConfig>,
    ) -> io::Result<Self> {
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        Self::handshake(tcp.into(), tls).await
    }

    /// The name the client asked for, in lower case.
    pub(in crate::session) fn sni(&self) -> Option<&str> {
        self.0.tls.server_name()
    }
}

impl TlsSide<ClientConnection> {
    /// Begins TLS with a server that must prove to be `name`.
    ///
    /// # Errors
    /// As of [`accept`](TlsSide::accept).
    pub(in crate::session) async fn connect(
        tcp: impl Into<Arc<TcpStream>>,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Self::handshake(tcp.into(), tls).await
    }
}

impl<C, D> TlsSide<C>
where
    C: DerefMut<Target = ConnectionCommon<D>>,
    D: SideData,
{
    async fn handshake(tcp: Arc<TcpStream>, tls: C) -> io::Result<Self> {
        let mut inner = Box::new(Inner {
            tcp,
            tls,
            stuck: false,
            defers: false,
            ended: false,
        });
        inner.tls.set_buffer_limit(Some(WAITING));
        poll_fn(|cx| inner.poll_handshake(cx)).await?;
        Ok(Self(inner))
    }

    /// The version that both ends agreed on.
    pub(in crate::session) fn version(&self) -> Option<ProtocolVersion> {
        self.0.tls.protocol_version()
    }
}

impl<C, D> Inner<C>
where
    C: DerefMut<Target = ConnectionCommon<D>>,
    D: SideData,
{
    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.is_handshaking() {
            if self.tls.wants_write() {
                ready!(self.poll_send(cx, SendFlags::NOSIGNAL))?;
            } else {
                ready!(self.poll_receive(cx, HANDSHAKE, &mut []))?;
            }
        }
        if self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            // What is left to send, a server's tickets or a client's Finished, may go with what comes next.
            return Poll::Ready(Ok(()));
        }
        self.poll_send(cx, SendFlags::NOSIGNAL)
    }

    /// Reads records once, at most `most` bytes, decrypts them into `room` and returns how many bytes of plaintext that
    /// gave, which may be none.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        scratch::records(|records| {
            let most = most.min(records.len());
            let received = ready!(self.tcp.poll_take(cx, &mut records[..most]))?;
            Poll::Ready(self.open(&records[..received], room, cx))
        })
    }

    /// Decrypts `records` into `room`. Empty `records` tell rustls that the stream has ended.
    fn open(
        &mut self,
        mut records: &[u8],
        room: &mut [u8],
        cx: &mut Context<'_>,
    ) -> io::Result<usize> {
        if records.is_empty() && self.tls.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut filled = 0;
        loop {
            let taken = self.tls.read_tls(&mut records)?;
            if let Err(error) = self.tls.process_new_packets() {
                // Sends the alert that says why. Where the socket does not take it at once, the peer goes without.
                let _ = match is_unknown_name(&error) {
                    true => self.tcp.poll_give(cx, &UNRECOGNIZED_NAME).map_ok(drop),
                    false => self.poll_send(cx, SendFlags::NOSIGNAL),
                };
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            if filled < room.len() {
                match self.tls.reader().read(&mut room[filled..]) {
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // The next read meets the error again.
                    Err(_) if filled > 0 => {}
                    Err(error) => return Err(error),
                }
            }
            if records.is_empty() || taken == 0 {
                return Ok(filled);
            }
        }
    }

    /// Writes all records that rustls holds to the socket.
    fn poll_send(&mut self, cx: &mut Context<'_>, flags: SendFlags) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut socket = Socket {
                tcp: &self.tcp,
                cx,
                flags,
            };
            match self.tls.write_tls(&mut socket) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stuck = true;
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.stuck = false;
        Poll::Ready(Ok(()))
    }
}

/// Which end of TLS howdah is on a side, and therefore whether the peer is a client, which may end without `close_notify`.
trait Role {
    const MAY_LEAVE_SILENTLY: bool;
}

impl Role for ServerConnection {
    const MAY_LEAVE_SILENTLY: bool = true;
}

impl Role for ClientConnection {
    const MAY_LEAVE_SILENTLY: bool = false;
}

impl<C, D> Side for TlsSide<C>
where
    C: DerefMut<Target = ConnectionCommon<D>> + Role + Unpin + Send + 'static,
    D: SideData,
{
    const TLS: bool = true;
    const MAY_LEAVE_SILENTLY: bool = C::MAY_LEAVE_SILENTLY;

    fn tcp(&self) -> &Arc<TcpStream> {
        &self.0.tcp
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self.0;
        match this.tls.reader().read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return Poll::Ready(read),
        }
        // The plaintext of one read must fit into `room`, together with that of a record which began in an earlier read.
        let most = room.len().saturating_sub(RECORD).max(1);
        loop {
            match this.poll_receive(cx, most, room) {
                Poll::Ready(Ok(0)) if this.tls.wants_read() => {}
                Poll::Ready(Ok(0)) => return Poll::Ready(this.tls.reader().read(room)),
                Poll::Pending if !this.defers => {
                    let _ = this.poll_send(cx, SendFlags::NOSIGNAL)?;
                    return Poll::Pending;
                }
                read => return read,
            }
        }
    }

    fn poll_give(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self.0;
        if this.stuck {
            ready!(this.poll_send(cx, SendFlags::NOSIGNAL))?;
        }
        let given = this.tls.writer().write(bytes)?;
        // rustls keeps what the socket does not take now, within `WAITING`.
        let _ = this.poll_send(cx, SendFlags::NOSIGNAL)?;
        Poll::Ready(Ok(given))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_send(cx, SendFlags::NOSIGNAL)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self.0;
        if !this.ended {
            this.ended = true;
            this.tls.send_close_notify();
        }
        ready!(this.poll_send(cx, SendFlags::NOSIGNAL | SendFlags::MORE))?;
        Poll::Ready(end(&this.tcp))
    }

    fn defer_control_records(&mut self) {
        // In TLS 1.2 the only control records are warnings, and the peer may be waiting for those.
        self.0.defers = self.version() == Some(ProtocolVersion::TLSv1_3);
    }
}

/// The socket as rustls writes records to it: each write is one system call, made through tokio so that its readiness
/// stays right.
struct Socket<'a, 'b> {
    tcp: &'a TcpStream,
    cx: &'a mut Context<'b>,
    flags: SendFlags,
}

impl Socket<'_, '_> {
    fn call(&mut self, all: usize, call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        match poll_some(all, Interest::WRITABLE, self.tcp, self.cx, call) {
            Poll::Ready(moved) => moved,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl io::Write for Socket<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (tcp, flags) = (self.tcp, self.flags);
        self.call(bytes.len(), || Ok(send(tcp, bytes, flags)?))
    }

    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        if let [record] = records {
            return self.write(record);
        }
        let (tcp, flags) = (self.tcp, self.flags);
        let all = records.iter().map(|record| record.len()).sum();
        self.call(all, || {
            Ok(sendmsg(
                tcp,
                records,
                &mut SendAncillaryBuffer::default(),
                flags,
            )?)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
