//! A set of networks that is asked for each session.
//!
//! All that is asked is "does one of them hold this address?". So they are kept as ranges, sorted and merged where they
//! touch or hold one another, and an answer is a binary search: 16 steps for 65,536 networks, at 8 bytes each for IPv4
//! and no more than the file itself has. A prefix tree would answer which network it was, which nobody asks.

use std::net::IpAddr;

use ipnet::IpNet;

/// See the module. Equal when the same networks were written in the same order.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    written: Vec<IpNet>,
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Networks {
    /// Whether one of them holds the address; an IPv4 address in an IPv6 coat is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => holds(&self.v4, address.to_bits()),
            IpAddr::V6(address) => holds(&self.v6, address.to_bits()),
        }
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// As written.
    pub fn as_slice(&self) -> &[IpNet] {
        &self.written
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(all: I) -> Self {
        let written: Vec<IpNet> = all.into_iter().collect();
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in &written {
            match net {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self {
            v4: merged(v4, |end| end.saturating_add(1)),
            v6: merged(v6, |end| end.saturating_add(1)),
            written,
        }
    }
}

impl PartialEq for Networks {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

/// Ranges are disjoint and in order.
fn holds<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after > 0 && ranges[after - 1].1 >= address
}

fn merged<T: Ord + Copy>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> T) -> Box<[(T, T)]> {
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= next(*end) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged.into()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn net() -> impl Strategy<Value = IpNet> {
        let v4 = (any::<u32>(), 0u8..=32).prop_map(|(bits, length)| {
            // A small world, so that networks meet.
            let address = Ipv4Addr::from_bits(bits & 0xf000_000f);
            IpNet::new(address.into(), length).expect("a length")
        });
        let v6 = (any::<u128>(), 0u8..=128).prop_map(|(bits, length)| {
            let address = Ipv6Addr::from_bits(bits & (0xf << 124 | 0xf));
            IpNet::new(address.into(), length).expect("a length")
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_asking_each_network(
            nets in proptest::collection::vec(net(), 0..40), one in any::<u128>(),
        ) {
            let set: Networks = nets.iter().copied().collect();
            let corners = nets.iter().flat_map(|net| [net.network(), net.broadcast()]);
            let drawn = [
                IpAddr::V4(Ipv4Addr::from_bits(one as u32 & 0xf000_000f)),
                IpAddr::V6(Ipv6Addr::from_bits(one & (0xf << 124 | 0xf))),
            ];
            for address in corners.chain(drawn) {
                // What is written as an IPv6 network of IPv4 addresses holds none of these.
                let address = address.to_canonical();
                let asked = nets.iter().any(|net| net.contains(&address));
                prop_assert_eq!(set.contains(address), asked, "{}", address);
            }
        }
    }

    #[test]
    fn the_ends_of_the_world_are_in_it() {
        let all: Networks = ["0.0.0.0/0", "::/0"]
            .map(|net| net.parse().expect("a network"))
            .into_iter()
            .collect();
        for address in [
            "0.0.0.0",
            "255.255.255.255",
            "::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "::ffff:10.0.0.1",
        ] {
            assert!(
                all.contains(address.parse().expect("an address")),
                "{address}"
            );
        }
        assert!(!Networks::default().contains(Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn neighbours_are_one_range() {
        let half = |third: u8| format!("10.0.{third}.0/24").parse().expect("a network");
        let set: Networks = (0..=255).rev().map(half).collect();
        assert_eq!(set.v4.len(), 1);
        assert_eq!(set.as_slice().len(), 256);
    }
}
