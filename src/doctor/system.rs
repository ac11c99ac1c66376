//! The machine against the plan: descriptors, ports, what the kernel lets wait and track.

use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit};

use super::budget::{Budget, is_short};
use super::finding::Code::{Backlog, Conntrack, LocalPorts, OpenFiles};
use super::finding::Finding;
use super::finding::Level::{Note, Warning};
use crate::plan::{Host, Plan, PoolPlan};

/// What this machine allows; `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// Descriptors of this process.
    pub open_files: Option<u64>,
    /// Ports that a connect may come from, for each pair of addresses.
    pub local_ports: Option<u64>,
    /// Connections that a listening socket lets wait.
    pub somaxconn: Option<u64>,
    /// Connections that netfilter tracks.
    pub conntrack: Option<u64>,
}

impl System {
    /// As it was when this was called first: before howdah locks itself in, where it runs.
    pub fn here() -> Self {
        static HERE: OnceLock<System> = OnceLock::new();
        *HERE.get_or_init(|| Self {
            open_files: getrlimit(Resource::Nofile).current,
            local_ports: ports(),
            somaxconn: number("net/core/somaxconn"),
            conntrack: number("net/netfilter/nf_conntrack_max"),
        })
    }
}

fn text(key: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/sys/{key}")).ok()
}

fn number(key: &str) -> Option<u64> {
    text(key)?.trim().parse().ok()
}

fn ports() -> Option<u64> {
    let range = text("net/ipv4/ip_local_port_range")?;
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    (last + 1).checked_sub(first)
}

pub(super) fn of(plan: &Plan, system: &System) -> Vec<Finding> {
    let own = [files(plan, system), backlog(system), tracked(plan, system)];
    let pools = plan
        .pools
        .iter()
        .filter_map(|pool| ports_of(plan, pool, system));
    own.into_iter().flatten().chain(pools).collect()
}

fn files(plan: &Plan, system: &System) -> Option<Finding> {
    let (budget, open) = (Budget::of(plan), system.open_files?);
    let room = budget.room(open, plan);
    is_short(room, plan).then(|| {
        Finding::new(
            (Warning, OpenFiles),
            "this machine",
            format!(
                "howdah may open {open} files, which is room for {room} sessions; the most of the file need {}",
                budget.files
            ),
            "when they are used up, new clients wait in the kernel's queue until sessions end",
            "raise LimitNOFILE of the unit (ulimit -n), or lower global.max_connections (two files each) and, over UDP, \
             max_connections of the listener (one each)",
        )
    })
}

fn backlog(system: &System) -> Option<Finding> {
    let most = system.somaxconn?;
    (most < BACKLOG).then(|| {
        Finding::new(
            (Note, Backlog),
            "this machine",
            format!("net.core.somaxconn is {most}: so many new connections may wait, where howdah asks for {BACKLOG}"),
            "a burst of clients, a Hue that restarts say, loses the rest: they see a second's delay, or a refusal",
            format!("sysctl -w net.core.somaxconn={BACKLOG}, and in /etc/sysctl.d; then restart howdah"),
        )
    })
}

fn tracked(plan: &Plan, system: &System) -> Option<Finding> {
    let (most, needed) = (
        system.conntrack?,
        2 * u64::from(plan.global.max_connections),
    );
    (most < needed).then(|| {
        Finding::new(
            (Warning, Conntrack),
            "this machine",
            format!("netfilter tracks {most} connections (net.netfilter.nf_conntrack_max); the most sessions are {needed}, two each"),
            "beyond it the kernel drops packets of new connections, for clients and servers alike",
            format!("sysctl -w net.netfilter.nf_conntrack_max={}, or lower global.max_connections", 2 * needed),
        )
    })
}

/// Of one server: each of its addresses gives howdah that many ports.
fn ports_of(plan: &Plan, pool: &PoolPlan, system: &System) -> Option<Finding> {
    let ports = system.local_ports?;
    let most = |one: &std::sync::Arc<crate::plan::ServerPlan>| {
        let own = one
            .max_connections
            .unwrap_or(u32::MAX)
            .min(plan.global.max_connections);
        let local = matches!(&one.address.host, Host::Ip(ip) if ip.is_loopback());
        (u64::from(own), local, one.name.clone())
    };
    let (most, _, server) = pool
        .servers
        .iter()
        .map(most)
        .find(|(most, local, _)| *most > ports && !local)?;
    Some(Finding::new(
        (Warning, LocalPorts),
        format!("pool \"{}\"", pool.name),
        format!(
            "{server} may get {most} sessions, and this machine has {ports} ports to connect from (net.ipv4.ip_local_port_range)"
        ),
        "when they are used up, sessions fail with own-limit, although server and howdah have room",
        "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\", or bound the servers by max_connections",
    ))
}

/// What howdah asks for when it opens a socket.
const BACKLOG: u64 = 4096;
