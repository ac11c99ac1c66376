//! The four ciphers of AES that Kerberos has (RFC 3961, 3962, 8009), on the cryptography that TLS brings already.
//!
//! RC4 and DES are not here: they are off in every KDC that is kept.

use std::fmt;

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::{constant_time, hmac};
use zeroize::Zeroizing;

use super::fault::Untrue;

/// A block of AES; also what is put before each plaintext so that none is enciphered alike twice.
pub type Block = [u8; 16];

/// A key that can do what Kerberos asks of one.
#[derive(Clone)]
pub struct Key {
    etype: Etype,
    bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key of type {:?}: ***", self.etype)
    }
}

/// Numbers of IANA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Etype {
    Aes128Sha1 = 17,
    Aes256Sha1 = 18,
    Aes128Sha256 = 19,
    Aes256Sha384 = 20,
}

/// What KDCs are asked for, best first.
pub const ETYPES: [i32; 4] = [18, 17, 20, 19];

/// What a key derived for a use is for, RFC 3961 §5.3.
#[derive(Clone, Copy)]
enum Purpose {
    Checksum = 0x99,
    Encryption = 0xaa,
    Integrity = 0x55,
}

impl Key {
    /// `None` where the type is not one of [`ETYPES`], or the length not that type's.
    pub fn new(etype: i32, bytes: &[u8]) -> Option<Self> {
        let etype = match etype {
            17 => Etype::Aes128Sha1,
            18 => Etype::Aes256Sha1,
            19 => Etype::Aes128Sha256,
            20 => Etype::Aes256Sha384,
            _ => return None,
        };
        let bytes = Zeroizing::new(bytes.to_vec());
        (bytes.len() == etype.key_length()).then_some(Self { etype, bytes })
    }

    /// The number of its type.
    pub fn etype(&self) -> i32 {
        self.etype as i32
    }

    /// The number of the type of [`Self::checksum`].
    pub(super) fn checksum_type(&self) -> i64 {
        match self.etype {
            Etype::Aes128Sha1 => 15,
            Etype::Aes256Sha1 => 16,
            Etype::Aes128Sha256 => 19,
            Etype::Aes256Sha384 => 20,
        }
    }

    /// For `usage`; `random` is to be new each time.
    pub(super) fn encrypt(&self, usage: u32, plain: &[u8], random: Block) -> Vec<u8> {
        let text = Zeroizing::new([&random[..], plain].concat());
        let key = self.derived(usage, Purpose::Encryption);
        let mut sealed = cts_encrypt(&key, &text);
        let mac = match self.etype.is_of_sha1() {
            true => self.mac(usage, Purpose::Integrity, &[&text]),
            false => self.mac(usage, Purpose::Integrity, &[&[0; 16], &sealed]),
        };
        sealed.extend(mac);
        sealed
    }

    /// The plaintext, if it was this key that sealed it.
    pub(super) fn decrypt(&self, usage: u32, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Untrue> {
        let length = sealed.len().checked_sub(self.etype.mac_length());
        let (sealed, mac) = sealed.split_at(length.filter(|length| *length >= 16).ok_or(Untrue)?);
        let key = self.derived(usage, Purpose::Encryption);
        let mut text = Zeroizing::new(cts_decrypt(&key, sealed).ok_or(Untrue)?);
        let own = match self.etype.is_of_sha1() {
            true => self.mac(usage, Purpose::Integrity, &[&text]),
            false => self.mac(usage, Purpose::Integrity, &[&[0; 16], sealed]),
        };
        constant_time::verify_slices_are_equal(&own, mac).map_err(|_| Untrue)?;
        text.drain(..16);
        Ok(text)
    }

    /// Over all pieces.
    pub(super) fn checksum(&self, usage: u32, pieces: &[&[u8]]) -> Vec<u8> {
        self.mac(usage, Purpose::Checksum, pieces)
    }

    pub(super) fn verify(&self, usage: u32, pieces: &[&[u8]], mac: &[u8]) -> Result<(), Untrue> {
        let own = self.checksum(usage, pieces);
        constant_time::verify_slices_are_equal(&own, mac).map_err(|_| Untrue)
    }

    /// Bytes that a checksum takes.
    pub(super) fn mac_length(&self) -> usize {
        self.etype.mac_length()
    }

    fn mac(&self, usage: u32, purpose: Purpose, pieces: &[&[u8]]) -> Vec<u8> {
        let key = self.derived(usage, purpose);
        let mut mac = self.etype.hmac(&key, pieces);
        mac.truncate(self.etype.mac_length());
        mac
    }

    fn derived(&self, usage: u32, purpose: Purpose) -> Zeroizing<Vec<u8>> {
        let [a, b, c, d] = usage.to_be_bytes();
        let constant = [a, b, c, d, purpose as u8];
        match self.etype.is_of_sha1() {
            true => self.derived_3962(&constant),
            false => self.derived_8009(&constant, purpose),
        }
    }

    /// RFC 3961 §5.1: blocks of blocks, until there are enough.
    fn derived_3962(&self, constant: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut block: Block = [0; 16];
        block.copy_from_slice(&nfold(constant, 16));
        let mut out = Zeroizing::new(Vec::with_capacity(32));
        let Some(cipher) = encrypting(&self.bytes) else {
            return out;
        };
        while out.len() < self.bytes.len() {
            let _ = cipher.encrypt(&mut block);
            out.extend_from_slice(&block);
        }
        out
    }

    /// RFC 8009 §3 and §5.
    fn derived_8009(&self, label: &[u8], purpose: Purpose) -> Zeroizing<Vec<u8>> {
        let length = match purpose {
            Purpose::Encryption => self.etype.key_length(),
            Purpose::Checksum | Purpose::Integrity => self.etype.mac_length(),
        };
        let bits = u32::try_from(length * 8).unwrap_or(0).to_be_bytes();
        let pieces: [&[u8]; 4] = [&[0, 0, 0, 1], label, &[0], &bits];
        let mut out = self.etype.hmac(&self.bytes, &pieces);
        out.truncate(length);
        Zeroizing::new(out)
    }
}

impl Etype {
    fn is_of_sha1(self) -> bool {
        matches!(self, Self::Aes128Sha1 | Self::Aes256Sha1)
    }

    fn key_length(self) -> usize {
        match self {
            Self::Aes128Sha1 | Self::Aes128Sha256 => 16,
            Self::Aes256Sha1 | Self::Aes256Sha384 => 32,
        }
    }

    fn mac_length(self) -> usize {
        match self {
            Self::Aes128Sha1 | Self::Aes256Sha1 => 12,
            Self::Aes128Sha256 => 16,
            Self::Aes256Sha384 => 24,
        }
    }

    fn hmac(self, key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
        let algorithm = match self {
            Self::Aes128Sha1 | Self::Aes256Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Aes128Sha256 => hmac::HMAC_SHA256,
            Self::Aes256Sha384 => hmac::HMAC_SHA384,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        pieces.iter().for_each(|piece| context.update(piece));
        context.sign().as_ref().to_vec()
    }
}

/// RFC 3961 §5.1: stretches or folds `input` to `length` bytes, with every bit of it in every part.
fn nfold(input: &[u8], length: usize) -> Vec<u8> {
    let whole = lcm(input.len(), length);
    let bits = input.len() * 8;
    // Each copy is turned right by 13 bits more than the one before.
    let turned = |index: usize| {
        let (copy, at) = (index / input.len(), index % input.len());
        let start = (at * 8 + bits * 13 - 13 * copy % bits) % bits;
        let (byte, shift) = (start / 8, start % 8);
        let pair = u16::from_be_bytes([input[byte], input[(byte + 1) % input.len()]]);
        pair << shift >> 8
    };
    // The sum of all chunks, with the carry brought around to the end.
    let mut sums: Vec<u32> = vec![0; length];
    for index in 0..whole {
        sums[index % length] += u32::from(turned(index));
    }
    let mut carry = 0;
    for _ in 0..3 {
        for sum in sums.iter_mut().rev() {
            *sum += carry;
            carry = *sum >> 8;
            *sum &= 0xff;
        }
    }
    sums.iter().map(|sum| sum.to_be_bytes()[3]).collect()
}

fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

fn unbound(key: &[u8]) -> Option<UnboundCipherKey> {
    let algorithm = match key.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return None,
    };
    UnboundCipherKey::new(algorithm, key).ok()
}

fn encrypting(key: &[u8]) -> Option<EncryptingKey> {
    EncryptingKey::ecb(unbound(key)?).ok()
}

/// CBC with stolen ciphertext, RFC 3962 §5: as long as `plain`, which is at least a block.
fn cts_encrypt(key: &[u8], plain: &[u8]) -> Vec<u8> {
    let Some(cipher) = encrypting(key) else {
        return Vec::new();
    };
    let mut before: Block = [0; 16];
    let mut out = Vec::with_capacity(plain.len() + 16);
    for chunk in plain.chunks(16) {
        for (byte, plain) in before.iter_mut().zip(chunk) {
            *byte ^= plain;
        }
        let _ = cipher.encrypt(&mut before);
        out.extend_from_slice(&before);
    }
    // The last two change places, and the one that is last now is cut.
    if out.len() > 16 {
        let last = out.split_off(out.len() - 16);
        let cut = out.split_off(out.len() - 16);
        out.extend(last);
        out.extend(cut);
    }
    out.truncate(plain.len());
    out
}

/// The other way; `None` below a block.
fn cts_decrypt(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = DecryptingKey::ecb(unbound(key)?).ok()?;
    let open = |block: &[u8]| {
        let mut block: Block = block.try_into().ok()?;
        cipher.decrypt(&mut block, DecryptionContext::None).ok()?;
        Some(block)
    };
    let tail = match sealed.len() {
        ..16 => return None,
        16 => return open(sealed).map(|block| block.to_vec()),
        length => (length - 1) % 16 + 1,
    };
    let (rest, cut) = sealed.split_at(sealed.len() - tail);
    let (front, last) = rest.split_at(rest.len() - 16);
    let mixed = open(last)?;
    // What was stolen of the block before the last.
    let mut whole: Block = mixed;
    whole[..tail].copy_from_slice(cut);
    let mut out = Vec::with_capacity(sealed.len());
    let mut before: Block = [0; 16];
    for chunk in front.chunks(16).chain([&whole[..]]) {
        let block = open(chunk)?;
        out.extend(block.iter().zip(before).map(|(byte, before)| byte ^ before));
        before.copy_from_slice(chunk);
    }
    out.extend(mixed.iter().zip(cut).map(|(byte, cut)| byte ^ cut));
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
        pairs
            .map(|pair| u8::from_str_radix(&pair, 16).unwrap())
            .collect()
    }

    /// RFC 3961, A.1.
    #[test]
    fn folds_as_the_rfc_does() {
        for (input, length, folded) in [
            ("012345", 8, "be072631276b1955"),
            ("password", 7, "78a07b6caf85fa"),
            ("Rough Consensus, and Running Code", 8, "bb6ed30870b7f0e0"),
            ("kerberos", 16, "6b65726265726f737b9b5b2b93132b93"),
            ("kerberos", 8, "6b65726265726f73"),
        ] {
            assert_eq!(nfold(input.as_bytes(), length), hex(folded), "{input}");
        }
    }

    /// RFC 3962, appendix B.
    #[test]
    fn steals_ciphertext_as_the_rfc_does() {
        let key = b"chicken teriyaki";
        let text = b"I would like the General Gau's Chicken, please, and wonton soup.";
        for (length, sealed) in [
            (17, "c6353568f2bf8cb4d8a580362da7ff7f97"),
            (
                31,
                "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5",
            ),
            (
                32,
                "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584",
            ),
        ] {
            let plain = &text[..length];
            assert_eq!(cts_encrypt(key, plain), hex(sealed));
            assert_eq!(cts_decrypt(key, &hex(sealed)).unwrap(), plain);
        }
    }

    /// RFC 8009, appendix A: keys derived for usage 2, and a checksum.
    #[test]
    fn derives_keys_as_rfc_8009_does() {
        let key = Key::new(19, &hex("3705d96080c17728a0e800eab6e0d23c")).unwrap();
        let derived = |purpose| key.derived(2, purpose).to_vec();
        assert_eq!(
            derived(Purpose::Checksum),
            hex("b31a018a48f54776f403e9a396325dc3")
        );
        assert_eq!(
            derived(Purpose::Encryption),
            hex("9b197dd1e8c5609d6e67c3e37c62c72e")
        );
        assert_eq!(
            derived(Purpose::Integrity),
            hex("9fda0e56ab2d85e1569a688696c26a6c")
        );
        let text = hex("000102030405060708090a0b0c0d0e0f1011121314");
        let sum = key.checksum(2, &[&text]);
        assert_eq!(sum, hex("d78367186643d67b411cba9139fc1dee"));
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_with_the_same_key_alone(
            etype in 17..=20,
            secret in prop::array::uniform32(any::<u8>()),
            plain in prop::collection::vec(any::<u8>(), 0..80),
            random in prop::array::uniform16(any::<u8>()),
            usage in 1u32..30,
            flip in any::<prop::sample::Index>(),
        ) {
            let length = if etype % 2 == 1 { 16 } else { 32 };
            let key = Key::new(etype, &secret[..length]).unwrap();
            let mut sealed = key.encrypt(usage, &plain, random);
            prop_assert_eq!(key.decrypt(usage, &sealed).unwrap().to_vec(), plain);
            prop_assert!(key.decrypt(usage + 1, &sealed).is_err());
            let at = flip.index(sealed.len());
            sealed[at] ^= 1;
            prop_assert!(key.decrypt(usage, &sealed).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for etype in ETYPES {
                let length = if etype % 2 == 1 { 16 } else { 32 };
                let key = Key::new(etype, &vec![7; length]).unwrap();
                prop_assert!(key.decrypt(3, &bytes).is_err());
            }
        }
    }
}
