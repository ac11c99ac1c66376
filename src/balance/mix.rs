//! Numbers that look random and are the same in every process.

use std::net::IpAddr;

/// The same number for the same address in every process, so that several howdahs agree.
pub fn hash_client(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(ip) => mix(u64::from(ip.to_bits())),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            mix(mix((bits >> 64) as u64) ^ bits as u64)
        }
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output.
pub(super) fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
