//! What sessions see of a server, in words of its own: why a dial failed, and whose fault that was.
//!
//! Sessions tell the [`Server`](super::Server), which counts it and wakes its checker.

use std::io;

use crate::base::connect::is_own_limit;
use crate::telemetry::label::words;

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
    }
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

    /// Whether it says something of the server.
    pub fn blames_server(self) -> bool {
        self != Self::OwnLimit
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;
    use crate::telemetry::Label;

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
            assert!(!failure.blames_server());
        }
        for (errno, expected) in [
            (Errno::CONNREFUSED, DialFailure::ConnectRefused),
            (Errno::CONNRESET, DialFailure::ConnectRefused),
            (Errno::TIMEDOUT, DialFailure::ConnectTimeout),
            (Errno::HOSTUNREACH, DialFailure::ConnectFailed),
        ] {
            let failure = DialFailure::of_connect(&errno.into());
            assert_eq!(failure, expected, "{errno}");
            assert!(failure.blames_server());
        }
    }

    #[test]
    fn the_document_explains_every_dial_failure() {
        let document = include_str!("../../docs/metrics.md");
        for failure in DialFailure::ALL {
            let row = format!("| `{failure}` |");
            assert!(document.contains(&row), "docs/metrics.md lacks {row}");
        }
    }
}
