//! What sessions see of a server, in words of its own: dials that fail, sessions that die, and how many in a row.
//!
//! Sessions tell the [`Server`](super::Server), which counts and wakes its checker; what follows from it is the checker's
//! to decide. A server that works costs its sessions a few loads of numbers that stay 0.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::connect::is_own_limit;
use crate::base::word::words;

words! {
    /// Why a session's dial to one server failed.
    pub enum DialFailure {
        /// The server's name has no address yet.
        NoAddress = "no-address",
        /// Nobody listens there.
        ConnectRefused = "connect-refused",
        /// No answer to the connect in time.
        ConnectTimeout = "connect-timeout",
        /// Connecting failed in another way: no route to the host, say.
        ConnectFailed = "connect-failed",
        /// Connected, but the PROXY header could not be sent.
        HeaderFailed = "header-failed",
        /// Connected, but the TLS handshake failed, or the certificate was not good.
        TlsFailed = "server-tls-failed",
        /// Connected, but the TLS handshake did not end in time.
        TlsTimeout = "server-tls-timeout",
        /// howdah had no descriptor, port or memory left: tells nothing of the server.
        OwnLimit = "own-limit",
        /// The session's own time was over before the server had its share: tells nothing of the server.
        CutShort = "cut-short",
    }
}

words! {
    /// How a session that was connected showed that its server does not serve.
    pub enum SessionFault {
        /// The server ended or broke it before its own first byte.
        Unanswered = "unanswered",
        /// The server broke it later.
        Reset = "reset",
    }
}

/// How far into a session something was seen. Who comes this far has come through all before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The connect.
    Connect,
    /// Whatever precedes the client's bytes: PROXY header, TLS.
    Opening,
    /// The server's first byte.
    Answer,
}

impl DialFailure {
    /// What a failed connect means.
    pub fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => {
                Self::ConnectRefused
            }
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            _ if is_own_limit(error) => Self::OwnLimit,
            _ => Self::ConnectFailed,
        }
    }

    /// Where the server failed; `None`: it was not the server.
    pub fn reach(self) -> Option<Reach> {
        match self {
            Self::NoAddress | Self::ConnectRefused | Self::ConnectTimeout | Self::ConnectFailed => {
                Some(Reach::Connect)
            }
            Self::HeaderFailed | Self::TlsFailed | Self::TlsTimeout => Some(Reach::Opening),
            Self::OwnLimit | Self::CutShort => None,
        }
    }
}

/// Failures in a row, by how far the sessions came.
#[derive(Debug, Default)]
pub struct Observed([AtomicU32; 3]);

impl Observed {
    /// Failures at this point without a success in between.
    pub fn in_a_row(&self, at: Reach) -> u32 {
        self.0[at as usize].load(Ordering::Acquire)
    }

    /// A session failed at this point, so it came through those before. Returns how many in a row did.
    pub(super) fn failed(&self, at: Reach) -> u32 {
        self.clear(at as usize);
        self.0[at as usize].fetch_add(1, Ordering::AcqRel) + 1
    }

    /// A session, or a probe, came through this point.
    pub fn succeeded(&self, at: Reach) {
        self.clear(at as usize + 1);
    }

    /// Written only where there is something to take back.
    fn clear(&self, below: usize) {
        for count in &self.0[..below] {
            if count.load(Ordering::Relaxed) != 0 {
                count.store(0, Ordering::Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;
    use crate::base::word::Label;

    #[test]
    fn a_howdah_without_descriptors_or_ports_blames_no_server() {
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::ADDRNOTAVAIL,
            Errno::NOBUFS,
        ] {
            let failure = DialFailure::of_connect(&errno.into());
            assert_eq!(failure, DialFailure::OwnLimit, "{errno}");
            assert_eq!(failure.reach(), None);
        }
        for (errno, expected) in [
            (Errno::CONNREFUSED, DialFailure::ConnectRefused),
            (Errno::CONNRESET, DialFailure::ConnectRefused),
            (Errno::TIMEDOUT, DialFailure::ConnectTimeout),
            (Errno::HOSTUNREACH, DialFailure::ConnectFailed),
        ] {
            let failure = DialFailure::of_connect(&errno.into());
            assert_eq!(failure, expected, "{errno}");
            assert_eq!(failure.reach(), Some(Reach::Connect));
        }
    }

    #[test]
    fn who_comes_far_has_come_through_all_before() {
        use Reach::{Answer, Connect, Opening};
        let observed = Observed::default();
        let counts = || [Connect, Opening, Answer].map(|at| observed.in_a_row(at));
        assert_eq!((observed.failed(Connect), observed.failed(Connect)), (1, 2));
        assert_eq!(observed.failed(Answer), 1);
        assert_eq!(counts(), [0, 0, 1], "to die unanswered, it connected");
        observed.failed(Opening);
        assert_eq!(counts(), [0, 1, 1], "and says nothing of answers");
        observed.succeeded(Opening);
        assert_eq!(counts(), [0, 0, 1]);
        observed.failed(Connect);
        observed.succeeded(Answer);
        assert_eq!(counts(), [0, 0, 0]);
    }

    #[test]
    fn the_document_explains_every_dial_failure_and_session_fault() {
        let document = include_str!("../../docs/metrics.md");
        let failures = DialFailure::ALL.iter().map(|failure| failure.as_str());
        let faults = SessionFault::ALL.iter().map(|fault| fault.as_str());
        for word in failures.chain(faults) {
            let row = format!("| `{word}` |");
            assert!(document.contains(&row), "docs/metrics.md lacks {row}");
        }
    }
}
