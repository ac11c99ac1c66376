//! What the sessions of `global.max_connections`, and those over UDP, would cost this machine, told at the start: descriptors and memory.
//!
//! The figures are those of docs/performance.md. Descriptors are what ends first, so that a bound below the need is a
//! warning; memory is for people to judge, as nobody knows what else the machine is for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::doctor::{Budget, is_short, over_udp};
use crate::plan::Plan;

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

/// Says what is needed, and warns where there is less than the file asks for. Who leaves `max_connections` as it is has asked for
/// nothing: then a few thousand are fine.
pub(super) fn tell(files: Option<u64>, plan: &Plan) {
    let budget = Budget::of(plan);
    let (needed, memory_mib) = (budget.files, budget.memory_mib);
    let sessions = plan.global.max_connections;
    let room = files.map(|files| budget.room(files, plan));
    tracing::info!(
        sessions,
        open_files = files,
        needed,
        room,
        memory_mib,
        "what the most sessions need: open files, and memory while they are silent"
    );
    if let Some(room) = room.filter(|room| is_short(*room, plan)) {
        tracing::warn!(
            open_files = files,
            needed,
            room,
            over_udp = over_udp(plan),
            "open files are too few for the most sessions, and those beyond `room` will wait: raise LimitNOFILE (ulimit -n) to \
             `needed`, or lower global.max_connections to `room` (over UDP: the listener's max_connections)"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    fn plan(global: &str) -> Plan {
        let text = format!(
            "{global}\n[[listener]]\nname = \"a\"\nbind = \"127.0.0.1:10000\"\npool = \"a\"\n\
             [pool.a]\nservice = \"hiveserver2\"\nservers = [\"a\"]\n"
        );
        let judged = config::judge(Path::new("x.toml"), text.into_bytes());
        judged.expect("valid").plan
    }

    fn short(files: u64, plan: &Plan) -> bool {
        is_short(Budget::of(plan).room(files, plan), plan)
    }

    /// As Debian, systemd and Docker have it: what is too few is what somebody asked for and does not get.
    #[test]
    fn the_default_file_is_no_reason_to_warn() {
        let default = plan("[global]\nworkers = 2");
        for files in [524_288, 1_048_576, 65_536, 20_000, 16_384] {
            assert!(!short(files, &default), "{files}");
        }
        assert!(short(1024, &default));
        let asked = plan("[global]\nworkers = 2\nmax_connections = 30000");
        assert!(short(20_000, &asked) && short(60_000, &asked));
        assert!(!short(65_536, &asked));
        assert!(!short(
            4096,
            &plan("[global]\nworkers = 2\nmax_connections = 100")
        ));
    }

    #[test]
    fn what_is_told_to_be_enough_is() {
        let mut plan = plan("[global]\nworkers = 2\nmax_connections = 30000");
        let needed = Budget::of(&plan).files;
        assert!(!short(needed, &plan) && short(needed - 1, &plan));
        plan.global.max_connections =
            u32::try_from(Budget::of(&plan).room(20_000, &plan)).expect("few");
        assert!(!short(20_000, &plan));
    }
}
