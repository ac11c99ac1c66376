//! What is no file of howdah's at all: a key, a password, a program, or another program's configuration, named by mistake.
//! Told without showing a byte of it, as nobody knows who reads along.
//!
//! [`of_bytes`] judges before anything is read as text; [`of_text`] and [`of_keys`] after the TOML parser, and before any
//! fault is told, as each fault shows the line it stands in.

use super::language;

/// What such a file seems to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stranger {
    /// "this is a private key".
    pub(super) is: String,
    /// What to do about it, where one can say.
    pub(super) fix: Option<String>,
}

impl Stranger {
    pub(super) fn new(is: impl Into<String>, fix: Option<&str>) -> Self {
        Self {
            is: is.into(),
            fix: fix.map(str::to_owned),
        }
    }
}

/// What is no text, and keys.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<Stranger> {
    let holds = |needle: &str| {
        bytes
            .windows(needle.len())
            .any(|at| at == needle.as_bytes())
    };
    if holds("PRIVATE KEY-----") {
        return Some(Stranger::new("this is a private key", None));
    }
    if holds("-----BEGIN ") {
        return Some(Stranger::new("this is a PEM file", None));
    }
    if is_utf16(bytes) {
        return Some(Stranger::new("this is text in UTF-16", Some(FROM_UTF16)));
    }
    let known = BINARIES.iter().find(|(magic, ..)| bytes.starts_with(magic));
    if let Some((_, is, fix)) = known {
        return Some(Stranger::new(*is, *fix));
    }
    let blank = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
    let control = |byte: &u8| byte.is_ascii_control() && !blank(*byte);
    let broken = std::str::from_utf8(bytes).is_err() && bytes.iter().any(control);
    (broken || bytes.contains(&0)).then(|| Stranger::new("this is no text", None))
}

/// By its mark, or by the zeroes between the letters of ASCII.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [0, one, 0, other, ..] | [one, 0, other, 0, ..] => *one != 0 && *other != 0,
        _ => false,
    }
}

/// What a text seems to be that is no TOML, at line `line` first; `None` where it has a table or key of `ours`, so that it is
/// a file of howdah's with a slip in it.
pub(super) fn of_text(text: &str, line: usize, ours: &[&str]) -> Option<Stranger> {
    if text.lines().any(|line| is_ours(line, ours)) {
        return None;
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (first, second) = (lines.next()?, lines.next());
    if second.is_none() && !is_of_a_configuration(first) {
        let is = "there is one line in it, and no key: is this a password?";
        return Some(Stranger::new(is, None));
    }
    if let Some(language) = language::of(text) {
        let fix = match language {
            language::HAPROXY => FROM_HAPROXY,
            _ => WRITE_TOML,
        };
        let is = format!("this looks like {language}");
        return Some(Stranger::new(is, Some(fix)));
    }
    let is = format!("line {line} of it is no TOML, and nothing of howdah's is in it");
    Some(Stranger::new(is, Some(WRITE_TOML)))
}

/// The same of TOML, by its first keys.
pub(super) fn of_keys<'k>(
    keys: impl Iterator<Item = &'k str>,
    ours: &[&'static str],
) -> Option<Stranger> {
    let mut keys = keys.peekable();
    keys.peek()?;
    let strange = keys.all(|key| super::suggest::key(key, ours).is_none() && !ours.contains(&key));
    let is = "this is TOML, and nothing of howdah's is in it";
    strange.then(|| Stranger::new(is, None))
}

/// A header, or a key with a list, a table or a key of its own behind it, whose name is nearly one of `ours`.
fn is_ours(line: &str, ours: &[&str]) -> bool {
    let line = line.trim();
    let inside = line.trim_start_matches(['[', ' ']);
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let (word, rest) = inside.split_at(end.unwrap_or(inside.len()));
    let value = rest.trim_start().strip_prefix('=').map(str::trim_start);
    let leads = line.starts_with('[') && !rest.starts_with('"')
        || rest.starts_with('.') && rest.contains('=')
        || value.is_some_and(|value| value.starts_with(['[', '{']));
    let near = |own: &&str| strsim::damerau_levenshtein(word, own) <= own.len() / 4;
    leads && ours.iter().any(near)
}

/// A header, a comment, or a key with something behind its sign. Base64 has such signs too, but only at its end.
fn is_of_a_configuration(line: &str) -> bool {
    let value = line.split_once('=').map(|(_, value)| value.trim());
    line.starts_with(['[', '#', '{', '<'])
        || value.is_some_and(|value| !value.trim_matches('=').is_empty())
}

/// How such a file begins, what it is, and what to do.
const BINARIES: &[(&[u8], &str, Option<&str>)] = &[
    (
        b"\x1f\x8b",
        "this is a gzip file",
        Some("gunzip -c FILE > NEW"),
    ),
    (
        b"BZh",
        "this is a bzip2 file",
        Some("bunzip2 -c FILE > NEW"),
    ),
    (b"\xfd7zXZ", "this is an xz file", Some("xz -dc FILE > NEW")),
    (
        b"\x28\xb5\x2f\xfd",
        "this is a zstd file",
        Some("zstd -dc FILE > NEW"),
    ),
    (b"PK\x03\x04", "this is a zip file", Some("unzip it first")),
    (b"\x7fELF", "this is a program", None),
    (b"\xfe\xed\xfe\xed", "this is a Java keystore", None),
    (b"\x05\x02\x00", "this is a Kerberos keytab", None),
    (
        b"\x30\x82",
        "this is a key or a certificate in DER form",
        None,
    ),
];

const FROM_UTF16: &str = "save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW";
const FROM_HAPROXY: &str = "howdah reads TOML: HAProxy's frontend is a [[listener]], its backend a [pool.NAME]; \
                            conf/howdah.toml shows all there is";
const WRITE_TOML: &str = "howdah reads TOML: a table begins with [NAME], a key is said as KEY = VALUE; \
                          conf/howdah.toml shows all there is";

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [&str; 2] = ["listener", "pool"];

    fn is(text: &str) -> Option<String> {
        of_text(text, 1, &OURS).map(|stranger| stranger.is)
    }

    #[test]
    fn secrets_are_told_from_configurations() {
        for (text, none) in [
            ("hunter2\n", true),
            ("c2VjcmV0IQ==", true),
            ("user:hunter2\n\n", true),
            ("listener\npool\n", true),
            ("[grafana]\npassword = hunter2\n", true),
            ("[pip]\nindex = https://me:hunter2@host\n", true),
            ("log = debug\nkey = hunter2\n", true),
            ("", false),
            ("[[listener]]\nname = hive\n", false),
            ("[[listner]\n", false),
            ("pool.hive.service = hive\n", false),
            ("listener = [\n  { name = hive\n", false),
        ] {
            assert_eq!(is(text).is_some(), none, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_told_by_how_it_begins() {
        let said = |bytes: &[u8]| of_bytes(bytes).map(|stranger| stranger.is);
        for (bytes, part) in [
            (
                &b"-----BEGIN EC PRIVATE KEY-----\nMIIB\n"[..],
                "private key",
            ),
            (b"# mine\n-----BEGIN CERTIFICATE-----\nMIIB\n", "PEM"),
            (b"\xff\xfe[\0l\0", "UTF-16"),
            (b"[\0[\0l\0i\0", "UTF-16"),
            (b"\0[\0[\0l\0i", "UTF-16"),
            (b"\x1f\x8b\x08\x00", "gzip"),
            (b"\x30\x82\x04\x00", "DER"),
            (b"0\xff\x01\xff", "no text"),
            (b"[log]\0", "no text"),
        ] {
            let is = said(bytes).unwrap_or_default();
            assert!(is.contains(part), "{bytes:?}: {is}");
        }
        assert_eq!(said(b"# Z\xfcrich\n[global]\n"), None);
        assert_eq!(said("[log] # größer\n".as_bytes()), None);
    }

    #[test]
    fn toml_of_others_is_none_of_ours() {
        let known = ["listener", "pool", "global", "log"];
        let strange = |keys: &[&str]| of_keys(keys.iter().copied(), &known).is_some();
        assert!(strange(&["package", "dependencies"]));
        assert!(strange(&["api_key"]));
        assert!(!strange(&["globals", "listeners"]) && !strange(&["log", "x"]));
        assert!(!strange(&[]) && !strange(&["frontend"]));
    }
}
