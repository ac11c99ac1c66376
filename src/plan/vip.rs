//! Addresses that several machines share, one of which holds them.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::{Host, ListenerName, VipName};

/// One `[vip.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VipPlan {
    /// Unique in a plan.
    pub name: VipName,
    /// At least one, all of one family; each with the network it is in.
    pub addresses: Vec<IpNet>,
    /// Where they are put.
    pub interface: String,
    /// 1 to 255; what the machines that share the addresses have in common.
    pub router_id: u8,
    /// 1 to 254: the highest holds them.
    pub priority: u8,
    /// Between two advertisements: whole hundredths of a second.
    pub advert_interval: Duration,
    /// Listeners that must be ready; none: it is never given up for that.
    pub track: Vec<ListenerName>,
    /// Whether it is taken from a machine of lower priority that works.
    pub preempt: bool,
    /// How long such a machine is let be first.
    pub preempt_delay: Duration,
    /// Whom advertisements go to; empty: to the group of all.
    pub unicast_peers: Vec<Host>,
}

impl VipPlan {
    /// Where the file says nothing else.
    pub const PRIORITY: u8 = 100;
    /// Where the file says nothing else.
    pub const ADVERT_INTERVAL: Duration = Duration::from_secs(1);
    /// The addresses without their networks.
    pub fn hosts(&self) -> Vec<IpAddr> {
        self.addresses.iter().map(IpNet::addr).collect()
    }

    /// Whether `other` is another place in the network, and not only another way to win it.
    pub fn is_elsewhere(&self, other: &Self) -> bool {
        // A new field must choose.
        let Self {
            name: _,
            addresses,
            interface,
            router_id,
            priority: _,
            advert_interval: _,
            track: _,
            preempt: _,
            preempt_delay: _,
            unicast_peers,
        } = self;
        *addresses != other.addresses
            || *interface != other.interface
            || *router_id != other.router_id
            || *unicast_peers != other.unicast_peers
    }
}
