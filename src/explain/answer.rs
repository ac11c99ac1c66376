//! What is answered: the decision, and the steps that lead to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::query::Query;
use crate::plan::Protocol;

/// Where a client would go, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The listener that was asked about.
    pub listener: String,
    /// The client's address.
    pub client: String,
    /// The proxy that it comes through; null: none.
    pub via: Option<String>,
    /// The name that it asks for by TLS; null: none.
    pub sni: Option<String>,
    /// tcp or udp.
    pub protocol: String,
    /// What becomes of it.
    pub decision: Decision,
    /// The pool that takes it.
    pub pool: Option<String>,
    /// The server that it gets; the likeliest, where chance decides.
    pub server: Option<String>,
    /// Why it is refused or waits, in the word that the session log has; null where it gets a server.
    pub reason: Option<String>,
    /// Why that server, in the word that the session log has.
    pub pick: Option<String>,
    /// Where chance decides: every server that it may get. Empty otherwise.
    pub alternatives: Vec<Alternative>,
    /// The servers that are tried next, in order, where the one before cannot be reached. Empty where chance decides.
    pub next: Vec<String>,
    /// Where chance decides on those too: everybody who may be tried next, backups last. Empty otherwise.
    #[serde(default)]
    pub next_drawn: Vec<String>,
    /// The rules in the order in which a session lives through them.
    pub steps: Vec<Step>,
}

/// One of several servers that chance may choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alternative {
    /// Its name.
    pub server: String,
    /// How often it would be: of 1.
    pub share: f64,
}

/// What becomes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It gets a server.
    Server,
    /// It waits until a server has room.
    Queue,
    /// It gets none.
    Refused,
    /// The file alone does not say: a source names the servers at run time.
    Unknown,
}

/// One rule, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Which.
    pub rule: Rule,
    /// What follows from it.
    pub outcome: Outcome,
    /// In words.
    pub text: String,
}

/// The rules of a session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Is the listener there?
    Listener,
    /// `allow` and `deny`.
    Acl,
    /// Bounds of the listener.
    ListenerLimit,
    /// Bounds of the process.
    ProcessLimit,
    /// `accept_proxy`.
    AcceptProxy,
    /// Bounds of each client.
    SourceLimit,
    /// Who ends TLS, and with which certificate.
    Tls,
    /// Which pool.
    Route,
    /// The client speaks first.
    FirstByte,
    /// How the pool stands.
    Pool,
    /// The client's entry in the sticky table.
    Sticky,
    /// One server: may it be chosen?
    Server,
    /// The balancer's choice.
    Balance,
    /// Waiting while all are full.
    Queue,
    /// What comes where the chosen server cannot be reached.
    Failure,
}

/// What follows from a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// On to the next rule.
    Pass,
    /// The client, or the server that is looked at, goes no further.
    Stop,
    /// This decides where the client goes.
    Choose,
}

impl Explanation {
    pub(super) fn begin(listener: &str, query: &Query, protocol: Protocol) -> Self {
        Self {
            listener: listener.into(),
            client: query.client.to_string(),
            via: query.via.map(|via| via.to_string()),
            sni: query.sni.clone(),
            protocol: protocol.as_str().into(),
            decision: Decision::Unknown,
            pool: None,
            server: None,
            reason: None,
            pick: None,
            alternatives: Vec::new(),
            next: Vec::new(),
            next_drawn: Vec::new(),
            steps: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, rule: Rule, outcome: Outcome, text: impl Into<String>) {
        self.steps.push(Step {
            rule,
            outcome,
            text: text.into(),
        });
    }

    pub(super) fn pass(&mut self, rule: Rule, text: impl Into<String>) {
        self.tell(rule, Outcome::Pass, text);
    }

    /// Tells why the client goes no further; returns the word for it.
    pub(super) fn stop(&mut self, rule: Rule, word: &str, text: impl Into<String>) -> String {
        self.tell(rule, Outcome::Stop, text);
        word.into()
    }
}

impl Rule {
    /// As the JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Acl => "acl",
            Self::ListenerLimit => "listener-limit",
            Self::ProcessLimit => "process-limit",
            Self::AcceptProxy => "accept-proxy",
            Self::SourceLimit => "source-limit",
            Self::Tls => "tls",
            Self::Route => "route",
            Self::FirstByte => "first-byte",
            Self::Pool => "pool",
            Self::Sticky => "sticky",
            Self::Server => "server",
            Self::Balance => "balance",
            Self::Queue => "queue",
            Self::Failure => "failure",
        }
    }
}

impl Outcome {
    /// As the JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Stop => "stop",
            Self::Choose => "choose",
        }
    }
}

impl Decision {
    /// As the JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Queue => "queue",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}
