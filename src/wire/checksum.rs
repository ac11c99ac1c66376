//! The checksum of the internet protocols (RFC 1071): a sum in one's complement.

/// The sum of 16-bit words. Nothing here is so long (64 KiB) that it overflows.
pub(super) fn sum_of(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2);
    let words = words.map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    words.map(u32::from).sum()
}

/// The sum with what it carried; what is whole sums up to 0xffff.
pub(super) fn folded(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    let twice = (once & 0xffff) + (once >> 16);
    u16::try_from(twice).unwrap_or(u16::MAX)
}
