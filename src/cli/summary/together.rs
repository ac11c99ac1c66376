//! What outlives this howdah, and what it has with others: state, virtual addresses, cluster, peers.

use std::fmt;

use super::row::{joined, row};
use crate::base::unit::show_duration;
use crate::plan::{ClusterPlan, PeersPlan, Plan, VipPlan};

pub(super) fn show(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    if let Some(file) = &plan.state.file {
        row(f, "state", file.display())?;
    }
    for vip in &plan.vips {
        show_vip(f, vip)?;
    }
    if let Some(cluster) = &plan.cluster {
        show_cluster(f, cluster)?;
    }
    if let Some(peers) = &plan.peers {
        show_peers(f, peers)?;
    }
    Ok(())
}

fn show_vip(f: &mut fmt::Formatter<'_>, vip: &VipPlan) -> fmt::Result {
    let addresses = joined(&vip.addresses);
    let (interface, id, priority) = (&vip.interface, vip.router_id, vip.priority);
    let interval = show_duration(vip.advert_interval);
    let track = match vip.track.as_slice() {
        [] => String::new(),
        track => format!(", while {} can serve", joined(track)),
    };
    row(
        f,
        "vip",
        format_args!(
            "{}: {addresses} on {interface}, router id {id}, priority {priority}, every {interval}{track}",
            vip.name
        ),
    )
}

fn show_cluster(f: &mut fmt::Formatter<'_>, cluster: &ClusterPlan) -> fmt::Result {
    let name = &cluster.name;
    match &cluster.shared {
        None => row(f, "cluster", name),
        Some(shared) => {
            let fence = match shared.fence_vips {
                true => ", fences virtual addresses",
                false => "",
            };
            let what = format_args!("{name}, {} by ZooKeeper{fence}", shared.mode);
            row(f, "cluster", what)
        }
    }
}

fn show_peers(f: &mut fmt::Formatter<'_>, peers: &PeersPlan) -> fmt::Result {
    let all = peers.peers.iter();
    let all: Vec<_> = all
        .map(|one| format!("{} at {}", one.name, one.address))
        .collect();
    let tls = if peers.tls.is_some() { ", by TLS" } else { "" };
    let what = format_args!(
        "{} on {}, with {}{tls}",
        peers.name,
        peers.bind,
        joined(&all)
    );
    row(f, "peers", what)
}
