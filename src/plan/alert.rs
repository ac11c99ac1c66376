//! Who is told of what happens, and how.

use std::fmt;
use std::time::Duration;

use super::{Address, AlertName, ConnectTls, Kind, PoolName, Secret, Severity};
use crate::base::word::words;

/// One `[[alert]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPlan {
    /// Unique in a plan.
    pub name: AlertName,
    /// Where to.
    pub to: Webhook,
    /// What a message looks like.
    pub form: AlertForm,
    /// What it is about.
    pub about: AlertScope,
    /// When.
    pub pace: AlertPace,
    /// Whether it is told when a trouble is over.
    pub resolve: bool,
}

/// An address that takes messages by POST.
#[derive(Clone, PartialEq)]
pub struct Webhook {
    /// `Some`: by TLS.
    pub tls: Option<ConnectTls>,
    /// Whom to connect to.
    pub address: Address,
    /// The host as the URL has it.
    pub authority: String,
    /// Path and query; for most chat services this is what lets in.
    pub path: Secret,
    /// Shown as a bearer's.
    pub token: Option<Secret>,
    /// For one attempt.
    pub timeout: Duration,
}

/// Without what lets in.
impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}/***")
    }
}

/// What a message looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertForm {
    /// As a known receiver wants it.
    Known(AlertTemplate),
    /// From a file of the operator, with `{placeholders}`.
    Own {
        /// The file's text.
        text: String,
        /// Sent with it; where it says JSON, values are escaped as JSON has it.
        content_type: String,
    },
}

impl AlertForm {
    /// What stands in braces in a template of one's own.
    pub const PLACEHOLDERS: [&str; 9] = [
        "alert", "howdah", "at", "status", "severity", "title", "text", "open", "more",
    ];
}

words! {
    /// Key `alert.template`.
    pub enum AlertTemplate {
        /// Everything, for programs.
        Json = "json",
        /// Slack's incoming webhooks.
        Slack = "slack",
        /// Mattermost's and Rocket.Chat's.
        Mattermost = "mattermost",
        /// A card for Microsoft Teams.
        Teams = "teams",
    }
}

/// What a receiver is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertScope {
    /// What matters less is not told.
    pub severity: Severity,
    /// Only these; empty: all.
    pub kinds: Vec<Kind>,
    /// Only what happens in these; empty: whatever happens.
    pub pools: Vec<PoolName>,
}

/// When messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertPace {
    /// After the first event of a pool and kind, for others to join it.
    pub group_wait: Duration,
    /// Between two messages on one pool and kind.
    pub group_interval: Duration,
    /// After which a trouble that lasts is told again.
    pub repeat: Option<Duration>,
    /// At most so many messages.
    pub max_per_minute: usize,
}
