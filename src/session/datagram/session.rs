//! One client's session: its socket to the server, and what its account will say.

use std::net::UdpSocket;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use tokio::time::Instant;

use crate::plan::Protocol;
use crate::pool::{DialFailure, Lease, ServerId};
use crate::session::account::account;
use crate::session::config::SessionConfig;
use crate::session::end::{End, Reason, Stage};
use crate::session::limit::Limit;
use crate::session::outcome::{Hold, Outcome};

/// A session; to drop it is to give back its socket and all that it counts under.
pub(super) struct Session<G> {
    /// Connected: the kernel lets through what this server sends, and nothing else.
    pub(super) socket: UdpSocket,
    pub(super) outcome: Outcome,
    pub(super) config: Arc<SessionConfig>,
    pub(super) place: UdpPlace,
    pub(super) guard: G,
    /// When the client's question went out that has no answer yet.
    pub(super) asked: Option<Instant>,
    /// Answers that are due, where `timeouts.udp_responses` says how many a question has.
    pub(super) owed: u32,
    pub(super) counts: Counts,
}

/// One session's share of the listener's bound.
pub(super) struct UdpPlace(pub(super) Arc<Limit>);

impl Drop for UdpPlace {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// What the counters have not been told yet.
#[derive(Default)]
pub(super) struct Counts {
    datagrams: [u64; 2],
    bytes: [u64; 2],
}

impl<G> Session<G> {
    /// To the server, now or never.
    pub(super) fn send(&mut self, bytes: &[u8], now: Instant) -> Result<(), Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let mut sent = send(&self.socket, bytes, flags);
        if sent == Err(Errno::MSGSIZE) {
            // The way has become narrower, as an earlier datagram was told: the kernel cuts this one to fit.
            sent = send(&self.socket, bytes, flags);
        }
        sent?;
        self.asked.get_or_insert(now);
        self.owed = self.owed.saturating_add(self.responses().unwrap_or(0));
        self.outcome.meter.from_client += bytes.len() as u64;
        self.counts.datagrams[0] += 1;
        self.counts.bytes[0] += bytes.len() as u64;
        self.tell_now_and_then();
        Ok(())
    }

    /// The server answered with so many bytes. True when that was the last answer due.
    pub(super) fn answered(&mut self, bytes: usize, now: Instant) -> bool {
        let took = self
            .asked
            .take()
            .map(|asked| now.saturating_duration_since(asked));
        if let (Some(took), Hold::Leased(lease)) = (took, &self.outcome.hold) {
            lease.answered(took, now, self.outcome.meter.first_byte.is_none());
            if self.outcome.meter.first_byte.is_none() {
                lease.server().dial_succeeded();
                self.outcome.meter.first_byte = Some(took);
            }
        }
        self.outcome.meter.from_server += bytes as u64;
        self.counts.datagrams[1] += 1;
        self.counts.bytes[1] += bytes as u64;
        self.tell_now_and_then();
        self.owed = self.owed.saturating_sub(1);
        self.owed == 0 && self.responses().is_some()
    }

    /// Answers to each question, where that is known.
    fn responses(&self) -> Option<u32> {
        self.lease()?.plan().timeouts.udp_responses
    }

    /// The server that it holds.
    pub(super) fn server(&self) -> Option<ServerId> {
        self.lease().map(|lease| lease.server().id())
    }

    fn lease(&self) -> Option<&Lease> {
        self.outcome.hold.lease()
    }

    /// The network says that the server cannot be reached: as a failed connect of one that never answered, as a break of
    /// one that did. Either wakes its checker.
    pub(super) fn unreachable(self, error: Errno) {
        let failure = if error == Errno::CONNREFUSED {
            DialFailure::ConnectRefused
        } else {
            DialFailure::ConnectFailed
        };
        let end = if self.outcome.meter.from_server > 0 {
            Stage::Relay.end(Reason::ServerReset)
        } else {
            if let Some(lease) = self.lease() {
                lease.server().dial_failed(failure);
            }
            failure.into()
        };
        self.end(end);
    }

    /// Its one line, and the counters.
    pub(super) fn end(mut self, end: End) {
        self.tell();
        let Self {
            socket,
            outcome,
            config,
            place,
            guard,
            ..
        } = self;
        drop(socket);
        account(outcome, end, &config, Protocol::Udp);
        drop((place, guard));
    }

    fn tell_now_and_then(&mut self) {
        if self.counts.datagrams[0] + self.counts.datagrams[1] >= TELL_EVERY {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let Counts { datagrams, bytes } = std::mem::take(&mut self.counts);
        self.config.metrics.datagrams(datagrams[0], datagrams[1]);
        self.config.metrics.bytes(bytes[0], bytes[1]);
        if let Some(lease) = self.lease() {
            lease.server().metrics().bytes(bytes[0], bytes[1]);
        }
    }
}

/// Whether `error` is the network's word that a server cannot be reached. That the way has become narrower
/// (`EMSGSIZE`) is none.
pub(super) fn is_unreachable(error: Errno) -> bool {
    matches!(
        error,
        Errno::CONNREFUSED
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::NONET
            | Errno::NOPROTOOPT
            | Errno::ACCESS
    )
}

/// A session that lasts tells the counters, which workers share, after so many datagrams, not after each.
const TELL_EVERY: u64 = 64;
