//! Bounds in count and time.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::base::word::words;

/// The largest weight a server can have. Key `weight`, 1 to this; HAProxy's bound too.
pub const WEIGHT_MAX: u16 = 256;

/// Table `[global]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalPlan {
    /// Worker threads. Default one per core; a change needs a restart.
    pub workers: Option<NonZeroUsize>,
    /// Sessions at once over all listeners. Default [`Self::MAX_CONNECTIONS`].
    pub max_connections: u32,
    /// New sessions per second over all listeners. Default unbounded.
    pub max_per_second: Option<u32>,
    /// How long a stop, or a removed server, waits for its sessions. Default 30 min.
    pub drain_timeout: Duration,
    /// How long a stop waits between saying that it is not ready and closing its listeners. Default zero.
    pub shutdown_delay: Duration,
    /// How bytes move. Default auto.
    pub relay: RelayWay,
    /// Where workers run. Default auto; a change needs a restart.
    pub cpu_affinity: CpuAffinity,
    /// Who howdah becomes when it is started as root. A change needs a restart.
    pub user: Option<RunAs>,
    /// Which locks it puts on itself. Default auto; a change needs a restart.
    pub confine: Confine,
}

impl GlobalPlan {
    /// Default of `max_connections`.
    pub const MAX_CONNECTIONS: u32 = 20_000;
}

/// Key `global.user`: a user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// As written.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
    /// Every group that it belongs to.
    pub groups: Vec<u32>,
}

words! {
    /// Key `global.confine`: which of the kernel's locks howdah puts on itself.
    #[derive(Default)]
    pub enum Confine {
        /// Both, as far as the kernel has them.
        #[default]
        Auto = "auto",
        /// Files alone.
        Landlock = "landlock",
        /// System calls alone.
        Seccomp = "seccomp",
        /// None.
        Off = "off",
    }
}

impl Confine {
    /// Whether files are locked.
    pub fn files(self) -> bool {
        matches!(self, Self::Auto | Self::Landlock)
    }

    /// Whether system calls are.
    pub fn calls(self) -> bool {
        matches!(self, Self::Auto | Self::Seccomp)
    }
}

words! {
    /// Key `global.cpu_affinity`: whether each worker has a processor of its own.
    #[derive(Default)]
    pub enum CpuAffinity {
        /// Yes, where there are as many workers as processors this process may run on.
        #[default]
        Auto = "auto",
        /// The kernel moves workers as it sees fit.
        None = "none",
    }
}

words! {
    /// Key `global.relay`: how bytes move between two sockets.
    #[derive(Default)]
    pub enum RelayWay {
        /// Small messages through the worker's buffer, bulk between plain sockets by splice.
        #[default]
        Auto = "auto",
        /// All through the worker's buffer.
        Copy = "copy",
        /// All between plain sockets by splice, also what is small.
        Splice = "splice",
    }
}

/// Table `[pool.*.timeouts]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// One connect to one server. All attempts of a session share a deadline of three times that. Default 3 s.
    pub connect: Duration,
    /// No byte either way. Default by service.
    pub idle: Duration,
    /// One side has ended, the other has not: counted from that end, and from each byte after it. Default 10 min.
    pub half_close: Duration,
    /// No datagram either way, over UDP. Default 30 s.
    pub udp_idle: Duration,
    /// Answers to each datagram of a client, over UDP: when all have come, the session is over. `None` is unknown.
    pub udp_responses: Option<u32>,
    /// A server whose kernel answers nothing for so long is gone: see [`crate::base::keepalive`]. Default 2 min.
    pub keepalive: Duration,
    /// How long a client may stay silent before its first byte, where howdah waits for that byte
    /// before it dials ([`super::Dial::Late`]). Default 60 s.
    pub first_byte: Duration,
}
