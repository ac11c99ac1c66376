//! What the sessions of `global.max_connections`, and those over UDP, would cost this machine, told at the start: descriptors and memory.
//!
//! The figures are those of docs/performance.md. Descriptors are what ends first, so that a bound below the need is a
//! warning; memory is for people to judge, as nobody knows what else the machine is for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::plan::{OnRefuse, Plan, Protocol};
use crate::session::PIPES_A_WORKER;

/// Asks for as many descriptors as the system lets this process have. Returns how many.
pub(super) fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// What the sessions of a plan need.
#[derive(Debug, PartialEq, Eq)]
struct Budget {
    /// Two sockets each, two for each pipe that a bulk may hold, clients that are held, one socket for each session over UDP,
    /// and some to spare.
    files: u64,
    /// While all are silent, in MiB.
    memory_mib: u64,
}

/// Says what is needed, and warns where there is less.
pub(super) fn tell(files: Option<u64>, plan: &Plan) {
    let budget = Budget::of(plan);
    let (needed, memory_mib) = (budget.files, budget.memory_mib);
    let sessions = plan.global.max_connections;
    tracing::info!(
        sessions,
        open_files = files,
        needed,
        memory_mib,
        "what the most sessions need: open files, and memory while they are silent"
    );
    if let Some(files) = files.filter(|files| *files < needed) {
        tracing::warn!(
            open_files = files,
            needed,
            over_udp = over_udp(plan),
            "fewer open files than the most sessions need: raise LimitNOFILE (ulimit -n), or lower global.max_connections \
             (two files each) or, over UDP, the listener's max_connections (one each)"
        );
    }
}

impl Budget {
    fn of(plan: &Plan) -> Self {
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

/// The most sessions over UDP: each listener has a bound of its own.
fn over_udp(plan: &Plan) -> u64 {
    let listeners = plan.listeners.iter();
    let speaking = listeners.filter(|listener| listener.speaks(Protocol::Udp));
    speaking
        .map(|listener| u64::from(listener.most_over_udp()))
        .sum()
}

/// For listening sockets, probes, logs and the admin server.
const SPARE_FILES: u64 = 512;
/// Clients that are refused and held.
const HELD_FILES: u64 = 1000;
/// A silent session, by the bench: howdah's own memory; the kernel's for two sockets comes beside it.
const PLAIN_BYTES: u64 = 1_479;
/// The same where TLS ends here.
const TLS_BYTES: u64 = 9_107;
