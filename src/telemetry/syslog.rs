//! A [`Record`] as a message of RFC 5424. Pure.
//!
//! Fields are structured data, the text is the line, or words for people. A message that would be longer than its
//! transport carries is cut, and says so itself: its parameter `cut` is how long the text was.

use std::io::Write;

use super::record::Record;
use crate::plan::Facility;

/// What is the same in each message.
#[derive(Clone, Debug)]
pub(super) struct Header {
    facility: Facility,
    host: String,
    process: u32,
    /// Octets that a message may have.
    limit: usize,
    for_people: bool,
}

impl Header {
    /// Of this process; `host` is the machine's name.
    pub(super) fn new(facility: Facility, host: &str, limit: usize, for_people: bool) -> Self {
        let host = host.trim();
        let plain = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
        let host = match plain {
            true => host.chars().take(255).collect(),
            false => NIL.to_owned(),
        };
        Self {
            facility,
            host,
            process: std::process::id(),
            limit: limit.max(SHORTEST),
            for_people,
        }
    }

    /// Appends the message.
    pub(super) fn print(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        let begin = out.len();
        self.head(record, out);
        let head = out.len();
        structured(record, None, usize::MAX, out);
        let text = record.text(self.for_people);
        message(&text, usize::MAX, out);
        if out.len() - begin <= self.limit {
            return;
        }
        out.truncate(head);
        let room = self.limit - (head - begin);
        structured(record, Some(text.len()), room / 2, out);
        message(&text, self.limit - (out.len() - begin), out);
    }

    fn head(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        let priority = self.facility.code() * 8 + record.severity;
        let time = match record.time.is_empty() {
            true => NIL,
            false => &record.time,
        };
        let kind: String = record.kind().chars().take(32).collect();
        let kind = if kind.is_empty() { NIL } else { &kind };
        let (host, process) = (&self.host, self.process);
        // A vector takes everything.
        let _ = write!(out, "<{priority}>1 {time} {host} howdah {process} {kind} ");
    }
}

/// The one element; fields that have no room in `room` octets are left out.
fn structured(record: &Record<'_>, cut: Option<usize>, room: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    let _ = write!(out, "[{ELEMENT}");
    if let Some(was) = cut {
        let _ = write!(out, " cut=\"{was}\"");
    }
    for (key, values) in &record.fields {
        for value in values {
            let before = out.len();
            let _ = write!(out, " {}=\"", name(key));
            escape(value, out);
            out.push(b'"');
            if out.len() - begin >= room {
                out.truncate(before);
            }
        }
    }
    out.push(b']');
}

/// SD-NAME of §6.3: at most 32 of the printable characters, without four of them.
fn name(key: &str) -> String {
    let good = |c: &char| c.is_ascii_graphic() && !matches!(c, '=' | ' ' | ']' | '"');
    key.chars().filter(good).take(32).collect()
}

/// PARAM-VALUE of §6.3.3, and no control characters, which a daemon would change in ways of its own.
fn escape(value: &str, out: &mut Vec<u8>) {
    for character in value.chars() {
        match character {
            '"' | '\\' | ']' => {
                let _ = write!(out, "\\{character}");
            }
            control if control.is_control() => {
                let _ = write!(out, "#{:03o}", u32::from(control));
            }
            plain => {
                let _ = write!(out, "{plain}");
            }
        }
    }
}

/// A space and the text in at most `room` octets. ASCII is sent as it is, UTF-8 after its mark (§6.4).
fn message(text: &str, room: usize, out: &mut Vec<u8>) {
    let mark: &[u8] = if text.is_ascii() { b"" } else { BOM };
    let room = room.saturating_sub(1 + mark.len());
    let kept = match text.len() <= room {
        true => text,
        false => &text[..text.floor_char_boundary(room.saturating_sub(CUT.len()))],
    };
    out.push(b' ');
    out.extend_from_slice(mark);
    for character in kept.chars() {
        let shown = if character.is_control() {
            ' '
        } else {
            character
        };
        let mut bytes = [0; 4];
        let shown = shown.encode_utf8(&mut bytes);
        // As long as before: what is cut was counted in octets.
        out.extend_from_slice(shown.as_bytes());
    }
    if kept.len() < text.len() {
        out.extend_from_slice(CUT.as_bytes());
    }
}

const NIL: &str = "-";
/// howdah has no number of its own at IANA; this one is reserved for those who have none to show (RFC 5612).
const ELEMENT: &str = "howdah@32473";
const BOM: &[u8] = b"\xef\xbb\xbf";
const CUT: &str = "...";
/// What every receiver takes (RFC 5424 §6.1).
const SHORTEST: usize = 480;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(line: &str, limit: usize, for_people: bool) -> String {
        let header = Header::new(Facility::Daemon, "lb-1", limit, for_people);
        let mut out = Vec::new();
        header.print(&Record::read(line), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_line_becomes_a_message() {
        let line = r#"{"time":"2027-01-15T08:00:00.000Z","level":"error","message":"server is down","server":"a\"b]c\\d","names":["x","y"]}"#;
        let process = std::process::id();
        let head = format!("<27>1 2027-01-15T08:00:00.000Z lb-1 howdah {process} server-is-down ");
        let data = r#"[howdah@32473 server="a\"b\]c\\d" names="x" names="y"]"#;
        let text = r#"server is down server="a\"b]c\\d" names="x, y""#;
        assert_eq!(printed(line, 8192, true), format!("{head}{data} {text}"));
        assert_eq!(printed(line, 8192, false), format!("{head}{data} {line}"));
    }

    #[test]
    fn utf_8_has_its_mark_and_ascii_has_none() {
        let plain = printed(r#"{"level":"info","message":"a"}"#, 8192, true);
        assert!(plain.ends_with("] a"), "{plain}");
        let marked = printed(r#"{"level":"info","message":"ä"}"#, 8192, true);
        assert!(marked.ends_with("] \u{feff}ä"), "{marked}");
    }

    #[test]
    fn a_name_of_the_machine_that_is_none_is_nil() {
        for (host, shown) in [("", "-"), ("a b", "-"), ("lb-1\n", "lb-1"), ("ä", "-")] {
            assert_eq!(Header::new(Facility::User, host, 480, true).host, shown);
        }
    }

    proptest! {
        #[test]
        fn no_message_is_longer_than_its_limit_and_a_cut_one_says_so(
            message in "\\PC{0,900}", value in any::<String>(), limit in 480_usize..4096,
        ) {
            let line = serde_json::json!({
                "time": "2027-01-15T08:00:00.000Z", "message": message, "server": value, "other": "x",
            }).to_string();
            let whole = printed(&line, usize::MAX, true);
            let shown = printed(&line, limit, true);
            prop_assert!(shown.len() <= limit, "{} of {limit}", shown.len());
            prop_assert_eq!(shown.contains(" cut=\""), whole.len() > limit);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
