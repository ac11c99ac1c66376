//! An answer in nobody's protocol: which of the expressions that are expected does it match, and where does it end?
//!
//! Judged byte by byte, so that a verdict does not depend on the pieces in which the bytes come. An expression counts as
//! soon as it must match whatever follows, unless one before it still may; at the end of each line, and of the answer, the
//! first one counts that matches so far. As soon as none can match any more, that is the verdict.

use std::mem;

use crate::base::pattern::{Follow, Pattern};

/// Most that is read of one answer.
pub const ANSWER_MAX: usize = 64 * 1024;

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// With the line in which it is decided: `$` is a line's end, with or without CR.
    Line,
    /// With the byte that decides.
    Match,
    /// Two bytes before it, big end first, say how long it is.
    U16,
    /// The same with four.
    U32,
}

/// What the bytes so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Undecided; ask again with more, or say that there is no more.
    Incomplete,
    /// The expression of that place matches.
    Matches(usize),
    /// None does, and none will.
    NoMatch,
    /// [`ANSWER_MAX`] came, or is said to come, and nothing was decided.
    TooLong,
}

/// Reads one answer; see the module.
#[derive(Debug)]
pub struct Reader<'p> {
    patterns: &'p [Pattern],
    follows: Vec<Follow<'p>>,
    frame: Frame,
    heard: Vec<u8>,
    /// A carriage return that may be half of a line's end.
    held: bool,
    decided: Option<usize>,
}

impl<'p> Reader<'p> {
    /// Nothing was read.
    pub fn new(frame: Frame, patterns: &'p [Pattern]) -> Self {
        let framed = frame.length_bytes().is_some();
        let followed = patterns.iter().filter(|_| !framed);
        Self {
            patterns,
            follows: followed.map(Pattern::follow).collect(),
            frame,
            heard: Vec::new(),
            held: false,
            decided: None,
        }
    }

    /// Takes in what has arrived since the last call, and says how many bytes of it belong to this answer.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Incoming) {
        if let Some(width) = self.frame.length_bytes() {
            return self.feed_framed(bytes, width);
        }
        for (at, byte) in bytes.iter().enumerate() {
            let incoming = self.byte(*byte);
            match incoming {
                Incoming::Incomplete if self.heard.len() < ANSWER_MAX => {}
                Incoming::Incomplete => return (at + 1, self.decision(Incoming::TooLong)),
                Incoming::NoMatch => {
                    let rest = &bytes[at + 1..];
                    let line = rest.iter().position(|byte| *byte == b'\n');
                    let shown = &rest[..line.unwrap_or(rest.len()).min(SHOWN_MAX)];
                    self.heard.extend_from_slice(shown);
                    return (at + 1, incoming);
                }
                _ => return (at + 1, incoming),
            }
        }
        (bytes.len(), Incoming::Incomplete)
    }

    /// The server has ended its side, or no more time is left.
    pub fn end(&mut self) -> Incoming {
        if self.decided.is_none() {
            self.settle();
        }
        self.decision(Incoming::NoMatch)
    }

    /// What is decided already, though the line may go on.
    pub fn decided(&self) -> Option<usize> {
        self.decided
    }

    /// The answer as far as it came; without the length before it, or the line's end behind it.
    pub fn heard(&self) -> &[u8] {
        let skip = self.frame.length_bytes().unwrap_or(0);
        let heard = self.heard.get(skip..).unwrap_or_default();
        match (self.frame, heard.strip_suffix(b"\n")) {
            (Frame::Line, Some(line)) => line.strip_suffix(b"\r").unwrap_or(line),
            _ => heard,
        }
    }

    fn decision(&self, otherwise: Incoming) -> Incoming {
        self.decided.map_or(otherwise, Incoming::Matches)
    }

    fn byte(&mut self, byte: u8) -> Incoming {
        self.heard.push(byte);
        if self.frame == Frame::Match {
            return self.advance(byte);
        }
        let ends = byte == b'\n';
        if self.decided.is_none() && ends {
            self.settle();
        }
        if self.decided.is_some() {
            return match ends {
                true => self.decision(Incoming::NoMatch),
                false => Incoming::Incomplete,
            };
        }
        let held = mem::replace(&mut self.held, byte == b'\r');
        if held {
            let _ = self.advance(b'\r');
        }
        if byte == b'\r' {
            return Incoming::Incomplete;
        }
        match self.advance(byte) {
            Incoming::Matches(_) => Incoming::Incomplete,
            other => other,
        }
    }

    fn advance(&mut self, byte: u8) -> Incoming {
        let mut open = false;
        for (place, follow) in self.follows.iter_mut().enumerate() {
            follow.feed(byte);
            if follow.is_match() && !open {
                self.decided.get_or_insert(place);
            }
            open |= !follow.is_dead();
        }
        match open {
            true => self.decision(Incoming::Incomplete),
            false => Incoming::NoMatch,
        }
    }

    /// If nothing else came, who would match?
    fn settle(&mut self) {
        let mut follows = self.follows.iter_mut();
        self.decided = follows.position(Follow::matches_here);
    }

    fn feed_framed(&mut self, bytes: &[u8], width: usize) -> (usize, Incoming) {
        let mut used = self.fill(bytes, width);
        let Some(head) = self.heard.get(..width) else {
            return (used, Incoming::Incomplete);
        };
        let length = head
            .iter()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        if length > ANSWER_MAX {
            return (used, Incoming::TooLong);
        }
        used += self.fill(&bytes[used..], width + length);
        if self.heard.len() < width + length {
            return (used, Incoming::Incomplete);
        }
        let message = &self.heard[width..];
        let matched = self.patterns.iter().position(|one| one.is_match(message));
        (used, matched.map_or(Incoming::NoMatch, Incoming::Matches))
    }

    /// Moves bytes in until `most` are there; returns how many.
    fn fill(&mut self, bytes: &[u8], most: usize) -> usize {
        let part = bytes.len().min(most.saturating_sub(self.heard.len()));
        self.heard.extend_from_slice(&bytes[..part]);
        part
    }
}

impl Frame {
    fn length_bytes(self) -> Option<usize> {
        match self {
            Self::U16 => Some(2),
            Self::U32 => Some(4),
            Self::Line | Self::Match => None,
        }
    }
}

/// More of a strange line is not shown.
const SHOWN_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&'static str]) -> Vec<Pattern> {
        let all = texts.iter();
        all.map(|text| Pattern::new(*text).expect(text)).collect()
    }

    /// Fed in pieces of that size; then the end, if nothing was decided.
    fn read(frame: Frame, texts: &[&'static str], bytes: &[u8], piece: usize) -> (usize, Incoming) {
        let patterns = patterns(texts);
        let mut reader = Reader::new(frame, &patterns);
        let mut used = 0;
        for piece in bytes.chunks(piece) {
            let (taken, incoming) = reader.feed(piece);
            used += taken;
            if incoming != Incoming::Incomplete {
                return (used, incoming);
            }
        }
        (used, reader.end())
    }

    /// How it ends, what is expected, what comes, and how much of it came to what.
    type Row = (
        Frame,
        &'static [&'static str],
        &'static [u8],
        (usize, Incoming),
    );

    #[test]
    fn a_verdict_does_not_depend_on_the_pieces() {
        use Incoming::{Matches, NoMatch};
        let known = &["^OK (leader|ready)", "^OK standby"];
        let table: [Row; 13] = [
            (Frame::Line, known, b"OK leader\r\nmore", (11, Matches(0))),
            (Frame::Line, known, b"OK standby\nmore", (11, Matches(1))),
            (Frame::Line, known, b"OK standby", (10, Matches(1))),
            (Frame::Line, known, b"ERR what\r\n", (1, NoMatch)),
            (Frame::Line, known, b"OK", (2, NoMatch)),
            // A line decides, though what is wanted might come later.
            (
                Frame::Line,
                &["leader", "OK"],
                b"OK\nleader\n",
                (3, Matches(1)),
            ),
            (
                Frame::Line,
                &["leader", "OK"],
                b"OK leader\n",
                (10, Matches(0)),
            ),
            (
                Frame::Line,
                &["role:master"],
                b"# Role\r\nrole:master\r\nx",
                (21, Matches(0)),
            ),
            (Frame::Line, &["^OK$"], b"OK\r\n", (4, Matches(0))),
            (Frame::Match, &["^login: "], b"login: x", (7, Matches(0))),
            (
                Frame::Match,
                &[r"(?s)^\x05\x00.{2}"],
                b"\x05\0\r\n\x07",
                (4, Matches(0)),
            ),
            (
                Frame::U16,
                &[r"^\x01"],
                b"\0\x02\x01\x02\x03",
                (4, Matches(0)),
            ),
            (
                Frame::U32,
                &[r"^\x01$"],
                b"\0\0\0\x02\x01\x02\x03",
                (6, NoMatch),
            ),
        ];
        for (frame, texts, bytes, expected) in table {
            for piece in 1..=bytes.len() {
                let found = read(frame, texts, bytes, piece);
                assert_eq!(found, expected, "{frame:?} {texts:?} {bytes:?} by {piece}");
            }
        }
    }

    #[test]
    fn what_does_not_end_is_too_long() {
        let endless = vec![b'x'; ANSWER_MAX * 2];
        for frame in [Frame::Line, Frame::Match] {
            let (used, incoming) = read(frame, &["leader"], &endless, 1000);
            assert_eq!((used, incoming), (ANSWER_MAX, Incoming::TooLong));
        }
        let long = read(Frame::U32, &["x"], b"\x7f\0\0\0x", 5);
        assert_eq!(long, (4, Incoming::TooLong));
    }

    #[test]
    fn the_line_that_was_not_understood_is_kept_for_people() {
        let patterns = patterns(&["^OK"]);
        let mut reader = Reader::new(Frame::Line, &patterns);
        assert_eq!(reader.feed(b"ERR what?\nmore").1, Incoming::NoMatch);
        assert_eq!(reader.heard(), b"ERR what?");
    }
}
