//! Reads a keytab, version 2: the file in which MIT, Heimdal and Active Directory put keys.
//!
//! Entries of a length each, network order: <https://web.mit.edu/kerberos/krb5-devel/doc/formats/keytab_file_format.html>.

use zeroize::Zeroizing;

use crate::base::principal::Principal;
use crate::plan::KeytabKey;

/// A key, and whose it is.
pub(super) struct Entry {
    pub(super) principal: Principal,
    pub(super) key: KeytabKey,
}

/// `None` where the file is no keytab. What an entry breaks off is left out.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Entry>> {
    let mut rest = Bytes(bytes.strip_prefix(&[5, 2])?);
    let mut entries = Vec::new();
    while let Some(length) = rest.number::<4>() {
        let length = i32::from_be_bytes(length);
        let bytes = rest.take(usize::try_from(length.unsigned_abs()).ok()?);
        let Some(bytes) = bytes.filter(|_| length != 0) else {
            break;
        };
        // A negative length is a hole, where an entry was taken out.
        if length > 0 {
            entries.extend(entry(Bytes(bytes)));
        }
    }
    Some(entries)
}

fn entry(mut bytes: Bytes<'_>) -> Option<Entry> {
    let parts = u16::from_be_bytes(bytes.number()?);
    let realm = bytes.text()?;
    let parts: Option<Vec<String>> = (0..parts).map(|_| bytes.text()).collect();
    let _kind: [u8; 4] = bytes.number()?;
    let _time: [u8; 4] = bytes.number()?;
    let [short] = bytes.number()?;
    let etype = u16::from_be_bytes(bytes.number()?);
    let length = u16::from_be_bytes(bytes.number()?);
    let secret = bytes.take(length.into())?;
    // Versions beyond a byte stand after the key; four zeros say that there is none.
    let long = bytes.number().map(u32::from_be_bytes);
    let version = long.filter(|long| *long != 0).unwrap_or(short.into());
    Some(Entry {
        principal: Principal {
            parts: parts?,
            realm,
        },
        key: KeytabKey {
            etype: etype.into(),
            version,
            bytes: Zeroizing::new(secret.to_vec()),
        },
    })
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = u16::from_be_bytes(self.number()?);
        let text = self.take(length.into())?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&length[..], text.as_bytes()].concat()
    }

    fn written(version: u8, long: &[u8]) -> Vec<u8> {
        let entry = [
            &[0, 2][..],
            &text("EXAMPLE.COM"),
            &text("howdah"),
            &text("lb"),
            &[0, 0, 0, 1, 9, 9, 9, 9, version, 0, 17, 0, 16],
            &[7; 16],
            long,
        ]
        .concat();
        let length = u32::try_from(entry.len()).unwrap().to_be_bytes();
        [&length[..], &entry].concat()
    }

    #[test]
    fn keys_are_read_past_holes() {
        let hole = [&(-5i32).to_be_bytes()[..], &[1; 5]].concat();
        let file = [
            &[5, 2][..],
            &written(3, &[]),
            &hole,
            &written(4, &[0, 0, 1, 4]),
        ]
        .concat();
        let entries = read(&file).unwrap();
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| format!("{} {}", entry.principal, entry.key.version))
            .collect();
        assert_eq!(
            shown,
            ["howdah/lb@EXAMPLE.COM 3", "howdah/lb@EXAMPLE.COM 260"]
        );
        assert_eq!(entries[0].key.bytes[..], [7; 16]);
    }

    #[test]
    fn what_is_no_keytab_is_told() {
        assert!(read(b"").is_none());
        assert!(read(b"secret").is_none());
        assert!(read(&[5, 1, 0, 0]).is_none());
        assert!(read(&[5, 2]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let file = [&[5, 2][..], &bytes].concat();
            let _ = read(&bytes);
            let _ = read(&file);
            let cut = [&[5, 2][..], &written(1, &bytes)[..bytes.len() / 3]].concat();
            let _ = read(&cut);
        }
    }
}
