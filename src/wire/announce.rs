//! Frames that tell a network where an address is now: gratuitous ARP (RFC 5227 §3) and unsolicited neighbour
//! advertisements (RFC 4861 §4.4).
//!
//! Whole frames of Ethernet, as a packet socket sends them. So nothing depends on which address the kernel would send from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::{folded, sum_of};

/// Of an interface.
pub type Mac = [u8; 6];

/// Says to everybody that `address` is at `mac`.
pub fn announcement(mac: Mac, address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => arp(mac, address),
        IpAddr::V6(address) => neighbour(mac, address),
    }
}

/// A request for one's own address: what every system takes for news, also those that ignore an answer that they did not ask
/// for.
fn arp(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], mac, 0x0806);
    // Ethernet, IPv4, their lengths, a request.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

fn neighbour(mac: Mac, address: Ipv6Addr) -> Vec<u8> {
    let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    // Neighbour advertisement; override, and not asked for.
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    // The address of the link, in units of eight bytes.
    message.extend([2, 1]);
    message.extend(mac);
    let length = u16::try_from(message.len()).unwrap_or(0);
    let around = sum_of(&address.octets()) + sum_of(&all.octets());
    let sum = around + u32::from(length) + u32::from(ICMPV6) + sum_of(&message);
    message[2..4].copy_from_slice(&(!folded(sum)).to_be_bytes());
    let mut frame = ethernet([0x33, 0x33, 0, 0, 0, 1], mac, 0x86dd);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(all.octets());
    frame.extend(message);
    frame
}

fn ethernet(to: Mac, from: Mac, kind: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(86);
    frame.extend(to);
    frame.extend(from);
    frame.extend(kind.to_be_bytes());
    frame
}

const ICMPV6: u8 = 58;

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 7];

    #[test]
    fn over_ipv4_it_asks_everybody_for_its_own_address() {
        let frame = announcement(MAC, IpAddr::from([192, 0, 2, 10]));
        let expected = [
            &[0xff; 6][..],
            &MAC,
            &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
            &MAC,
            &[192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10],
        ];
        assert_eq!(frame, expected.concat());
    }

    #[test]
    fn over_ipv6_the_checksum_is_right_and_old_entries_are_overridden() {
        let frame = announcement(MAC, "2001:db8::10".parse().unwrap());
        assert_eq!(
            (frame.len(), &frame[..6]),
            (86, &[0x33, 0x33, 0, 0, 0, 1][..])
        );
        let (header, message) = frame[14..].split_at(40);
        // Who did not come through a router (RFC 4861 §7.1.2).
        assert_eq!(frame[12..22], [0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
        let whole = sum_of(&header[8..]) + 32 + 58 + sum_of(message);
        assert_eq!(folded(whole), 0xffff);
        assert_eq!((message[0], message[4]), (136, 0x20));
        assert_eq!(message[24..], [&[2, 1], &MAC[..]].concat());
    }
}
