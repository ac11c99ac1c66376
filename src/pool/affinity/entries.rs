//! The entries of a sticky table, kept in shards, so that whoever copies the table need not hold up sessions for all of it.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::time::Instant;

use crate::pool::ServerId;

/// See the module.
pub(super) struct Entries {
    shards: Box<[HashMap<IpAddr, Entry>]>,
    count: usize,
}

/// One client.
pub(super) struct Entry {
    pub(super) server: ServerId,
    pub(super) sessions: u32,
    pub(super) idle_since: Option<Instant>,
    /// Of its place among those that are idle.
    pub(super) stamp: u64,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, client: &IpAddr) -> Option<&Entry> {
        self.shards[shard(client)].get(client)
    }

    pub(super) fn get_mut(&mut self, client: &IpAddr) -> Option<&mut Entry> {
        self.shards[shard(client)].get_mut(client)
    }

    pub(super) fn insert(&mut self, client: IpAddr, entry: Entry) {
        let former = self.shards[shard(&client)].insert(client, entry);
        self.count += usize::from(former.is_none());
    }

    pub(super) fn remove(&mut self, client: &IpAddr) {
        let former = self.shards[shard(client)].remove(client);
        self.count -= usize::from(former.is_some());
    }

    /// Those of one shard of [`SHARDS`].
    pub(super) fn shard(&self, number: usize) -> impl Iterator<Item = (&IpAddr, &Entry)> {
        self.shards[number].iter()
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashMap::new()).collect(),
            count: 0,
        }
    }
}

/// Neighbouring addresses go to different shards.
fn shard(client: &IpAddr) -> usize {
    let bits = match client {
        IpAddr::V4(client) => u64::from(client.to_bits()),
        IpAddr::V6(client) => {
            let [high, low] = [client.to_bits() >> 64, client.to_bits()].map(|bits| bits as u64);
            high.rotate_left(32) ^ low
        }
    };
    let mixed = bits.wrapping_mul(GOLDEN);
    usize::try_from(mixed >> (u64::BITS - SHARDS.ilog2())).unwrap_or(0)
}

/// A hundredth of a large table, about, is copied at a time. A power of two.
pub(super) const SHARDS: usize = 64;

/// 2^64 by the golden ratio: spreads what counts up.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn neighbours_are_spread_over_the_shards() {
        let v4 = |number: u32| IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + number));
        let v6 = |number: u32| IpAddr::from(Ipv6Addr::from_bits(u128::from(number) << 64 | 1));
        for addresses in [
            (0..6_400).map(v4).collect::<Vec<_>>(),
            (0..6_400).map(v6).collect(),
            (0..6_400).map(|number| v4(number << 8)).collect(),
        ] {
            let mut counts = [0; SHARDS];
            for address in &addresses {
                counts[shard(address)] += 1;
            }
            assert!(counts.iter().all(|count| *count < 400), "{counts:?}");
        }
    }
}
