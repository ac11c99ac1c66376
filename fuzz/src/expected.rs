//! The decoders of answers in nobody's protocol, text that expressions are looked for in and a value of JSON, and of name
//! servers' answers.

use std::sync::LazyLock;

use howdah::base::pattern::Pattern;
use howdah::wire::dns;
use howdah::wire::exchange::{ANSWER_MAX, Frame, Incoming, Reader};
use howdah::wire::json::{self, Found};
use serde_json::Value;

/// However an answer is cut into pieces, it is judged the same and as much of it is used; the first byte says how.
pub fn exchange(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    let frame = [Frame::Line, Frame::Match, Frame::U16, Frame::U32][usize::from(how & 3)];
    let whole = read(frame, [bytes].into_iter());
    let pieces = read(frame, bytes.chunks(usize::from(how >> 2) + 1));
    assert_eq!(whole, pieces, "{frame:?}");
    assert!(whole.0 <= bytes.len().min(ANSWER_MAX + 4));
}

/// The bytes used, and what they are; an end follows the last.
fn read<'a>(frame: Frame, pieces: impl Iterator<Item = &'a [u8]>) -> (usize, Incoming) {
    let mut reader = Reader::new(frame, &PATTERNS);
    let mut total = 0;
    for piece in pieces {
        let (used, incoming) = reader.feed(piece);
        total += used;
        if incoming != Incoming::Incomplete {
            return (total, incoming);
        }
        assert_eq!(used, piece.len(), "what is undecided was used");
    }
    (total, reader.end())
}

/// What is found is what a whole reading finds; the first byte chooses the pointer.
pub fn json(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let pointer = POINTERS[usize::from(*which) % POINTERS.len()];
    let found = json::at(bytes, pointer);
    let Ok(whole) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    match (found, whole.pointer(pointer)) {
        (Ok(Found::Nothing), None)
        | (Ok(Found::Object), Some(Value::Object(_)))
        | (Ok(Found::Array), Some(Value::Array(_))) => {}
        (Ok(Found::Scalar(text)), Some(Value::String(value))) => assert_eq!(text, *value),
        (Ok(Found::Scalar(text)), Some(Value::Bool(value))) => assert_eq!(text, value.to_string()),
        (Ok(Found::Scalar(text)), Some(Value::Null)) => assert_eq!(text, "null"),
        (Ok(Found::Scalar(text)), Some(Value::Number(_))) => {
            assert!(serde_json::from_str::<f64>(&text).is_ok(), "{text}");
        }
        (found, value) => panic!("{found:?} is not {value:?}"),
    }
}

/// The first two bytes are the question's number. What follows an answer changes nothing in it, and there are no more records
/// than bytes for them.
pub fn dns(bytes: &[u8]) {
    let Some((number, _)) = bytes.split_first_chunk() else {
        return;
    };
    let number = u16::from_be_bytes(*number);
    if let Ok(answer) = dns::answer(bytes, number, NAME) {
        let more = [bytes, b"\xc0\x0c\0\x21"].concat();
        assert_eq!(dns::answer(&more, number, NAME).as_ref(), Ok(&answer));
        assert!(answer.records.len() * 18 <= bytes.len());
        assert!(answer.records.is_empty() || answer.ttl.is_some());
    }
}

const NAME: &str = "_a._tcp.example.com";

const POINTERS: [&str; 4] = [
    "/a/b/0",
    "/beans/0/tag.isActiveMaster",
    "/0/0",
    "/clusterInfo/haState",
];

/// Anchored and not, with assertions at the end, with groups, and of bytes.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let all = [
        "^OK (leader|ready)",
        r"^role:(?<role>\w+)\b",
        "standby$",
        r"(?s)^\x00.{2}\xff",
        "login: ",
    ];
    let all = all.into_iter().map(Pattern::new);
    all.collect::<Result<_, _>>().expect("expressions")
});
