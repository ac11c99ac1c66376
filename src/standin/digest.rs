//! Many bytes that nobody has to store, and a fingerprint of what arrived.

use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::hash::Context;

/// An endless, reproducible sequence of bytes in which every position can be told from its neighbours.
///
/// It repeats after [`PERIOD`] bytes, a prime, so that no buffer size divides it: bytes lost, doubled or swapped
/// show in the [`Digest`].
pub struct Pattern {
    block: Box<[u8]>,
    at: usize,
}

impl Pattern {
    /// The same seed gives the same bytes.
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut block = vec![0; PERIOD].into_boxed_slice();
        random.fill(&mut block);
        Self { block, at: 0 }
    }

    /// The next bytes, at least one and at most `most`; call [`Self::advance`] with what was used of them.
    pub fn next(&self, most: usize) -> &[u8] {
        let end = self.at.saturating_add(most).min(self.block.len());
        self.block.get(self.at..end).unwrap_or_default()
    }

    /// Goes on by `used` bytes.
    pub fn advance(&mut self, used: usize) {
        self.at = (self.at + used) % self.block.len();
    }
}

/// SHA-256 of a stream, and its length.
pub struct Digest {
    hash: Box<dyn Context>,
    length: u64,
}

/// What a [`Digest`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Bytes seen.
    pub length: u64,
    /// Hexadecimal.
    pub sha256: String,
}

impl Digest {
    /// Of nothing yet.
    pub fn new() -> Self {
        // The hash of a cipher suite is the one implementation that is at hand without another dependency.
        let hash = match TLS13_AES_128_GCM_SHA256.tls13() {
            Some(suite) => suite.common.hash_provider.start(),
            None => unreachable!("a TLS 1.3 suite is one"),
        };
        Self { hash, length: 0 }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// The end of the stream.
    pub fn sum(self) -> Sum {
        let sha256 = self.hash.finish();
        let sha256 = sha256
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Sum {
            length: self.length,
            sha256,
        }
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

/// The sum of the first `length` bytes of the pattern with that seed.
pub fn sum_of_pattern(seed: u64, length: u64) -> Sum {
    let (mut pattern, mut digest) = (Pattern::new(seed), Digest::new());
    while digest.length < length {
        let left = usize::try_from(length - digest.length).unwrap_or(usize::MAX);
        let used = {
            let bytes = pattern.next(left);
            digest.update(bytes);
            bytes.len()
        };
        pattern.advance(used);
    }
    digest.sum()
}

/// A prime near one million.
const PERIOD: usize = 999_983;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_byte_shows_in_the_sum() {
        let whole = sum_of_pattern(7, 3_000_000);
        let mut digest = Digest::new();
        let (mut pattern, mut left) = (Pattern::new(7), 3_000_000);
        while left > 0 {
            let used = pattern.next(left.min(4097)).len();
            let skip = usize::from(left == 3_000_000);
            digest.update(&pattern.next(used)[skip..]);
            pattern.advance(used);
            left -= used;
        }
        let sum = digest.sum();
        assert_eq!(sum.length + 1, whole.length);
        assert_ne!(sum.sha256, whole.sha256);
    }

    #[test]
    fn the_sum_is_sha_256() {
        let mut digest = Digest::new();
        digest.update(b"abc");
        assert!(digest.sum().sha256.starts_with("ba7816bf8f01cfea"));
    }
}
