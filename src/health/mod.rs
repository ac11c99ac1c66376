//! Is a server fit for new sessions? Questions, answers, and what is concluded from them.
//!
//! [`probe::ask`] puts one question to one server and brings back one [`Finding`]. Every answer is one of three
//! [`Verdict`]s, since most services can be well alive and yet must not get new sessions. A finding concludes nothing by
//! itself: [`machine`] counts streaks, a checker for each server asks at the [`pace`] of its plan and tells the pool of
//! conclusions only, and [`Checkers`] starts and stops checkers as reloads come and go.

mod checker;
mod checkers;
pub mod machine;
pub mod pace;
pub mod probe;
mod witness;

use std::net::SocketAddr;
use std::time::Duration;

pub use self::checkers::Checkers;
use crate::plan::ProxyVersion;

/// What an answer means for new sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Route to it.
    Up,
    /// It answers, but must not get new sessions: passive, shutting down, authentication in the way.
    Alive,
    /// It does not answer as it should.
    Down,
}

/// Why; the word in the log, the API and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// All went well.
    Ok,
    /// The name has no address.
    ResolveFailed,
    /// Nobody listens.
    ConnectRefused,
    /// No answer to the connect.
    ConnectTimeout,
    /// A real session could not connect; no probe was put.
    DialFailed,
    /// Any other failure to connect: no route, no descriptor left.
    ConnectFailed,
    /// Connected, but silent in the step that the finding names: often a full thread pool or a stopped process.
    Timeout,
    /// The peer reset the connection.
    Reset,
    /// The peer closed the connection without an answer.
    Closed,
    /// The handshake failed for a cause that has no word of its own.
    TlsFailed,
    /// The certificate is for other names.
    CertificateName,
    /// The certificate is past its end or before its begin.
    CertificateExpired,
    /// The certificate does not come from whom it must.
    CertificateUntrusted,
    /// The server asks for a client certificate that it does not get.
    ClientCertificate,
    /// Something else than TLS where TLS is expected.
    NotTls,
    /// TLS where plain bytes are expected.
    SpeaksTls,
    /// An HTTP server where Thrift is expected.
    SpeaksHttp,
    /// SASL where bare Thrift is expected.
    SpeaksSasl,
    /// Something else than SASL where it is expected.
    NotSasl,
    /// Something else than Thrift where it is expected.
    NotThrift,
    /// Something else than HTTP where it is expected.
    NotHttp,
    /// Login refused.
    BadCredentials,
    /// The server lives, but takes no PLAIN: Kerberos only.
    UnsupportedMechanism,
    /// The server lives, but wants an account, and none is configured.
    AccountNeeded,
    /// Another status than expected.
    HttpStatus,
    /// The body lacks what is expected.
    HttpBody,
    /// Sent elsewhere; not followed.
    HttpRedirect,
    /// The passive one of a pair, or taken out of service.
    Passive,
    /// Finishing what it has.
    ShuttingDown,
    /// An Impala daemon that takes no clients.
    NotCoordinator,
    /// The server refuses to open a session.
    SessionRefused,
    /// The query did not come to its result.
    QueryFailed,
    /// The question could not be put, for a cause on our side (settings, no descriptor or port left): nothing is known of
    /// the server, and nothing should be concluded.
    Unusable,
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
    /// Each step with its own time, in order.
    pub steps: Vec<(&'static str, Duration)>,
    /// From the start to the verdict; the polite close is not in it.
    pub took: Duration,
    /// The question left an error in the server's log, and would again: ask it seldom. See [`Effort::next`].
    pub loud: bool,
}

/// Longest [`Finding::detail`].
pub const DETAIL_MAX: usize = 256;

/// Whom to ask.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Where the server takes sessions, tried in order; [`crate::plan::ProbePlan::port`] replaces the port.
    pub addresses: &'a [SocketAddr],
    /// The server's host as configured: for SNI, certificate and Host header.
    pub host: &'a str,
    /// [`crate::plan::PoolPlan::send_proxy`]: such servers want the header of every connection, so a probe sends the one
    /// that says "on my own behalf"; not to another port.
    pub send_proxy: Option<ProxyVersion>,
}

/// How much of the question to put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effort {
    /// Connect and close: in between, where everything more is loud.
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
    /// in full until it is. `None`: do not ask now, since the only question that could change the verdict is loud
    /// (a wrong password asked every second fills logs and locks accounts).
    pub fn next(last_full: Option<&Finding>, deep_due: bool) -> Option<Self> {
        match last_full {
            None => Some(Self::Full),
            Some(_) if deep_due => Some(Self::Full),
            Some(last) => match (last.verdict, last.loud) {
                (Verdict::Up, false) => Some(Self::Cheap),
                (Verdict::Up, true) => Some(Self::Connect),
                (_, false) => Some(Self::Full),
                (_, true) => None,
            },
        }
    }
}

impl Verdict {
    /// The word in log, API and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Alive => "alive",
            Self::Down => "down",
        }
    }
}

impl Reason {
    /// The word in log, API and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ResolveFailed => "resolve-failed",
            Self::ConnectRefused => "connect-refused",
            Self::ConnectTimeout => "connect-timeout",
            Self::DialFailed => "dial-failed",
            Self::ConnectFailed => "connect-failed",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::TlsFailed => "tls-failed",
            Self::CertificateName => "certificate-name",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateUntrusted => "certificate-untrusted",
            Self::ClientCertificate => "client-certificate",
            Self::NotTls => "not-tls",
            Self::SpeaksTls => "speaks-tls",
            Self::SpeaksHttp => "speaks-http",
            Self::SpeaksSasl => "speaks-sasl",
            Self::NotSasl => "not-sasl",
            Self::NotThrift => "not-thrift",
            Self::NotHttp => "not-http",
            Self::BadCredentials => "bad-credentials",
            Self::UnsupportedMechanism => "unsupported-mechanism",
            Self::AccountNeeded => "account-needed",
            Self::HttpStatus => "http-status",
            Self::HttpBody => "http-body",
            Self::HttpRedirect => "http-redirect",
            Self::Passive => "passive",
            Self::ShuttingDown => "shutting-down",
            Self::NotCoordinator => "not-coordinator",
            Self::SessionRefused => "session-refused",
            Self::QueryFailed => "query-failed",
            Self::Unusable => "unusable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(verdict: Verdict, loud: bool) -> Finding {
        Finding {
            verdict,
            reason: Reason::Ok,
            step: "connect",
            detail: String::new(),
            steps: Vec::new(),
            took: Duration::ZERO,
            loud,
        }
    }

    #[test]
    fn effort_follows_the_last_full_answer() {
        let next = |verdict, loud| Effort::next(Some(&finding(verdict, loud)), false);
        assert_eq!(Effort::next(None, false), Some(Effort::Full));
        assert_eq!(next(Verdict::Up, false), Some(Effort::Cheap));
        assert_eq!(next(Verdict::Up, true), Some(Effort::Connect));
        assert_eq!(next(Verdict::Alive, false), Some(Effort::Full));
        assert_eq!(next(Verdict::Down, false), Some(Effort::Full));
        assert_eq!(next(Verdict::Down, true), None);
        let due = Effort::next(Some(&finding(Verdict::Down, true)), true);
        assert_eq!(due, Some(Effort::Full));
    }
}
