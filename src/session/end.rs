//! How a session can end: the stage it had reached, and why. The words of the log and of the counters.

use std::io;

use crate::base::word::words;
use crate::pool::DialFailure;
use crate::telemetry::SessionResult;

words! {
    /// The stage a session had reached.
    pub enum Stage {
        /// May this client enter?
        Admit = "admit",
        /// Who is it, and what does it ask for?
        Greet = "greet",
        /// Which server?
        Choose = "choose",
        /// Connecting to it.
        Dial = "dial",
        /// TLS to the server, PROXY header.
        Announce = "announce",
        /// Bytes flow.
        Relay = "relay",
    }
}

words! {
    /// Why a session ended; the words are stable, for scripts and dashboards.
    pub enum Reason {
        /// The client ended first, in order.
        ClientClosed = "client-closed",
        /// The server ended first, in order.
        ServerClosed = "server-closed",
        /// The client broke the connection.
        ClientReset = "client-reset",
        /// The server broke the connection; the client saw a reset too.
        ServerReset = "server-reset",
        /// No byte either way for `timeouts.idle`.
        IdleTimeout = "idle-timeout",
        /// One side had ended, and nothing came from the other for `timeouts.half_close`.
        HalfCloseTimeout = "half-close-timeout",
        /// The client said nothing for `timeouts.first_byte`.
        ClientSilent = "client-silent",
        /// PROXY header, ClientHello or TLS handshake took longer than `greet_timeout`.
        GreetTimeout = "greet-timeout",
        /// An address that `allow` and `deny` keep out, or one without the PROXY header it owes.
        Denied = "denied",
        /// Another howdah leads, and this one stands by.
        Standby = "standby",
        /// A bound on sessions: the process's, the listener's, or all servers are full.
        Limit = "limit",
        /// More new sessions in a second than the process or the listener may have.
        RateLimit = "rate-limit",
        /// More sessions, or more new ones in a second, than one client address may have.
        SourceLimit = "source-limit",
        /// Every server was full for `timeouts.queue`.
        QueueTimeout = "queue-timeout",
        /// What should have been a PROXY header was none.
        BadProxyHeader = "bad-proxy-header",
        /// What should have been a ClientHello was none.
        BadClientHello = "bad-client-hello",
        /// The listener has no pool for the name the client asked for.
        NoRoute = "no-route",
        /// No server of the pool is up.
        NoServer = "no-server",
        /// Every server tried refused the connection.
        ConnectRefused = "connect-refused",
        /// No server tried took the connection in time.
        ConnectTimeout = "connect-timeout",
        /// Connecting failed in another way: no route to the host.
        ConnectFailed = "connect-failed",
        /// howdah had no descriptor, port or memory left to connect with.
        OwnLimit = "own-limit",
        /// The TLS handshake with the client failed.
        TlsFailed = "tls-failed",
        /// The TLS handshake with the server failed, or its certificate was not good.
        ServerTlsFailed = "server-tls-failed",
        /// The server went down, and `on_down = "reset"`.
        ServerDown = "server-down",
        /// The server gave up the role that the pool asks for: `on_role_lost`.
        RoleLost = "role-lost",
        /// The server was drained and its time was up.
        Drained = "drained",
        /// An operator ended this one session.
        EndedByOrder = "ended-by-order",
        /// howdah stopped and the drain time was up.
        Shutdown = "shutdown",
        /// howdah itself failed; a fault to report.
        Internal = "internal",
    }
}

/// An end, as the stages return it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) stage: Stage,
    pub(crate) reason: Reason,
}

impl Stage {
    pub(crate) fn end(self, reason: Reason) -> End {
        End {
            stage: self,
            reason,
        }
    }
}

impl End {
    /// Whether the session got a server; `None` where its client, or an order, ended it before that could be known.
    ///
    /// Whoever came as far as the relay has got one, however it ended there. Bounds count against howdah: the client did
    /// nothing wrong, and the platform is too small for what comes. The bound of one client is that client's own matter.
    pub(crate) fn result(self) -> Option<SessionResult> {
        if self.stage == Stage::Relay {
            return Some(SessionResult::Served);
        }
        match self.reason {
            Reason::NoServer
            | Reason::Standby
            | Reason::Limit
            | Reason::RateLimit
            | Reason::QueueTimeout
            | Reason::ConnectRefused
            | Reason::ConnectTimeout
            | Reason::ConnectFailed
            | Reason::OwnLimit
            | Reason::ServerTlsFailed
            | Reason::ServerClosed
            | Reason::ServerReset
            | Reason::ServerDown
            | Reason::RoleLost
            | Reason::Internal => Some(SessionResult::Failed),
            Reason::ClientClosed
            | Reason::ClientReset
            | Reason::ClientSilent
            | Reason::GreetTimeout
            | Reason::IdleTimeout
            | Reason::HalfCloseTimeout
            | Reason::Denied
            | Reason::SourceLimit
            | Reason::BadProxyHeader
            | Reason::BadClientHello
            | Reason::NoRoute
            | Reason::TlsFailed
            | Reason::Drained
            | Reason::EndedByOrder
            | Reason::Shutdown => None,
        }
    }
}

impl Reason {
    /// What a failed read on the client's side means.
    pub(crate) fn of_client(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Self::TlsFailed,
            _ => Self::ClientReset,
        }
    }
}

impl From<DialFailure> for End {
    fn from(failure: DialFailure) -> Self {
        let (stage, reason) = match failure {
            DialFailure::ConnectRefused => (Stage::Dial, Reason::ConnectRefused),
            DialFailure::ConnectTimeout => (Stage::Dial, Reason::ConnectTimeout),
            DialFailure::NoAddress | DialFailure::ConnectFailed => {
                (Stage::Dial, Reason::ConnectFailed)
            }
            DialFailure::OwnLimit => (Stage::Dial, Reason::OwnLimit),
            DialFailure::CutShort => (Stage::Dial, Reason::ConnectTimeout),
            DialFailure::HeaderFailed => (Stage::Announce, Reason::ConnectFailed),
            DialFailure::TlsFailed => (Stage::Announce, Reason::ServerTlsFailed),
            DialFailure::TlsTimeout => (Stage::Announce, Reason::ConnectTimeout),
        };
        stage.end(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::word::Label;

    #[test]
    fn whoever_came_to_the_relay_got_a_server_and_clients_spoil_no_figures() {
        for reason in Reason::ALL {
            let relayed = Stage::Relay.end(*reason).result();
            assert_eq!(relayed, Some(SessionResult::Served), "{reason}");
        }
        for (stage, reason, result) in [
            (Stage::Choose, Reason::NoServer, Some(SessionResult::Failed)),
            (
                Stage::Dial,
                Reason::ConnectRefused,
                Some(SessionResult::Failed),
            ),
            (Stage::Admit, Reason::Limit, Some(SessionResult::Failed)),
            (Stage::Admit, Reason::SourceLimit, None),
            (Stage::Admit, Reason::Denied, None),
            (Stage::Dial, Reason::ClientReset, None),
            (Stage::Greet, Reason::Shutdown, None),
        ] {
            assert_eq!(stage.end(reason).result(), result, "{reason}");
        }
    }

    #[test]
    fn the_document_explains_every_word() {
        let document = include_str!("../../docs/operating/access-log.md");
        let rows: Vec<&str> = document
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let reasons = Reason::ALL.iter().map(|reason| reason.as_str());
        let stages = Stage::ALL.iter().map(|stage| stage.as_str());
        for word in reasons.chain(stages) {
            let quoted = format!("`{word}`");
            assert!(
                rows.iter().any(|row| row.contains(&quoted)),
                "docs/operating/access-log.md does not explain {quoted}"
            );
        }
    }

    #[test]
    fn troubleshooting_says_what_to_do_about_every_reason() {
        let book = include_str!("../../docs/troubleshooting.md");
        for reason in Reason::ALL {
            let quoted = format!("`{}`", reason.as_str());
            let answered = |line: &&str| line.starts_with("| `") && line.contains(&quoted);
            assert!(
                book.lines().find(answered).is_some(),
                "docs/troubleshooting.md lacks {quoted}"
            );
        }
    }
}
