//! What is logged, how, and where to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Address;
use crate::base::word::words;

/// Table `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPlan {
    /// Default info.
    pub level: LogLevel,
    /// Default json.
    pub format: LogFormat,
    /// What howdah says of itself. `None`: standard error; the journal, where that is what standard error leads to.
    pub target: Option<LogTarget>,
    /// The line of each session. `None`: standard output, or the journal in the same way.
    pub access: Option<LogTarget>,
    /// A line when a session has its server, too.
    pub access_start: bool,
    /// And one so often while it lasts.
    pub access_every: Option<Duration>,
}

words! {
    /// Key `log.level`.
    pub enum LogLevel {
        /// howdah cannot do its duty.
        Error = "error",
        /// It does, but someone should look.
        Warn = "warn",
        /// Lifecycle, transitions.
        Info = "info",
        /// Each stage of each session.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

words! {
    /// Key `log.format`.
    pub enum LogFormat {
        /// One JSON object a line.
        Json = "json",
        /// For people.
        Text = "text",
    }
}

/// Keys `log.target` and `log.access`: where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Nowhere.
    Off,
    /// Appended to a file, which is opened again on SIGUSR1 and on a reload (for log rotation).
    File(PathBuf),
    /// Messages of RFC 5424.
    Syslog(Syslog, Facility),
    /// Entries of systemd's journal, sent to its socket.
    Journald(PathBuf),
}

/// Where a syslog daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syslog {
    /// A unix socket for datagrams.
    Unix(PathBuf),
    /// UDP (RFC 5426); a name is looked up by who writes.
    Udp(Address),
}

impl LogTarget {
    /// Where syslog daemons listen on this machine.
    pub const SYSLOG: &str = "/dev/log";
    /// Where systemd's journal listens.
    pub const JOURNAL: &str = "/run/systemd/journal/socket";

    /// Whether each line is a message of its own, in a format that is not ours.
    pub fn is_messages(&self) -> bool {
        matches!(self, Self::Syslog(..) | Self::Journald(_))
    }

    /// The file that is written.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }
}

/// As it stands in the file.
impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::Off => f.write_str("off"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Syslog(Syslog::Unix(path), _) => write!(f, "syslog://{}", path.display()),
            Self::Syslog(Syslog::Udp(address), _) => write!(f, "syslog://{address}"),
            Self::Journald(path) => write!(f, "journald://{}", path.display()),
        }
    }
}

words! {
    /// Key `log.facility`: for a syslog daemon to sort by (RFC 5424 §6.2.1).
    pub enum Facility {
        /// 1.
        User = "user",
        /// 3.
        Daemon = "daemon",
        /// 4.
        Auth = "auth",
        /// 10.
        AuthPriv = "authpriv",
        /// 16.
        Local0 = "local0",
        /// 17.
        Local1 = "local1",
        /// 18.
        Local2 = "local2",
        /// 19.
        Local3 = "local3",
        /// 20.
        Local4 = "local4",
        /// 21.
        Local5 = "local5",
        /// 22.
        Local6 = "local6",
        /// 23.
        Local7 = "local7",
    }
}

impl Facility {
    /// Its number in a message's PRI.
    pub const fn code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Daemon => 3,
            Self::Auth => 4,
            Self::AuthPriv => 10,
            Self::Local0 => 16,
            Self::Local1 => 17,
            Self::Local2 => 18,
            Self::Local3 => 19,
            Self::Local4 => 20,
            Self::Local5 => 21,
            Self::Local6 => 22,
            Self::Local7 => 23,
        }
    }
}
