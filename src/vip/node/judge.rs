//! Whether a packet counts: pure.

use std::net::IpAddr;

use crate::plan::VipPlan;
use crate::vip::packets::group;
use crate::wire::vrrp::{self, Advert, Fault, HOPS, OWNER, Packet};

/// An advertisement of this virtual router, and what is odd about it though it counts.
///
/// Addresses that differ are obeyed, as keepalived does: machines are configured one after the other, and both holding the
/// address meanwhile would be worse.
pub(super) fn judge(
    packet: &Packet<'_>,
    plan: &VipPlan,
    peers: Option<&[IpAddr]>,
    own: IpAddr,
) -> Result<(Advert, Vec<Fault>), Fault> {
    let to_all = plan.unicast_peers.is_empty();
    let advert = vrrp::parse(packet)?;
    if advert.router_id != plan.router_id {
        return Err(Fault::RouterId);
    }
    // Partners that are named may be behind a router.
    if to_all && packet.hops != HOPS {
        return Err(Fault::Hops);
    }
    let known = || peers.is_some_and(|peers| peers.contains(&packet.source));
    let fits = match to_all {
        true => packet.destination == group(own),
        false => !packet.destination.is_multicast() && known(),
    };
    if !fits {
        return Err(Fault::Peer);
    }
    let mut notes = Vec::new();
    let (mut theirs, mut ours) = (advert.addresses.clone(), plan.hosts());
    theirs.sort_unstable();
    ours.sort_unstable();
    if theirs != ours {
        notes.push(Fault::Addresses);
    }
    if advert.priority == OWNER {
        notes.push(Fault::Owner);
    }
    Ok((advert, notes))
}
