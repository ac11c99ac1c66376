//! Where TOML's strings and comments stand in a text. Pure, and for a text that need not be TOML.
//!
//! Those who show lines of the file ask here: a line may begin inside a string of several lines, and a comment may hold what a
//! string of the same look would be masked for.

use std::ops::Range;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Strings that end on another line than they began, or never: from the first quote to the last.
    pub(super) long: Vec<Range<usize>>,
    /// From `#` to the end of the line.
    pub(super) comments: Vec<Range<usize>>,
}

/// Goes through the text once.
pub(super) fn find(text: &str) -> Found {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Found::default(), 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => {
                let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
                found.comments.push(at..end);
                at = end;
            }
            quote @ (b'"' | b'\'') => {
                let end = end_of(bytes, at, *quote);
                if bytes[at..end].contains(&b'\n') {
                    found.long.push(at..end);
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    found
}

/// Behind the quote that ends the string that begins at `start`; a short one that has none ends with its line.
pub(super) fn end_of(bytes: &[u8], start: usize, quote: u8) -> usize {
    let long = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if long { 3 } else { 1 };
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !long => return at,
            byte if *byte == quote && !long => return at + 1,
            byte if *byte == quote && bytes[at..].starts_with(&[quote; 3]) => {
                // Up to two more belong to the string.
                let quotes = bytes[at..].iter().take_while(|one| **one == quote).count();
                return at + quotes.min(5);
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_strings_and_comments_are_found_and_nothing_else() {
        let text = "a = \"# no comment\" # one\nb = '''first\n# inside\n''' # two\nc = \"x\\\"\" # three\nd = \"\"\"never\n ends";
        let found = find(text);
        let shown =
            |all: &[Range<usize>]| all.iter().map(|one| &text[one.clone()]).collect::<Vec<_>>();
        assert_eq!(shown(&found.comments), ["# one", "# two", "# three"]);
        assert_eq!(
            shown(&found.long),
            ["'''first\n# inside\n'''", "\"\"\"never\n ends"]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a\"'#\\\\\n= é]*") {
            let found = find(&text);
            for range in found.long.iter().chain(&found.comments) {
                let _ = &text[range.clone()];
            }
        }
    }
}
