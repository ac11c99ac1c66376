//! What a packet must be to be obeyed, and how it is blamed otherwise.

use super::*;
use crate::plan::{VipName, VipPlan};
use crate::wire::vrrp::{GROUP_V4, emit};

const OWN: [u8; 4] = [192, 0, 2, 1];
const PARTNER: [u8; 4] = [192, 0, 2, 2];

fn plan(unicast_peers: &[&str]) -> VipPlan {
    VipPlan {
        name: VipName::new("front"),
        addresses: ["192.0.2.10/24", "192.0.2.11/24"]
            .map(|one| one.parse().unwrap())
            .into(),
        interface: "eth0".into(),
        router_id: 51,
        priority: 100,
        advert_interval: Duration::from_millis(200),
        track: Vec::new(),
        preempt: true,
        preempt_delay: Duration::ZERO,
        unicast_peers: unicast_peers
            .iter()
            .map(|one| Host::read(one).unwrap())
            .collect(),
    }
}

fn vec_of(plan: &VipPlan) -> Vec<IpAddr> {
    let ips = plan.unicast_peers.iter().map(|host| match host {
        Host::Ip(ip) => *ip,
        Host::Name(name) => panic!("{name}"),
    });
    ips.collect()
}

/// As the partner sends it.
fn advert() -> Advert {
    Advert {
        router_id: 51,
        priority: 150,
        interval: 20,
        // In another order, which is no difference.
        addresses: vec![[192, 0, 2, 11].into(), [192, 0, 2, 10].into()],
    }
}

fn judged(advert: &Advert, to: IpAddr, hops: u8, plan: &VipPlan) -> Result<Vec<Fault>, Fault> {
    let source = IpAddr::from(PARTNER);
    let message = emit(advert, source, to);
    let packet = Packet {
        source,
        destination: to,
        hops,
        message: &message,
    };
    let peers = vec_of(plan);
    let read = judge(&packet, plan, Some(&peers), OWN.into());
    read.map(|(_, notes)| notes)
}

#[test]
fn a_packet_to_all_comes_from_this_network_and_is_of_this_router() {
    let (plan, all) = (plan(&[]), GROUP_V4.into());
    assert_eq!(judged(&advert(), all, 255, &plan), Ok(vec![]));
    assert_eq!(judged(&advert(), all, 254, &plan), Err(Fault::Hops));
    assert_eq!(judged(&advert(), OWN.into(), 255, &plan), Err(Fault::Peer));
    let other = Advert {
        router_id: 52,
        ..advert()
    };
    assert_eq!(judged(&other, all, 255, &plan), Err(Fault::RouterId));
}

#[test]
fn a_packet_to_us_alone_is_of_a_partner_that_is_named() {
    let (known, strange) = (plan(&["192.0.2.2"]), plan(&["192.0.2.3"]));
    assert_eq!(judged(&advert(), OWN.into(), 60, &known), Ok(vec![]));
    assert_eq!(
        judged(&advert(), OWN.into(), 60, &strange),
        Err(Fault::Peer)
    );
    let all = GROUP_V4.into();
    assert_eq!(judged(&advert(), all, 255, &known), Err(Fault::Peer));
}

#[test]
fn odd_ones_count_and_are_noted() {
    let (plan, all) = (plan(&[]), GROUP_V4.into());
    let addresses = vec![[192, 0, 2, 10].into()];
    let one_less = Advert {
        addresses,
        ..advert()
    };
    assert_eq!(
        judged(&one_less, all, 255, &plan),
        Ok(vec![Fault::Addresses])
    );
    let owner = Advert {
        priority: 255,
        ..advert()
    };
    assert_eq!(judged(&owner, all, 255, &plan), Ok(vec![Fault::Owner]));
}
