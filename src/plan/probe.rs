//! What to ask a server, how often, and how many answers make a conclusion.

use std::sync::Arc;
use std::time::Duration;

use super::{ConnectTls, DatabaseAsk, HttpAsk, KerberosPlan, Script, Secret};
use crate::base::word::words;

/// Table `[pool.*.probe]`, or what the service brings.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePlan {
    /// The question.
    pub ask: Ask,
    /// Another port than the one that takes sessions (Impala's web server).
    pub port: Option<u16>,
    /// Speak TLS. Default: as the pool does, unless `port` is another one.
    pub tls: Option<ConnectTls>,
    /// Who asks, where the server wants a ticket.
    pub kerberos: Option<Arc<KerberosPlan>>,
    /// Between two questions while nothing is in doubt; jittered.
    pub interval: Duration,
    /// The same while undecided: a streak is under way, or there was no verdict yet.
    pub fast_interval: Duration,
    /// Between two deep questions, where the ask has a cheap and a deep form.
    pub deep_interval: Duration,
    /// For the whole exchange, name resolution excluded.
    pub timeout: Duration,
    /// Agreeing answers that bring a server back.
    pub rise: u32,
    /// Agreeing answers that take it out.
    pub fall: u32,
    /// What counts beside the answers.
    pub observe: ObservePlan,
}

/// What sessions see, and how long a server stays out that is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservePlan {
    /// What of sessions counts, where the probe does not see as far.
    pub what: Observe,
    /// Percent of the servers that could serve: no more are out for what sessions saw. 0 to 100.
    pub limit: u8,
    /// The first time; doubled from time to time.
    pub quarantine: Duration,
}

words! {
    /// Key `observe`.
    pub enum Observe {
        /// Connects, TLS handshakes, and whether the server answers at all.
        Sessions = "sessions",
        /// Connects and TLS handshakes alone.
        Connects = "connects",
    }
}

impl ObservePlan {
    /// What a file brings that does not speak of it.
    pub const DEFAULT: Self = Self {
        what: Observe::Sessions,
        limit: 50,
        quarantine: Duration::from_secs(10),
    };
}

/// Key `type`, with the settings of each.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Connect, close with FIN.
    Tcp,
    /// Handshake; chain, name and date of the certificate are verified by [`ProbePlan::tls`].
    Tls,
    /// One request; status and body are judged; redirects are not followed.
    Http(HttpAsk),
    /// Steps of bytes to send and of what the answers mean.
    Exchange(Arc<Script>),
    /// A program: its words, the first its path. `{host}`, `{port}`, `{pool}` and `{server}` are filled in.
    Command(Arc<[String]>),
    /// Steps over UDP: a datagram for each step, and a datagram back.
    Datagrams(Arc<Script>),
    /// Thrift, in the service's own words.
    HiveServer2 {
        /// How far to go.
        depth: Depth,
        /// Binary or http.
        transport: HiveTransport,
        /// What opens the door.
        auth: HiveAuth,
    },
    /// Web server with `port`; without, a Thrift ping on the port that takes sessions.
    Impala {
        /// As for HiveServer2, for the Thrift ping.
        auth: HiveAuth,
    },
    /// `is_alive`.
    Hue(HttpAsk),
    /// Its first answer, or by a login its role.
    PostgreSql(DatabaseAsk),
    /// The same; a handshake is always brought to its end.
    MySql(DatabaseAsk),
}

impl Ask {
    /// What a database is asked, if this asks one.
    pub fn database(&self) -> Option<&DatabaseAsk> {
        match self {
            Self::PostgreSql(ask) | Self::MySql(ask) => Some(ask),
            _ => None,
        }
    }

    /// Whether the probe sends something, or ends, before it hears the server.
    pub fn speaks_first(&self) -> bool {
        match self {
            Self::MySql(_) => false,
            Self::Exchange(script) => {
                let first = script.steps().next();
                first.is_none_or(|(step, _)| !step.send.is_empty() || step.rules.is_empty())
            }
            _ => true,
        }
    }
}

words! {
    /// How far a `hiveserver2` probe goes.
    #[derive(PartialOrd, Ord)]
    pub enum Depth {
        /// SASL, or one unknown call without SASL. Needs no account.
        Handshake = "handshake",
        /// OpenSession and CloseSession: sees a passive or leaving server.
        Session = "session",
        /// `SELECT 1` to its result.
        Query = "query",
    }
}

/// Key `transport`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HiveTransport {
    /// Thrift binary protocol on the socket.
    Binary,
    /// Thrift messages as bodies of POST requests.
    Http {
        /// Default `/cliservice`.
        path: String,
    },
}

/// Key `auth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HiveAuth {
    /// SASL PLAIN: NONE, LDAP, PAM, CUSTOM.
    Plain {
        /// `None`: no account; the probe says `anonymous`.
        account: Option<(String, Secret)>,
    },
    /// No SASL at all.
    NoSasl,
    /// A ticket by [`ProbePlan::kerberos`]: SASL GSSAPI, or `Negotiate` in HTTP.
    Kerberos,
}
