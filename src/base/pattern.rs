//! A regular expression over bytes: searched in what is whole, or followed byte by byte through what is still coming.
//!
//! What servers answer has no charset, so classes and `\b` mean ASCII, and `\xff` is one byte. Time is linear in the bytes
//! whatever the expression is, and its compiled size is bounded. A [`Follow`] knows more than a search does: that nothing
//! which may still come can make the expression match, or take its match back.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::meta::{BuildError, Regex};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// Most bytes that a compiled expression may take.
const SIZE_MAX: usize = 256 * 1024;

/// One stands for all bytes that an assertion at the end of an expression tells apart: of words, of none, of line ends.
const KINDS: [u8; 4] = [b'a', b' ', b'\n', b'\r'];

/// See the module. Two are equal when they are written alike.
#[derive(Clone)]
pub struct Pattern {
    text: Cow<'static, str>,
    compiled: Arc<Compiled>,
}

struct Compiled {
    whole: Regex,
    stream: DFA,
}

/// A [`Pattern`] on its way through bytes.
pub struct Follow<'p> {
    stream: &'p DFA,
    cache: Cache,
    state: LazyStateID,
    matched: bool,
    dead: bool,
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// In people's words, when it is no expression, or one of great size.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Result<Self, String> {
        let text = text.into();
        let bytes = syntax::Config::new().unicode(false).utf8(false);
        let whole = Regex::config()
            .utf8_empty(false)
            .nfa_size_limit(Some(SIZE_MAX))
            .onepass_size_limit(Some(SIZE_MAX));
        let whole = Regex::builder()
            .configure(whole)
            .syntax(bytes)
            .build(&text)
            .map_err(|error| why(&error))?;
        let nfa = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(SIZE_MAX));
        let stream = DFA::builder()
            .configure(DFA::config().skip_cache_capacity_check(true))
            .syntax(bytes)
            .thompson(nfa)
            .build(&text)
            .map_err(|_| TOO_LARGE.to_owned())?;
        let compiled = Arc::new(Compiled { whole, stream });
        Ok(Self { text, compiled })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches somewhere in `bytes`, which are whole.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.compiled.whole.is_match(bytes)
    }

    /// What the group of that name caught at the first match in `bytes`.
    pub fn group<'b>(&self, name: &str, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let whole = &self.compiled.whole;
        let mut names = whole
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO);
        names.find(|known| *known == Some(name))?;
        let mut captures = whole.create_captures();
        whole.captures(bytes, &mut captures);
        captures.get_group_by_name(name).map(|span| &bytes[span])
    }

    /// Before the first byte.
    pub fn follow(&self) -> Follow<'_> {
        let stream = &self.compiled.stream;
        let mut cache = stream.create_cache();
        let start = stream.start_state_forward(&mut cache, &Input::new(b"").anchored(Anchored::No));
        // A start is refused only to expressions with bytes that end a search, of which there are none.
        let dead = start.is_err();
        Follow {
            stream,
            cache,
            state: start.unwrap_or_default(),
            matched: false,
            dead,
        }
    }
}

impl Follow<'_> {
    /// The next byte.
    pub fn feed(&mut self, byte: u8) {
        if self.matched || self.dead {
            return;
        }
        let Some(next) = self.after(byte) else {
            self.dead = true;
            return;
        };
        self.state = next;
        self.dead = next.is_dead() || next.is_quit();
        // States know of a match when the byte after it comes; whatever byte that is, here.
        self.matched = next.is_match() || self.matches_here() && self.matches_whatever_follows();
    }

    /// It matches, and will whatever comes.
    pub fn is_match(&self) -> bool {
        self.matched
    }

    /// It does not match, and will not whatever comes.
    pub fn is_dead(&self) -> bool {
        self.dead && !self.matched
    }

    /// Whether it matches when nothing else comes.
    pub fn matches_here(&mut self) -> bool {
        if self.matched || self.dead {
            return self.matched;
        }
        let end = self.stream.next_eoi_state(&mut self.cache, self.state);
        end.is_ok_and(|state| state.is_match())
    }

    fn matches_whatever_follows(&mut self) -> bool {
        KINDS
            .into_iter()
            .all(|byte| self.after(byte).is_some_and(|state| state.is_match()))
    }

    fn after(&mut self, byte: u8) -> Option<LazyStateID> {
        self.stream
            .next_state(&mut self.cache, self.state, byte)
            .ok()
    }
}

impl fmt::Debug for Follow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "matched {}, dead {}", self.matched, self.dead)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// The last line of what the parser says; the ones before draw the expression, which the report shows as well.
fn why(error: &BuildError) -> String {
    let Some(error) = error.syntax_error() else {
        return TOO_LARGE.to_owned();
    };
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

const TOO_LARGE: &str = "too large when compiled: fewer or smaller repetitions help";

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &'static str) -> Pattern {
        Pattern::new(text).expect(text)
    }

    /// After so many bytes it was certain that the expression matches, or that it never will.
    fn certain(text: &'static str, bytes: &str) -> Option<(usize, bool)> {
        let pattern = pattern(text);
        let mut follow = pattern.follow();
        for (at, byte) in bytes.bytes().enumerate() {
            follow.feed(byte);
            if follow.is_match() || follow.is_dead() {
                return Some((at + 1, follow.is_match()));
            }
        }
        None
    }

    #[test]
    fn what_is_certain_is_known_at_the_first_byte_that_makes_it_so() {
        for (text, bytes, expected) in [
            ("^OK", "OK standby", Some((2, true))),
            ("^OK (leader|ready)", "OK standby", Some((4, false))),
            ("^OK|^READY", "RE!", Some((3, false))),
            ("leader", "OK follower", None),
            ("leader", "a leader here", Some((8, true))),
            ("^OK$", "OK", None),
            ("^OK$", "OKAY", Some((3, false))),
            (r"^OK\b", "OK, go", Some((3, true))),
            (r"(?s)^\x05.{3}", "\x05\0\0\0\0", Some((4, true))),
        ] {
            assert_eq!(certain(text, bytes), expected, "{text} in {bytes:?}");
        }
    }

    #[test]
    fn where_nothing_more_comes_an_end_is_an_end() {
        let pattern = pattern("^OK$");
        let mut follow = pattern.follow();
        assert!(!follow.matches_here());
        follow.feed(b'O');
        follow.feed(b'K');
        assert!(follow.matches_here() && !follow.is_match());
    }

    #[test]
    fn groups_are_found_by_name() {
        let pattern = pattern("^role:(?<role>[a-z]+)");
        assert_eq!(
            pattern.group("role", b"role:master\r\n"),
            Some(&b"master"[..])
        );
        assert_eq!(pattern.group("detail", b"role:master"), None);
        assert_eq!(pattern.group("role", b"what?"), None);
    }

    #[test]
    fn bytes_are_bytes() {
        assert!(pattern(r"^\xff\xfe.").is_match(b"\xff\xfe\x80"));
        assert!(!pattern(r"^\w").is_match("ä".as_bytes()));
        assert!(pattern("ä").is_match("täglich".as_bytes()));
    }

    #[test]
    fn what_is_no_expression_or_too_large_is_told() {
        assert_eq!(Pattern::new("^(OK").unwrap_err(), "unclosed group");
        assert!(
            Pattern::new("((a{999}){999})")
                .unwrap_err()
                .starts_with("too large")
        );
    }
}
