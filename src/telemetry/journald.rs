//! A [`Record`] as an entry of systemd's journal, in the journal's own protocol; and whether a stream leads there.
//!
//! A datagram is a list of fields. A value without a line's end is written as `NAME=value`, any other with its length
//! (systemd's docs/JOURNAL_NATIVE_PROTOCOL.md).

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::record::Record;

/// Appends the entry; values end where the datagram would become too long for a socket.
pub(super) fn print(record: &Record<'_>, for_people: bool, out: &mut Vec<u8>) {
    let begin = out.len();
    let process = std::process::id().to_string();
    field("PRIORITY", &record.severity.to_string(), out);
    field("SYSLOG_IDENTIFIER", "howdah", out);
    field("SYSLOG_PID", &process, out);
    if !record.time.is_empty() {
        field("SYSLOG_TIMESTAMP", &record.time, out);
    }
    for (key, values) in &record.fields {
        let name = name(key);
        for value in values {
            field(&name, cut(value, LONGEST_VALUE), out);
        }
        if out.len() - begin > LONGEST / 2 {
            break;
        }
    }
    let room = LONGEST - (out.len() - begin).min(LONGEST);
    let text = record.text(for_people);
    let kept = cut(&text, room);
    if kept.len() < text.len() {
        field("HOWDAH_CUT", &text.len().to_string(), out);
    }
    field("MESSAGE", kept, out);
}

fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    if !value.contains('\n') {
        // A vector takes everything.
        let _ = writeln!(out, "{name}={value}");
        return;
    }
    let _ = writeln!(out, "{name}");
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    let _ = writeln!(out, "{value}");
}

/// `HOWDAH_SERVER`: capitals, digits and underscores, at most 64 (journal-file.c, `journal_field_valid`).
fn name(key: &str) -> String {
    let upper = key.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    });
    "HOWDAH_".chars().chain(upper).take(64).collect()
}

fn cut(text: &str, room: usize) -> &str {
    &text[..text.floor_char_boundary(room)]
}

/// Whether `stream` leads to the journal, by what systemd says of it (`JOURNAL_STREAM` in systemd.exec(5)), and the
/// journal's own socket answers.
pub(super) fn is_behind(stream: impl AsFd, said: Option<&str>, socket: &Path) -> bool {
    let Ok(stat) = rustix::fs::fstat(stream) else {
        return false;
    };
    let same = said == Some(format!("{}:{}", stat.st_dev, stat.st_ino).as_str());
    same && UnixDatagram::unbound().is_ok_and(|probe| probe.connect(socket).is_ok())
}

/// Of an entry: well below what a socket takes with the kernel's defaults (212,992).
const LONGEST: usize = 128 * 1024;
const LONGEST_VALUE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_fields_and_the_text() {
        let line = r#"{"time":"2027-01-15T08:00:00.000Z","level":"warn","message":"server is down","server":"hs2-1","two":"a\nb"}"#;
        let mut out = Vec::new();
        print(&Record::read(line), true, &mut out);
        let process = std::process::id();
        let mut expected = format!(
            "PRIORITY=4\nSYSLOG_IDENTIFIER=howdah\nSYSLOG_PID={process}\nSYSLOG_TIMESTAMP=2027-01-15T08:00:00.000Z\n\
             HOWDAH_SERVER=hs2-1\nHOWDAH_TWO\n"
        )
        .into_bytes();
        expected.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(b"a\nb\nMESSAGE=server is down server=hs2-1 two=\"a\\nb\"\n");
        assert_eq!(
            out.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[test]
    fn a_long_entry_is_cut_and_says_so() {
        let long = "x".repeat(LONGEST);
        let line = serde_json::json!({ "message": long, "a": long, "b": long }).to_string();
        let mut out = Vec::new();
        print(&Record::read(&line), true, &mut out);
        assert!(out.len() < LONGEST + 200, "{}", out.len());
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("\nHOWDAH_CUT="));
    }

    #[test]
    fn a_stream_leads_to_the_journal_when_systemd_says_so_and_the_journal_is_there() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let socket = dir.path().join("socket");
        let stream = tempfile::tempfile().expect("a file");
        let stat = rustix::fs::fstat(&stream).expect("is open");
        let said = format!("{}:{}", stat.st_dev, stat.st_ino);
        assert!(!is_behind(&stream, Some(&said), &socket), "nobody is there");
        let _journal = UnixDatagram::bind(&socket).expect("binds");
        assert!(is_behind(&stream, Some(&said), &socket));
        assert!(!is_behind(&stream, Some("1:2"), &socket));
        assert!(!is_behind(&stream, None, &socket));
    }
}
