//! One thing that the doctor finds: how bad, where, what, why it matters, and how to mend it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::word::{Label, words};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// A stable word; docs/operating/doctor.md explains each.
    pub code: String,
    /// The pool, listener or part of the system that it is about.
    #[serde(rename = "where")]
    pub place: String,
    /// The fact.
    pub what: String,
    /// What it leads to.
    pub why: String,
    /// How to mend it.
    pub fix: String,
}

/// How bad a finding is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Clients are not served, or will soon not be.
    Error,
    /// It goes wrong in practice.
    Warning,
    /// To know.
    Note,
}

/// What the doctor says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// The worst first.
    pub findings: Vec<Finding>,
}

words! {
    /// What there is to find.
    pub enum Code {
        /// Bare connects where the service can be asked.
        TcpProbe = "tcp-probe",
        /// Nothing is asked at all.
        NoProbe = "no-probe",
        /// Several servers of a pool are judged by one answer.
        SharedProbe = "shared-probe",
        /// HiveServer2 is asked no session.
        ShallowProbe = "shallow-probe",
        /// A session is asked for without a login.
        AnonymousProbe = "anonymous-probe",
        /// Sessions end while their server would keep them.
        IdleTooShort = "idle-too-short",
        /// Clients give up before howdah does.
        ConnectTooLong = "connect-too-long",
        /// A stop ends what still works.
        DrainTooShort = "drain-too-short",
        /// All users of a gateway go to one server.
        OneSource = "one-source",
        /// Nobody takes over.
        SingleServer = "single-server",
        /// One address under two names.
        SharedAddress = "shared-address",
        /// A name has no address.
        NoAddress = "no-address",
        /// A routed name is on no certificate.
        NameNotOnCertificate = "name-not-on-certificate",
        /// A certificate is about to end, or has.
        CertificateEnds = "certificate-ends",
        /// Clients ask the KDC for howdah's name.
        BalancerPrincipal = "balancer-principal",
        /// The token crosses the network as it is.
        TokenInClear = "token-in-clear",
        /// Whoever reaches the admin address may look.
        AnybodyLooks = "anybody-looks",
        /// Fewer descriptors than sessions need.
        OpenFiles = "open-files",
        /// Fewer ports than one server's sessions need.
        LocalPorts = "local-ports",
        /// The kernel lets few new connections wait.
        Backlog = "backlog",
        /// The kernel tracks fewer connections than there may be.
        Conntrack = "conntrack",
        /// What `howdah check` warns of.
        Check = "check",
        /// No server of a pool takes sessions.
        PoolDown = "pool-down",
        /// A server takes none.
        ServerDown = "server-down",
        /// So few are up that those that are down take sessions too.
        Panic = "panic",
        /// Several servers say that they are the active one.
        Conflict = "conflict",
        /// Every server that is up is full.
        PoolFull = "pool-full",
        /// The list of servers is old.
        DiscoveryStale = "discovery-stale",
        /// Many sessions had to try a second server.
        ManyRetries = "many-retries",
        /// Many sessions got no server.
        Unserved = "unserved",
        /// What howdahs share hangs on one server.
        SingleZooKeeper = "single-zookeeper",
        /// Orders do not reach the other howdahs.
        ClusterAlone = "cluster-alone",
        /// Howdahs see a server differently.
        ClusterDiffers = "cluster-differs",
        /// The file was changed and was not taken.
        ReloadRefused = "reload-refused",
        /// A setting waits for a restart.
        RestartNeeded = "restart-needed",
    }
}

impl Finding {
    pub(super) fn new(
        (level, code): (Level, Code),
        place: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            level,
            code: code.as_str().into(),
            place: place.into(),
            what: what.into(),
            why: why.into(),
            fix: fix.into(),
        }
    }
}

impl Findings {
    /// The worst first; otherwise in the order in which they were found.
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.level);
        Self { findings }
    }

    /// Whether somebody should do something.
    pub fn is_serious(&self) -> bool {
        self.findings.iter().any(|one| one.level < Level::Note)
    }
}

impl Level {
    /// As the JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl Code {
    /// Every word.
    pub fn all() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|code| code.as_str())
    }
}
