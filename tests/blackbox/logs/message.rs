//! What daemons receive, read as strictly as their documents say: RFC 5424 §6, and the journal's protocol.

use std::collections::BTreeMap;

/// A message of RFC 5424.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) facility: u32,
    pub(super) severity: u32,
    pub(super) process: String,
    pub(super) kind: String,
    /// Parameters of the one element.
    pub(super) data: Vec<(String, String)>,
    pub(super) text: String,
}

impl Message {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.data.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Panics at the first octet that the document does not allow.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{e}: {bytes:?}"));
        let rest = text.strip_prefix('<').expect("PRI");
        let (priority, rest) = rest.split_once('>').expect("PRI ends");
        assert!((1..=3).contains(&priority.len()), "{text}");
        assert!(priority == "0" || !priority.starts_with('0'), "{text}");
        let priority: u32 = priority.parse().unwrap();
        assert!(priority <= 191, "{text}");
        let rest = rest.strip_prefix("1 ").expect("VERSION");
        let mut parts = rest.splitn(6, ' ');
        let mut next = |longest: usize| {
            let part = parts.next().unwrap_or_else(|| panic!("ends early: {text}"));
            assert!((1..=longest).contains(&part.len()), "{part:?} of {text}");
            assert!(part.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            part.to_owned()
        };
        let time = next(32);
        assert!(is_time(&time), "{time}");
        let _host = next(255);
        assert_eq!(next(48), "howdah");
        let process = next(128);
        let kind = next(32);
        let (data, rest) = element(parts.next().expect("STRUCTURED-DATA"));
        let message = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{rest:?}"));
        let text = match message.strip_prefix('\u{feff}') {
            Some(marked) => marked,
            None => {
                assert!(message.is_ascii(), "UTF-8 without its mark: {message}");
                message
            }
        };
        assert!(!text.chars().any(char::is_control), "{text:?}");
        Self {
            facility: priority / 8,
            severity: priority % 8,
            process,
            kind,
            data,
            text: text.to_owned(),
        }
    }
}

/// `2027-01-15T08:00:00.000Z`
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    shape == "9999-99-99T99:99:99.999Z"
}

/// The one element, and what follows it.
fn element(text: &str) -> (Vec<(String, String)>, &str) {
    let text = text.strip_prefix("[howdah@32473").expect("SD-ID");
    let (mut data, mut rest) = (Vec::new(), text);
    loop {
        if let Some(after) = rest.strip_prefix(']') {
            return (data, after);
        }
        let (name, after) = rest
            .strip_prefix(' ')
            .and_then(|rest| rest.split_once("=\""))
            .unwrap_or_else(|| panic!("no parameter: {rest}"));
        let good = |byte: u8| byte.is_ascii_graphic() && !b"= ]\"".contains(&byte);
        assert!(
            (1..=32).contains(&name.len()) && name.bytes().all(good),
            "{name}"
        );
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().expect("the value ends") {
                (at, '"') => break at,
                (_, '\\') => match characters.next() {
                    Some((_, one @ ('"' | '\\' | ']'))) => value.push(one),
                    other => panic!("{other:?} escaped in {after}"),
                },
                (_, ']') => panic!("a bare bracket in {after}"),
                (_, control) if control.is_control() => panic!("a control in {after:?}"),
                (_, plain) => value.push(plain),
            }
        };
        data.push((name.to_owned(), value));
        rest = &after[end + 1..];
    }
}

/// The fields of an entry of the journal; the last of a name counts.
pub(super) fn entry(mut bytes: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !bytes.is_empty() {
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line");
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        let line = std::str::from_utf8(line).unwrap();
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => {
                bytes = rest;
                (name, value.to_owned())
            }
            None => {
                let (length, rest) = rest.split_first_chunk::<8>().expect("a length");
                let length = usize::try_from(u64::from_le_bytes(*length)).unwrap();
                assert_eq!(rest.get(length), Some(&b'\n'), "{line}");
                bytes = &rest[length + 1..];
                (line, String::from_utf8(rest[..length].to_vec()).unwrap())
            }
        };
        let good = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(good) && !name.starts_with('_'), "{name}");
        fields.insert(name.to_owned(), value);
    }
    fields
}
