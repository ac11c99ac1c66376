//! What is known of one service, and the handle by which the rest of the house names it.
//!
//! A profile says what the file need not: each of its values can be said otherwise there. It is a constant, so a
//! [`Service`] is a pointer and two plans compare at no cost.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use crate::plan::{Balance, Dial, Page, RolePlan, Step};

/// What is known of a service.
#[derive(Debug)]
pub struct Profile {
    /// The word in the file, in the log and for `howdah probe`.
    pub word: &'static str,
    /// What people write for it who know it by another name.
    pub aliases: &'static [&'static str],
    /// As people say it.
    pub title: &'static str,
    /// One sentence: what it is.
    pub summary: &'static str,
    /// Where it usually listens; `None`: the file says so.
    pub port: Option<u16>,
    /// Where it usually speaks TLS, if that is another port.
    pub tls_port: Option<u16>,
    /// How a server is picked.
    pub balance: Balance,
    /// A client stays on its server for so long after its last session.
    pub sticky: Option<Duration>,
    /// Which of its servers take sessions, and what a lost role costs.
    pub role: RolePlan,
    /// When to connect to the server.
    pub dial: Dial,
    /// No byte either way for so long ends a session.
    pub idle: Duration,
    /// The same over UDP, where a session is what one port of a client sends.
    pub udp_idle: Duration,
    /// Sessions at once for one server; `None` no bound.
    pub max_connections: Option<u32>,
    /// It takes a PROXY header for garbage and closes.
    pub refuses_proxy: bool,
    /// TLS begins inside its protocol, after bytes of client and server: nobody may begin it with the first.
    pub tls_inside: bool,
    /// What its servers are asked.
    pub probe: Question,
    /// The steps by which a plain connection turns to TLS; empty: it cannot.
    pub starttls: &'static [Step],
    /// How often they are.
    pub interval: Duration,
    /// What its clients do, as far as it matters to whoever balances them.
    pub clients: &'static str,
    /// Why the values above are what they are.
    pub facts: &'static [Fact],
    /// What goes wrong in practice, and what helps.
    pub hints: &'static [&'static str],
}

/// A reason for a value of a profile.
#[derive(Debug)]
pub struct Fact {
    /// The key that it is about.
    pub of: &'static str,
    /// One or more sentences.
    pub why: &'static str,
    /// Where it stands: a project and its file, or a document and its section.
    pub source: &'static str,
}

/// What a probe asks, with the service's own parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Nothing: all count as up.
    None,
    /// Connect, close.
    Tcp,
    /// Handshake.
    Tls,
    /// One request; its status and body are judged.
    Http {
        /// Begins with a slash.
        path: &'static str,
    },
    /// One request; what status and body mean is the page's matter.
    Page(&'static Page),
    /// Bytes to send, and what the answers mean.
    Exchange {
        /// In order.
        steps: &'static [Step],
    },
    /// The same over UDP: a datagram for each step, and a datagram back.
    Datagrams {
        /// In order.
        steps: &'static [Step],
    },
    /// A program of the operator's, which the file names.
    Command,
    /// HiveServer2's Thrift, as deep as the file says.
    HiveServer2 {
        /// The usual port with transport `http`.
        http_port: u16,
    },
    /// Impala's web server, or a ping by Thrift.
    Impala {
        /// Where the web server listens.
        web_port: u16,
        /// Where Thrift listens.
        thrift_ports: &'static [u16],
    },
    /// As `Http`, but what Hue's middleware says is alive.
    Hue {
        /// Begins with a slash.
        path: &'static str,
    },
    /// PostgreSQL's startup, and by a login its role.
    PostgreSql,
    /// MySQL's handshake, and by a login its role.
    MySql,
}

/// Key `service`: what stands behind a pool.
#[derive(Clone, Copy)]
pub struct Service(&'static Profile);

impl Service {
    /// The handle of a profile.
    pub(super) const fn of(profile: &'static Profile) -> Self {
        Self(profile)
    }

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        self.0.word
    }
}

impl Profile {
    /// Where its servers listen, with TLS or without.
    pub fn usual_port(&self, tls: bool) -> Option<u16> {
        self.tls_port.filter(|_| tls).or(self.port)
    }
}

impl Deref for Service {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        self.0
    }
}

/// By the word, which no two share: a constant may have several places in memory.
impl PartialEq for Service {
    fn eq(&self, other: &Self) -> bool {
        self.0.word == other.0.word
    }
}

impl Eq for Service {}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.word)
    }
}

impl Profile {
    /// Between two questions to a server, where a service does not want to be asked seldom.
    pub const INTERVAL: Duration = Duration::from_secs(5);

    /// What holds where a service says nothing else: it is client-first, and its clients may be on any server.
    pub(super) const BASE: Self = Self {
        word: "",
        aliases: &[],
        title: "",
        summary: "",
        port: None,
        tls_port: None,
        balance: Balance::LeastConnection,
        sticky: None,
        role: RolePlan::EQUALS,
        dial: Dial::Late,
        idle: HOUR,
        // A question and its answer are long over; who asks again soon from the same port is still on the same server.
        udp_idle: Duration::from_secs(30),
        max_connections: None,
        refuses_proxy: false,
        tls_inside: false,
        probe: Question::Tcp,
        starttls: &[],
        interval: Self::INTERVAL,
        clients: "",
        facts: &[],
        hints: &[],
    };
}

impl Question {
    /// The path that is asked for, where the question is a request.
    pub fn path(self) -> Option<&'static str> {
        match self {
            Self::Http { path } | Self::Hue { path } => Some(path),
            Self::Page(page) => Some(page.path),
            Self::None
            | Self::Tcp
            | Self::Tls
            | Self::Exchange { .. }
            | Self::Datagrams { .. }
            | Self::Command
            | Self::HiveServer2 { .. }
            | Self::Impala { .. }
            | Self::PostgreSql
            | Self::MySql => None,
        }
    }
}

/// Sixty minutes.
pub(super) const HOUR: Duration = Duration::from_secs(3600);
