//! A request's path and the templates of the table; pure.
//!
//! The path is split at its slashes first and each segment is percent-decoded then, so a name may hold anything:
//! `hs2-1.example.com:10000` as it is or with `%3A`, a slash as `%2F`.

/// What stands in a path where its template has names in braces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(Vec<(&'static str, String)>);

/// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadEncoding;

impl Names {
    /// The names of a path that fits this template, as they were sent.
    pub(super) fn read(template: &'static str, path: &str) -> Result<Self, BadEncoding> {
        let pairs = template.split('/').zip(path.split('/'));
        let named = pairs.filter_map(|(segment, sent)| Some((name_in(segment)?, sent)));
        let decoded = named.map(|(name, sent)| Ok((name, decode(sent)?)));
        decoded.collect::<Result<_, _>>().map(Self)
    }

    /// Empty where the template has no such name.
    pub(super) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// How well a path fits a template: the number of segments that are spelled out; `None` where it does not.
pub(super) fn fit(template: &str, path: &str) -> Option<usize> {
    let (mut wanted, mut sent) = (template.split('/'), path.split('/'));
    let mut spelled = 0;
    loop {
        match (wanted.next(), sent.next()) {
            (None, None) => return Some(spelled),
            (Some(wanted), Some(sent)) if wanted == sent => spelled += 1,
            (Some(wanted), Some(_)) if name_in(wanted).is_some() => {}
            _ => return None,
        }
    }
}

/// Of a segment in braces.
pub(super) fn name_in(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// RFC 3986 §2.1.
pub(super) fn decode(segment: &str) -> Result<String, BadEncoding> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(BadEncoding)?;
        let high = hex(digits[0]).ok_or(BadEncoding)?;
        let low = hex(digits[1]).ok_or(BadEncoding)?;
        bytes.push(high << 4 | low);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| BadEncoding)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Writes a name so that it is one segment: everything but RFC 3986's unreserved characters and `:` is encoded.
pub fn encode(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                segment.push(char::from(byte));
            }
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVER: &str = "/api/v1/pools/{pool}/servers/{server}";

    #[test]
    fn a_template_fits_segment_by_segment() {
        for (template, path, fits) in [
            ("/", "/", Some(2)),
            ("/metrics", "/metrics", Some(2)),
            (SERVER, "/api/v1/pools/hive/servers/hs2-1:10000", Some(5)),
            (SERVER, "/api/v1/pools//servers/", Some(5)),
            ("/sessions/{id}", "/sessions/ended", Some(2)),
            ("/sessions/ended", "/sessions/ended", Some(3)),
            ("/", "", None),
            ("/", "*", None),
            ("/", "//", None),
            ("/metrics", "/metrics/", None),
            (SERVER, "/api/v1/pools/hive/servers", None),
            (SERVER, "/api/v1/pools/hive/servers/a/b", None),
        ] {
            assert_eq!(fit(template, path), fits, "{template} {path}");
        }
    }

    #[test]
    fn names_are_decoded() {
        let path = "/api/v1/pools/a%20b/servers/hs2-1%3a10000%2Fd%25";
        let names = Names::read(SERVER, path).expect("good");
        assert_eq!(names.get("pool"), "a b");
        assert_eq!(names.get("server"), "hs2-1:10000/d%");
        assert_eq!(names.find("id"), None);
        for server in ["%", "%4", "%zz", "%ff", "%+1"] {
            let path = format!("/api/v1/pools/hive/servers/{server}");
            assert_eq!(Names::read(SERVER, &path), Err(BadEncoding), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_name_survives_the_journey(name in any::<String>()) {
            let encoded = encode(&name);
            prop_assert!(!encoded.contains('/') && encoded.is_ascii());
            prop_assert_eq!(decode(&encoded), Ok(name));
        }

        #[test]
        fn no_path_panics(path in any::<String>()) {
            let _ = (fit(SERVER, &path), Names::read(SERVER, &path));
        }
    }
}
