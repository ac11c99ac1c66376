//! What other machines of a network and the kernel say about virtual addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use howdah::wire::netlink;
use howdah::wire::vrrp::{Advert, Fault, GROUP_V4, GROUP_V6, HOPS, Packet, emit, packet_v4, parse};

/// A packet is read or blamed; what is written is read the same.
pub fn vrrp(bytes: &[u8]) {
    if let Ok(packet) = packet_v4(bytes) {
        assert!(bytes.ends_with(packet.message));
        read(&packet);
    }
    let source = IpAddr::from(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    read(&Packet {
        source,
        destination: GROUP_V6.into(),
        hops: HOPS,
        message: bytes,
    });
    written(bytes);
}

fn read(packet: &Packet<'_>) {
    match parse(packet) {
        Ok(advert) => {
            assert!(advert.addresses.len() * 4 <= packet.message.len());
            let again = emit(&advert, packet.source, packet.destination);
            let message = &again;
            assert_eq!(parse(&Packet { message, ..*packet }), Ok(advert));
        }
        Err(Fault::RouterId | Fault::Peer | Fault::Addresses | Fault::Owner | Fault::Hops) => {
            panic!("the message alone does not show that");
        }
        Err(_) => {}
    }
}

/// Bytes hardly ever have the right checksum by chance.
fn written(bytes: &[u8]) {
    let Some(([router_id, priority, high, low], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let addresses = rest.chunks_exact(4).take(255);
    let address = |octets: &[u8]| IpAddr::from([octets[0], octets[1], octets[2], octets[3]]);
    let advert = Advert {
        router_id: *router_id,
        priority: *priority,
        interval: u16::from_be_bytes([high & 0x0f, *low]),
        addresses: addresses.map(address).collect(),
    };
    let (source, destination) = (Ipv4Addr::new(192, 0, 2, 1).into(), GROUP_V4.into());
    let message = &emit(&advert, source, destination);
    let packet = Packet {
        source,
        destination,
        hops: HOPS,
        message,
    };
    assert_eq!(parse(&packet), Ok(advert));
}

/// However long messages say that they are, each takes a head of bytes that are there.
pub fn netlink(bytes: &[u8]) {
    let replies = netlink::replies(bytes).count();
    assert!(replies * 16 <= bytes.len());
}
