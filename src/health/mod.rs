//! Is a server fit for new sessions? Questions, answers, and what is concluded from them.
//!
//! [`probe::ask`] puts one question to one server and brings back one [`Finding`]. Every answer is one of three
//! [`Verdict`]s, since most services can be well alive and yet must not get new sessions. A finding concludes nothing by
//! itself: [`machine`] counts streaks, a checker for each server asks at the [`pace`] of its plan and tells the pool of
//! conclusions only, and [`Checkers`] starts and stops checkers as reloads come and go.

pub mod cap;
mod checker;
mod checkers;
pub mod command;
pub mod conclusion;
mod load;
pub mod machine;
pub mod pace;
mod passive;
pub mod probe;
mod quarantine;
mod role;
mod tasks;
mod tickets;
mod told;
mod trust;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

pub use self::checkers::Checkers;
pub use self::load::LoadReaders;
pub use self::role::wanted as in_role;
use crate::base::word::words;
use crate::plan::{Host, ProxyVersion, Role};
use crate::pool::Server;

words! {
    /// What an answer means for new sessions.
    pub enum Verdict {
        /// Route to it.
        Up = "up",
        /// It answers, but must not get new sessions: passive, shutting down, authentication in the way.
        Alive = "alive",
        /// It does not answer as it should.
        Down = "down",
    }
}

words! {
    /// Why; the word in the log, the API and the metrics.
    pub enum Reason {
        /// All went well.
        Ok = "ok",
        /// The name has no address.
        ResolveFailed = "resolve-failed",
        /// Nobody listens.
        ConnectRefused = "connect-refused",
        /// No answer to the connect.
        ConnectTimeout = "connect-timeout",
        /// A real session could not connect; no probe was put.
        DialFailed = "dial-failed",
        /// Any other failure to connect: no route, no descriptor left.
        ConnectFailed = "connect-failed",
        /// Connected, but silent in the step that the finding names: often a full thread pool or a stopped process.
        Timeout = "timeout",
        /// The answer does not end, or comes in too many pieces (17 MiB, of an exchange 64 KiB; 8192 reads).
        Endless = "endless",
        /// The peer reset the connection.
        Reset = "reset",
        /// The peer closed the connection without an answer.
        Closed = "closed",
        /// The handshake failed for a cause that has no word of its own.
        TlsFailed = "tls-failed",
        /// The certificate is for other names.
        CertificateName = "certificate-name",
        /// The certificate is past its end or before its begin.
        CertificateExpired = "certificate-expired",
        /// The certificate does not come from whom it must.
        CertificateUntrusted = "certificate-untrusted",
        /// The server asks for a client certificate that it does not get.
        ClientCertificate = "client-certificate",
        /// Something else than TLS where TLS is expected.
        NotTls = "not-tls",
        /// TLS where plain bytes are expected.
        SpeaksTls = "speaks-tls",
        /// An HTTP server where Thrift is expected.
        SpeaksHttp = "speaks-http",
        /// SASL where bare Thrift is expected.
        SpeaksSasl = "speaks-sasl",
        /// Something else than SASL where it is expected.
        NotSasl = "not-sasl",
        /// Something else than Thrift where it is expected.
        NotThrift = "not-thrift",
        /// Something else than HTTP where it is expected.
        NotHttp = "not-http",
        /// Login refused.
        BadCredentials = "bad-credentials",
        /// The server lives, and wants another login than the probe has: with Kerberos a `keytab`.
        UnsupportedMechanism = "unsupported-mechanism",
        /// The server lives, but wants an account, and none is configured.
        AccountNeeded = "account-needed",
        /// The server refuses the ticket, or is not who it should be.
        KerberosRefused = "kerberos-refused",
        /// No KDC answers: nothing more than a handshake is asked.
        KdcUnreachable = "kdc-unreachable",
        /// The KDC refuses for a cause that has no word of its own.
        KdcRefused = "kdc-refused",
        /// The KDC does not know the principal that asks.
        PrincipalUnknown = "principal-unknown",
        /// The principal that asks, or its key, has expired or is locked.
        PrincipalExpired = "principal-expired",
        /// The keytab has another key than the KDC.
        KeyWrong = "key-wrong",
        /// The keytab has no key of a type that the KDC takes.
        KeyMissing = "key-missing",
        /// The KDC does not know the server's principal.
        ServiceUnknown = "service-unknown",
        /// Our clock and the KDC's differ too much.
        ClockSkew = "clock-skew",
        /// Another status than expected.
        HttpStatus = "http-status",
        /// The body lacks what is expected.
        HttpBody = "http-body",
        /// Something else than JSON where it is expected, or JSON that breaks off.
        NotJson = "not-json",
        /// The answer matches nothing that is expected.
        UnexpectedAnswer = "unexpected-answer",
        /// The answer says that the server lives, and takes no new sessions.
        NotServing = "not-serving",
        /// Sent elsewhere; not followed.
        HttpRedirect = "http-redirect",
        /// The passive one of a pair, or taken out of service.
        Passive = "passive",
        /// The active one, where the pool wants those that stand by.
        Active = "active",
        /// Finishing what it has.
        ShuttingDown = "shutting-down",
        /// An Impala daemon that takes no clients.
        NotCoordinator = "not-coordinator",
        /// The server refuses to open a session.
        SessionRefused = "session-refused",
        /// The query did not come to its result.
        QueryFailed = "query-failed",
        /// A standby that no longer copies: its replication has stopped.
        ReplicaBroken = "replica-broken",
        /// A standby that is further behind than `max_lag`, or of which nobody knows how far.
        ReplicaLag = "replica-lag",
        /// Sessions that connected were not answered, where the probe does not look: the server is out for a time.
        SessionsFail = "sessions-fail",
        /// It answers, and yet it is out for a time: it fell again and again, or its sessions failed.
        Quarantined = "quarantined",
        /// No answer in time, but howdah was late itself: nothing is known of the server, and nothing is concluded.
        OwnDelay = "own-delay",
        /// The question could not be put, for a cause on our side (settings, no descriptor or port left): nothing is known of
        /// the server, and nothing should be concluded.
        Unusable = "unusable",
    }
}

impl Reason {
    /// Whether a verdict for this reason says something of the server, and not of ourselves.
    pub fn is_of_server(self) -> bool {
        !matches!(self, Self::Unusable | Self::OwnDelay)
    }

    /// Whether the question was put without the ticket that it needs, so that the answer goes only half the way.
    pub fn lacks_ticket(self) -> bool {
        matches!(
            self,
            Self::KdcUnreachable
                | Self::KdcRefused
                | Self::PrincipalUnknown
                | Self::PrincipalExpired
                | Self::KeyWrong
                | Self::KeyMissing
                | Self::ServiceUnknown
                | Self::ClockSkew
        )
    }
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it means.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The step that decided: the last of `steps`.
    pub step: &'static str,
    /// For people; at most [`DETAIL_MAX`] bytes, control characters escaped.
    pub detail: String,
    /// What the server says that it is; `None` where its answer tells nothing of it.
    pub role: Option<Role>,
    /// Each step with its own time, in order.
    pub steps: Vec<(&'static str, Duration)>,
    /// From the start to the verdict; the polite close is not in it.
    pub took: Duration,
    /// The question left an error in the server's log, and would again: ask it seldom. See [`Effort::next`].
    pub logs_error: bool,
}

/// Longest [`Finding::detail`].
pub const DETAIL_MAX: usize = 256;

/// Where a server is reached: the same for its sessions and its probes.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// Where the server takes sessions, tried in order; [`crate::plan::ProbePlan::port`] replaces the port.
    pub addresses: &'a [SocketAddr],
    /// The server's host as configured: for SNI, certificate and Host header.
    pub host: &'a str,
    /// [`crate::plan::PoolPlan::send_proxy`]: such servers want the header of every connection, so a probe sends the one
    /// that says "on my own behalf"; not to another port.
    pub send_proxy: Option<ProxyVersion>,
}

/// The host of a server as configured, for [`Endpoint`].
fn host(server: &Server) -> Cow<'_, str> {
    match &server.address().host {
        Host::Name(name) => name.into(),
        Host::Ip(ip) => ip.to_string().into(),
    }
}

/// How much of the question to put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effort {
    /// Connect and close: in between, where everything more logs an error at the server.
    Connect,
    /// The cheap form; HiveServer2: the handshake.
    Cheap,
    /// Everything that is configured.
    Full,
}

impl Effort {
    /// What to ask next, given the last finding at [`Effort::Full`] and whether the deep interval is over.
    ///
    /// A cheap `up` says nothing about what only the full question sees, so a server that was not up in full is asked
    /// in full until it is. `None`: do not ask now, since the only question that could change the verdict logs
    /// an error at the server (a wrong password asked every second fills logs and locks accounts).
    pub fn next(last_full: Option<&Finding>, deep_due: bool) -> Option<Self> {
        match last_full {
            None => Some(Self::Full),
            Some(_) if deep_due => Some(Self::Full),
            Some(last) => match (last.verdict, last.logs_error) {
                (Verdict::Up, false) => Some(Self::Cheap),
                (Verdict::Up, true) => Some(Self::Connect),
                (_, false) => Some(Self::Full),
                (_, true) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::word::Label;

    fn finding(verdict: Verdict, logs_error: bool) -> Finding {
        Finding {
            verdict,
            reason: Reason::Ok,
            step: "connect",
            detail: String::new(),
            role: None,
            steps: Vec::new(),
            took: Duration::ZERO,
            logs_error,
        }
    }

    #[test]
    fn effort_follows_the_last_full_answer() {
        let next = |verdict, logs_error| Effort::next(Some(&finding(verdict, logs_error)), false);
        assert_eq!(Effort::next(None, false), Some(Effort::Full));
        assert_eq!(next(Verdict::Up, false), Some(Effort::Cheap));
        assert_eq!(next(Verdict::Up, true), Some(Effort::Connect));
        assert_eq!(next(Verdict::Alive, false), Some(Effort::Full));
        assert_eq!(next(Verdict::Down, false), Some(Effort::Full));
        assert_eq!(next(Verdict::Down, true), None);
        let due = Effort::next(Some(&finding(Verdict::Down, true)), true);
        assert_eq!(due, Some(Effort::Full));
    }

    #[test]
    fn the_document_explains_every_reason() {
        let document = include_str!("../../docs/operating/health.md");
        for reason in Reason::ALL {
            let row = format!("| `{reason}` |");
            assert!(
                document.contains(&row),
                "docs/operating/health.md lacks {row}"
            );
        }
    }

    #[test]
    fn troubleshooting_says_what_to_do_about_every_reason() {
        let book = include_str!("../../docs/troubleshooting.md");
        for reason in Reason::ALL {
            let quoted = format!("`{reason}`");
            let answered = |line: &&str| line.starts_with("| `") && line.contains(&quoted);
            assert!(
                book.lines().find(answered).is_some(),
                "docs/troubleshooting.md lacks {quoted}"
            );
        }
    }
}
