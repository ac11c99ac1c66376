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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_and_its_borders() {
        let words = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(folded(sum_of(&words)), 0xddf2);
        assert_eq!(sum_of(&[0x12]), 0x1200, "the last byte alone");
        assert_eq!(folded(0x1_ffff), 1, "what is carried is carried again");
    }
}
