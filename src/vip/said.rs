//! What people hear of a virtual address: the log, the journal, the metrics and the status say the same.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::machine::{Heard, State, Why};
use super::status::{Board, sentence};
use crate::plan::{VipName, VipPlan};
use crate::telemetry::journal::{Event, Kind};
use crate::telemetry::{Metrics, VipMetrics};
use crate::wire::vrrp::Fault;

/// Speaks for one node.
pub(super) struct Speaker {
    name: VipName,
    addresses: String,
    board: Board,
    metrics: Metrics,
    counters: VipMetrics,
    /// When a fault was last told of, and how many of it were counted since.
    faults: HashMap<Fault, (Instant, u64)>,
}

impl Speaker {
    pub(super) fn new(plan: &VipPlan, board: Board, metrics: Metrics) -> Self {
        board.enter(plan);
        let addresses: Vec<_> = plan.hosts().iter().map(ToString::to_string).collect();
        let counters = metrics.vip(&plan.name);
        counters.became(State::Init.as_str());
        Self {
            name: plan.name.clone(),
            addresses: addresses.join(", "),
            board,
            metrics,
            counters,
            faults: HashMap::new(),
        }
    }

    /// `more` is what only the node knows.
    pub(super) fn became(&self, was: State, is: State, why: Why, more: Option<&str>) {
        let reason = more.unwrap_or_else(|| sentence(why));
        let Self {
            name, addresses, ..
        } = self;
        let text = format!("virtual address {name} ({addresses}): {was} -> {is}, {reason}");
        let event = match (is, why) {
            (State::Fault, _) => Event::error(Kind::Vip, &text),
            (_, Why::Silence | Why::NotReady | Why::Slept) => Event::warning(Kind::Vip, &text),
            _ => Event::info(Kind::Vip, &text),
        };
        match event.severity {
            crate::plan::Severity::Error => tracing::error!(vip = %name, "{text}"),
            crate::plan::Severity::Warning => tracing::warn!(vip = %name, "{text}"),
            crate::plan::Severity::Info => tracing::info!(vip = %name, "{text}"),
        }
        let event = event.from(was).to(is).reason(why);
        self.metrics.journal().tell(event);
        self.counters.became(is.as_str());
        let reason = reason.to_owned();
        self.board.change(name, |status| status.became(is, reason));
    }

    /// It could not begin, or go on, for another reason than before.
    pub(super) fn hindered(&self, why: &str) {
        tracing::warn!(vip = %self.name, "{why}");
        self.board
            .change(&self.name, |status| why.clone_into(&mut status.why));
    }

    /// Something that somebody should look at.
    pub(super) fn warn(&self, text: &str) {
        let text = format!("virtual address {}: {text}", self.name);
        tracing::warn!(vip = %self.name, "{text}");
        self.metrics.journal().tell(Event::warning(Kind::Vip, text));
    }

    pub(super) fn priority(&self, priority: u8) {
        self.board
            .change(&self.name, |status| status.priority = priority);
    }

    pub(super) fn sent(&self) {
        self.counters.sent();
    }

    pub(super) fn heard(&self, heard: Heard) {
        self.counters.received();
        self.board.change(&self.name, |status| {
            status.peer = Some(heard.source.to_string());
            status.peer_priority = Some(heard.priority);
        });
    }

    /// Counts it, and tells of it now and then. Another virtual router on the same network is nobody's fault.
    pub(super) fn fault(&mut self, fault: Fault, source: Option<IpAddr>) {
        self.counters.fault(fault.as_str());
        if fault == Fault::RouterId {
            return;
        }
        let now = Instant::now();
        if let Some((told, since)) = self.faults.get_mut(&fault)
            && now - *told < TOLD_EVERY
        {
            *since += 1;
            return;
        }
        let before = self.faults.insert(fault, (now, 0));
        let source = source.map_or_else(|| "somebody".to_owned(), |source| source.to_string());
        let more = before.map_or(0, |(_, since)| since);
        let more = match more {
            0 => String::new(),
            more => format!(" (and {more} more like it since the last line)"),
        };
        self.warn(&format!("a packet of {source} {}{more}", blame(fault)));
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.board.leave(&self.name);
    }
}

fn blame(fault: Fault) -> &'static str {
    match fault {
        Fault::Length => "is shorter than it says, and is ignored",
        Fault::Hops => "came through a router (TTL below 255), and is ignored",
        Fault::Version => {
            "is of another version of VRRP than 3, and is ignored: set vrrp_version 3 there"
        }
        Fault::Authentication => {
            "has a password of VRRP version 2, and is ignored: set vrrp_version 3 there"
        }
        Fault::Type => "is no advertisement, and is ignored",
        Fault::Checksum => "has a wrong checksum, and is ignored",
        Fault::RouterId => "is of another virtual router, and is ignored",
        Fault::Peer => "is not of one of unicast_peers, or not for the group, and is ignored",
        Fault::Addresses => {
            "lists other addresses than this configuration; it is obeyed all the same"
        }
        Fault::Owner => {
            "says that the address is its own (priority 255), and wins: no machine may have it for good"
        }
    }
}

/// Between two lines on the same fault: whoever forges packets may send many.
const TOLD_EVERY: Duration = Duration::from_secs(60);
