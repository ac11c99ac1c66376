//! What a packet must be to be obeyed, and how it is blamed otherwise; and what a node does without its sockets and without time.

use super::*;
use crate::plan::{Host, VipName, VipPlan};
use crate::telemetry::Metrics;
use crate::vip::status::Board;
use crate::wire::vrrp::{Advert, GROUP_V4, HOPS, emit};

const OWN: [u8; 4] = [192, 0, 2, 1];
const PARTNER: [u8; 4] = [192, 0, 2, 2];

pub(in crate::vip) fn plan(unicast_peers: &[&str]) -> VipPlan {
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
fn while_no_name_of_a_partner_is_resolved_nobody_is_one() {
    let (plan, to) = (plan(&["192.0.2.2"]), IpAddr::from(OWN));
    let source = IpAddr::from(PARTNER);
    let message = emit(&advert(), source, to);
    let packet = Packet {
        source,
        destination: to,
        hops: HOPS,
        message: &message,
    };
    let read = judge(&packet, &plan, None, OWN.into());
    assert_eq!(read.unwrap_err(), Fault::Peer);
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

/// With neither sockets nor rights; its time stands still at [`early`].
fn node(unicast_peers: &[&str]) -> Node {
    let plan = Arc::new(plan(unicast_peers));
    let news = News {
        links: watch::channel(()).1,
        not_ready: watch::channel(Arc::from([])).1,
    };
    let speaker = Speaker::new(&plan, Board::default(), Metrics::new());
    let mut node = Node::new(plan, news, Permission::always(), speaker);
    node.clock = early;
    node
}

/// What the machine does about it is not done.
fn live(node: &mut Node, event: Event) {
    node.machine.on(event, (node.clock)(), &mut Vec::new());
}

fn early() -> Duration {
    Duration::from_secs(1000)
}

fn an_election_later() -> Duration {
    early() + Duration::from_millis(800)
}

fn a_night_later() -> Duration {
    early() + Duration::from_secs(30_000)
}

#[tokio::test]
async fn a_node_that_loses_its_socket_when_it_is_elected_is_no_master_without_the_address() {
    let mut node = node(&[]);
    node.on(Event::Link(Some(OWN.into())));
    node.on(Event::Start { holding: false });
    assert_eq!(node.machine.state(), State::Backup);
    node.clock = an_election_later;
    node.catch_up(&mut [0; 64]);
    assert_eq!(node.machine.state(), State::Fault);
}

#[tokio::test]
async fn who_wakes_up_on_a_machine_that_was_suspended_listens_first() {
    for holding in [true, false] {
        let mut node = node(&[]);
        live(&mut node, Event::Link(Some(OWN.into())));
        live(&mut node, Event::Start { holding });
        node.clock = a_night_later;
        node.catch_up(&mut [0; 64]);
        assert_eq!(node.machine.state(), State::Backup, "{holding}");
        // And goes on from there.
        assert!(node.machine.due().unwrap() > a_night_later());
    }
}

#[tokio::test]
async fn who_takes_over_begins_when_it_knows_its_partners() {
    let mut node = node(&["lb-2.example.invalid"]);
    node.look();
    node.begin(true);
    assert_eq!(node.machine.state(), State::Init);
    node.named = Peers::of(&Arc::new(plan(&["192.0.2.2"])));
    node.look();
    assert_ne!(node.machine.state(), State::Init);
}
