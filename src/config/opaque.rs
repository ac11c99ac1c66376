//! What is no configuration at all: a key, a password or a program that was named by mistake. Told without showing a byte
//! of it, as nobody knows who reads along.
//!
//! Before `syntax`, which shows the line of each fault.

/// Why the file is none, if it is none; `not_utf8` says that some of it was no text.
pub(super) fn judge(text: &str, not_utf8: bool) -> Option<&'static str> {
    if text.contains("PRIVATE KEY-----") {
        return Some("this is a private key");
    }
    if text.contains("-----BEGIN ") {
        return Some("this is a PEM file");
    }
    let blank = |c: char| matches!(c, '\t' | '\n' | '\r');
    if not_utf8 && text.chars().any(|c| c.is_ascii_control() && !blank(c)) {
        return Some("this is no text");
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (first, second) = (lines.next()?, lines.next());
    let one_word = second.is_none() && !is_of_a_configuration(first);
    one_word.then_some("there is one line in it, and no key: is this a password?")
}

/// A header, a comment, or a key with something behind its sign. Base64 has such signs too, but only at its end.
fn is_of_a_configuration(line: &str) -> bool {
    let value = line.split_once('=').map(|(_, value)| value.trim());
    line.starts_with(['[', '#']) || value.is_some_and(|value| !value.trim_matches('=').is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_configurations() {
        for (text, none) in [
            ("-----BEGIN PRIVATE KEY-----\nMIIB\n", true),
            ("# mine\n-----BEGIN CERTIFICATE-----\nMIIB\n", true),
            ("hunter2\n", true),
            ("c2VjcmV0IQ==", true),
            ("user:hunter2\n\n", true),
            ("", false),
            ("[global]", false),
            ("# nothing yet", false),
            ("global.workers = 2", false),
            ("listener\npool\n", false),
        ] {
            assert_eq!(judge(text, false).is_some(), none, "{text:?}");
        }
        assert!(judge("0\u{fffd}\u{1}\u{fffd}", true).is_some());
        assert!(judge("# Z\u{fffd}rich\n[global]\n", true).is_none());
    }
}
