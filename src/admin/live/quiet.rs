//! What changes by itself and is worth no message: ages, and when the last probe was.

use crate::admin::status::{PoolStatus, Status};

/// The same without what changes by itself.
pub(super) fn head(status: &Status) -> Status {
    let mut quiet = status.clone();
    quiet.uptime_seconds = 0.0;
    if let Some(draining) = &mut quiet.draining {
        draining.seconds_left = 0.0;
    }
    if let Some(cluster) = &mut quiet.cluster {
        for member in &mut cluster.members {
            member.age_seconds = 0.0;
            member.sessions = 0;
        }
        cluster
            .differences
            .iter_mut()
            .for_each(|one| one.seconds = 0.0);
    }
    for predecessor in &mut quiet.predecessors {
        predecessor.seconds_left = 0;
    }
    quiet
}

/// The same without what changes by itself.
pub(super) fn pool(status: &PoolStatus) -> PoolStatus {
    let mut quiet = status.clone();
    if let Some(discovery) = &mut quiet.discovery {
        discovery.age_seconds = None;
    }
    for departed in &mut quiet.departed {
        departed.seconds_left = None;
    }
    for server in &mut quiet.servers {
        if let Some(probe) = &mut server.last_probe {
            probe.at.clear();
            probe.duration_seconds = 0.0;
            // Of a probe that went well, it has times in it.
            if probe.verdict == server.health {
                probe.detail.clear();
            }
        }
    }
    quiet
}
