//! Howdahs that are one: what they share hangs on one server, is not reached, or is not what they all see.

use super::finding::Code::{ClusterAlone, ClusterDiffers, SingleZooKeeper};
use super::finding::Finding;
use super::finding::Level::{Note, Warning};
use crate::cluster::ClusterStatus;
use crate::plan::{ClusterMode, ClusterPlan};

pub(super) fn of(plan: &ClusterPlan) -> Option<Finding> {
    let shared = plan.shared.as_ref()?;
    if shared.zookeeper.ensemble.len() > 1 {
        return None;
    }
    let exclusive = shared.mode == ClusterMode::ActiveStandby || shared.fence_vips;
    let why = match exclusive {
        true => "while it is away nobody may lead, and nobody listens or holds an address",
        false => "while it is away an order reaches one howdah alone",
    };
    Some(Finding::new(
        (Note, SingleZooKeeper),
        PLACE,
        "zookeeper names one server",
        why,
        "name the servers of an ensemble of three",
    ))
}

pub(super) fn running(cluster: &ClusterStatus) -> Vec<Finding> {
    let alone = cluster.why.as_ref().map(|why| {
        Finding::new(
            (Warning, ClusterAlone),
            PLACE,
            format!("no session with ZooKeeper since {}: {why}", cluster.since),
            "orders that are given here reach no other howdah, and theirs do not come here; they wait",
            "reach the ensemble from this machine; where it is a name or a login, mend [cluster] and restart",
        )
    });
    let differs = cluster.differences.iter().map(|one| {
        Finding::new(
            (Warning, ClusterDiffers),
            format!("{}/{}", one.pool, one.server),
            format!(
                "it is {} here and {} at {}",
                one.here, one.there, one.member
            ),
            "one of the two cannot reach what the other can: its clients get fewer servers",
            format!(
                "`howdah probe` on both machines: a firewall, a name or a route is different at {}",
                one.member
            ),
        )
    });
    alone.into_iter().chain(differs).collect()
}

const PLACE: &str = "[cluster]";
