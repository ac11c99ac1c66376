//! What the sessions of `global.max_connections`, and those over UDP, would cost this machine: descriptors and memory.
//!
//! The figures are those of docs/performance.md.

use crate::plan::{GlobalPlan, OnRefuse, Plan, Protocol};
use crate::session::PIPES_A_WORKER;

/// What the sessions of a plan need.
#[derive(Debug, PartialEq, Eq)]
pub struct Budget {
    /// Two sockets each, two for each pipe that a bulk may hold, clients that are held, one socket for each session over UDP,
    /// and some to spare.
    pub files: u64,
    /// While all are silent, in MiB.
    pub memory_mib: u64,
}

impl Budget {
    /// Of the most that the plan lets in.
    pub fn of(plan: &Plan) -> Self {
        let sessions = u64::from(plan.global.max_connections);
        let workers = (plan.global.workers).or_else(|| std::thread::available_parallelism().ok());
        let pipes = workers.map_or(1, usize::from) * PIPES_A_WORKER;
        let mut ways = plan.listeners.iter().map(|listener| listener.on_refuse);
        let held = if ways.any(|way| way == OnRefuse::Hold) {
            HELD_FILES
        } else {
            0
        };
        let tls = plan.listeners.iter().any(|listener| listener.tls.is_some())
            || plan.pools.iter().any(|pool| pool.tls.is_some());
        let bytes = if tls { TLS_BYTES } else { PLAIN_BYTES };
        Self {
            files: 2 * (sessions + pipes as u64) + over_udp(plan) + held + SPARE_FILES,
            memory_mib: (sessions * bytes).div_ceil(1 << 20),
        }
    }
}

impl Budget {
    /// How many sessions fit into so many open files, with all that is no session.
    pub fn room(&self, files: u64, plan: &Plan) -> u64 {
        let most = u64::from(plan.global.max_connections);
        let others = self.files - 2 * most;
        most.min(files.saturating_sub(others) / 2)
    }
}

/// Whether `room` sessions are fewer than were asked for.
pub fn is_short(room: u64, plan: &Plan) -> bool {
    let sessions = plan.global.max_connections;
    let asked = match sessions == GlobalPlan::MAX_CONNECTIONS {
        true => FEW,
        false => sessions,
    };
    room < asked.into()
}

/// The most sessions over UDP: each listener has a bound of its own.
pub fn over_udp(plan: &Plan) -> u64 {
    let listeners = plan.listeners.iter();
    let speaking = listeners.filter(|listener| listener.speaks(Protocol::Udp));
    speaking
        .map(|listener| u64::from(listener.most_over_udp()))
        .sum()
}

/// Sessions that everybody should have room for.
const FEW: u32 = 1000;
/// For listening sockets, probes, logs and the admin server.
const SPARE_FILES: u64 = 512;
/// Clients that are refused and held.
const HELD_FILES: u64 = 1000;
/// A silent session, by the bench: howdah's own memory; the kernel's for two sockets comes beside it.
const PLAIN_BYTES: u64 = 1_479;
/// The same where TLS ends here.
const TLS_BYTES: u64 = 9_107;
