//! Advertisements of VRRP version 3 (RFC 9568, RFC 5798): bytes ↔ values.
//!
//! A message is judged here by itself and by the packet that brought it: length, version, type, checksum. Whose it is (router
//! id, addresses, a peer that is known) is for `vip` to say. Bytes from the network never panic, and nothing is kept of them
//! but what their own length holds.
//!
//! The checksum of version 3 covers a pseudo header, over IPv4 too (RFC 5798 §5.2.8), which some routers leave out over IPv4;
//! keepalived sends it with the pseudo header. So it is sent with one, and taken with and without.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::{folded, sum_of};
use crate::base::word::words;

/// The number of VRRP among the protocols of IP.
pub const PROTOCOL: u8 = 112;
/// Where advertisements over IPv4 go.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Where advertisements over IPv6 go.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// Of whom an address is its own and not a virtual one.
pub const OWNER: u8 = 255;
/// A packet that went through no router has it.
pub const HOPS: u8 = 255;
/// The longest interval that the message can carry, in hundredths of a second.
pub const INTERVAL_MAX: u16 = 0x0fff;

/// What a master says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Which virtual router: 1 to 255.
    pub router_id: u8,
    /// Of the sender: 0 leaves, 255 owns the address.
    pub priority: u8,
    /// Between two advertisements of the sender, in hundredths of a second.
    pub interval: u16,
    /// Its virtual addresses, of one family.
    pub addresses: Vec<IpAddr>,
}

/// A message and what the packet around it said.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom it was sent to.
    pub destination: IpAddr,
    /// What is left of its time to live, or hop limit.
    pub hops: u8,
    /// What follows the header of IP.
    pub message: &'a [u8],
}

words! {
    /// What is wrong with a packet.
    pub enum Fault {
        /// Shorter than what it says of itself.
        Length = "length",
        /// It came through a router, or from somebody who is not on this network.
        Hops = "ttl",
        /// Another version than 3.
        Version = "version",
        /// Version 2 with a password, which version 3 has none of.
        Authentication = "authentication",
        /// Not an advertisement.
        Type = "type",
        /// Damaged or forged.
        Checksum = "checksum",
        /// Of another virtual router.
        RouterId = "router-id",
        /// Not sent by one of `unicast_peers`, or not to the group.
        Peer = "peer",
        /// It lists other addresses than ours.
        Addresses = "addresses",
        /// It says that it owns the address.
        Owner = "owner",
    }
}

/// The packet in what a raw socket of IPv4 reads, whose header comes first.
///
/// # Errors
/// [`Fault::Length`] where that is no packet.
pub fn packet_v4(bytes: &[u8]) -> Result<Packet<'_>, Fault> {
    let header: &[u8; 20] = bytes.first_chunk().ok_or(Fault::Length)?;
    let length = usize::from(header[0] & 0x0f) * 4;
    let address = |at: usize| {
        Ipv4Addr::from([header[at], header[at + 1], header[at + 2], header[at + 3]]).into()
    };
    if header[0] >> 4 != 4 || length < header.len() {
        return Err(Fault::Length);
    }
    Ok(Packet {
        source: address(12),
        destination: address(16),
        hops: header[8],
        message: bytes.get(length..).ok_or(Fault::Length)?,
    })
}

/// Reads an advertisement.
///
/// # Errors
/// The first [`Fault`] of those that the message shows by itself.
pub fn parse(packet: &Packet<'_>) -> Result<Advert, Fault> {
    let head: &[u8; 8] = packet.message.first_chunk().ok_or(Fault::Length)?;
    let [kind, router_id, priority, count, first, second, _, _] = *head;
    match (kind >> 4, first) {
        (3, _) => {}
        (2, 1..) => return Err(Fault::Authentication),
        _ => return Err(Fault::Version),
    }
    if kind & 0x0f != ADVERTISEMENT {
        return Err(Fault::Type);
    }
    let size = match packet.source {
        IpAddr::V4(_) => 4,
        IpAddr::V6(_) => 16,
    };
    let length = head.len() + usize::from(count) * size;
    let message = packet.message.get(..length).ok_or(Fault::Length)?;
    if !is_whole(packet, message) {
        return Err(Fault::Checksum);
    }
    let addresses = message[head.len()..].chunks_exact(size);
    Ok(Advert {
        router_id,
        priority,
        interval: u16::from_be_bytes([first, second]) & INTERVAL_MAX,
        addresses: addresses.filter_map(address).collect(),
    })
}

/// Writes an advertisement as `source` sends it to `destination`.
pub fn emit(advert: &Advert, source: IpAddr, destination: IpAddr) -> Vec<u8> {
    let count = u8::try_from(advert.addresses.len()).unwrap_or(u8::MAX);
    let [first, second] = advert.interval.min(INTERVAL_MAX).to_be_bytes();
    let kind = 3 << 4 | ADVERTISEMENT;
    let mut message = vec![kind, advert.router_id, advert.priority, count];
    message.extend([first, second, 0, 0]);
    for address in advert.addresses.iter().take(count.into()) {
        match address {
            IpAddr::V4(address) => message.extend(address.octets()),
            IpAddr::V6(address) => message.extend(address.octets()),
        }
    }
    let sum = pseudo_header(source, destination, message.len()) + sum_of(&message);
    let checksum = !folded(sum);
    message[6..8].copy_from_slice(&checksum.to_be_bytes());
    message
}

fn is_whole(packet: &Packet<'_>, message: &[u8]) -> bool {
    let own = sum_of(message);
    let with = own + pseudo_header(packet.source, packet.destination, message.len());
    let without = packet.source.is_ipv4().then_some(own);
    [Some(with), without]
        .into_iter()
        .flatten()
        .any(|sum| folded(sum) == 0xffff)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// What RFC 8200 §8.1 adds to a checksum, and its like of IPv4.
fn pseudo_header(source: IpAddr, destination: IpAddr, length: usize) -> u32 {
    let of = |address: IpAddr| match address {
        IpAddr::V4(address) => sum_of(&address.octets()),
        IpAddr::V6(address) => sum_of(&address.octets()),
    };
    of(source) + of(destination) + u32::from(PROTOCOL) + u32::try_from(length).unwrap_or(0)
}

const ADVERTISEMENT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn advert(addresses: &[&str]) -> Advert {
        Advert {
            router_id: 51,
            priority: 150,
            interval: 20,
            addresses: addresses.iter().map(|one| one.parse().unwrap()).collect(),
        }
    }

    fn sent<'a>(message: &'a [u8], source: &str, destination: &str) -> Packet<'a> {
        Packet {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            hops: HOPS,
            message,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (source, group, addresses) in [
            ("192.0.2.1", "224.0.0.18", &["192.0.2.10", "192.0.2.11"][..]),
            ("fe80::1", "ff02::12", &["2001:db8::10"]),
            ("192.0.2.1", "192.0.2.2", &[]),
        ] {
            let advert = advert(addresses);
            let message = emit(&advert, source.parse().unwrap(), group.parse().unwrap());
            assert_eq!(parse(&sent(&message, source, group)), Ok(advert));
        }
    }

    /// As keepalived 2.2.7 sent it: priority 100, 200 ms, 192.0.2.10, from 192.0.2.2.
    #[test]
    fn keepalived_counts_the_pseudo_header_in() {
        let message = [0x31, 51, 100, 1, 0, 20, 0x06, 0x1b, 192, 0, 2, 10];
        let advert = Advert {
            priority: 100,
            ..advert(&["192.0.2.10"])
        };
        assert_eq!(
            parse(&sent(&message, "192.0.2.2", "224.0.0.18")),
            Ok(advert)
        );
    }

    #[test]
    fn a_checksum_without_the_pseudo_header_is_good_over_ipv4_alone() {
        for (source, group, addresses, good) in [
            ("192.0.2.1", "224.0.0.18", &["192.0.2.10"], true),
            ("fe80::1", "ff02::12", &["2001:db8::10"], false),
        ] {
            let advert = advert(addresses);
            let mut message = emit(&advert, source.parse().unwrap(), group.parse().unwrap());
            message[6..8].fill(0);
            let checksum = !folded(sum_of(&message));
            message[6..8].copy_from_slice(&checksum.to_be_bytes());
            let read = parse(&sent(&message, source, group));
            assert_eq!(read.is_ok(), good, "{source}: {read:?}");
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        let (source, group) = ("192.0.2.1", "224.0.0.18");
        let good = emit(
            &advert(&["192.0.2.10"]),
            source.parse().unwrap(),
            group.parse().unwrap(),
        );
        let spoilt = |at: usize, byte: u8| {
            let mut message = good.clone();
            message[at] = byte;
            parse(&sent(&message, source, group)).unwrap_err()
        };
        assert_eq!(spoilt(0, 0x11), Fault::Version);
        assert_eq!(spoilt(0, 0x21), Fault::Version);
        assert_eq!(spoilt(0, 0x32), Fault::Type);
        assert_eq!(spoilt(2, 151), Fault::Checksum);
        assert_eq!(spoilt(3, 2), Fault::Length);
        let mut password = good.clone();
        (password[0], password[4]) = (0x21, 1);
        let read = parse(&sent(&password, source, group));
        assert_eq!(read, Err(Fault::Authentication));
        for length in 0..good.len() {
            let read = parse(&sent(&good[..length], source, group));
            assert_eq!(read, Err(Fault::Length), "{length}");
        }
        // Sent from elsewhere than the packet says.
        let read = parse(&sent(&good, "192.0.2.9", group));
        assert_eq!(read, Err(Fault::Checksum));
    }

    /// Four bits before the interval are reserved: whoever sets them says nothing by it, and none of ours are set.
    #[test]
    fn an_interval_has_twelve_bits() {
        let (source, group) = ("192.0.2.1", "224.0.0.18");
        let long = Advert {
            interval: u16::MAX,
            ..advert(&["192.0.2.10"])
        };
        let mut message = emit(&long, source.parse().unwrap(), group.parse().unwrap());
        assert_eq!(message[4..6], [0x0f, 0xff]);
        message[4..8].copy_from_slice(&[0xf0, 20, 0, 0]);
        let checksum = !folded(sum_of(&message));
        message[6..8].copy_from_slice(&checksum.to_be_bytes());
        let read = parse(&sent(&message, source, group)).unwrap();
        assert_eq!(read.interval, 20);
    }

    #[test]
    fn what_follows_a_message_is_none_of_it() {
        let (source, group) = ("fe80::1", "ff02::12");
        let advert = advert(&["2001:db8::10"]);
        let mut message = emit(&advert, source.parse().unwrap(), group.parse().unwrap());
        message.extend([7; 6]);
        assert_eq!(parse(&sent(&message, source, group)), Ok(advert));
    }

    #[test]
    fn a_packet_of_ipv4_is_taken_apart_whatever_its_options() {
        let mut bytes = vec![0x46, 0, 0, 0, 0, 0, 0, 0, 254, PROTOCOL, 0, 0];
        bytes.extend([192, 0, 2, 1, 224, 0, 0, 18, 1, 1, 1, 1, 7, 7]);
        let packet = packet_v4(&bytes).unwrap();
        assert_eq!(packet.source, IpAddr::from([192, 0, 2, 1]));
        assert_eq!(packet.destination, IpAddr::V4(GROUP_V4));
        assert_eq!((packet.hops, packet.message), (254, &[7, 7][..]));
        for wrong in [0x44, 0x4f, 0x66] {
            bytes[0] = wrong;
            assert_eq!(packet_v4(&bytes).unwrap_err(), Fault::Length);
        }
    }
}
