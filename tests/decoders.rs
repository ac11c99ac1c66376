//! Every decoder under hostile bytes: the corpus of `fuzz/` replayed, and a million cases made from it.
//!
//! The functions are those that libFuzzer is given; where no nightly toolchain is, this is the fuzzing that there is. A
//! case that fails belongs into `fuzz/corpus/`, as a file, so that it is replayed ever after.
//!
//! `HOWDAH_TEST_CASES` multiplies the cases by so many.
#![allow(missing_docs, reason = "a test")]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library when it is built for libFuzzer")]
mod targets;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{TestError, TestRunner};

use self::targets::TARGETS;

/// Files of that room which read nothing.
const WRITERS: [&str; 3] = ["mod", "announce", "checksum"];

#[test]
fn every_decoder_has_a_target_and_every_target_a_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in TARGETS {
        assert!(
            corpus(name).len() >= 5,
            "fuzz/corpus/{name} is nearly empty"
        );
        let file = root.join(format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(file.exists(), "{} is missing", file.display());
    }
    for entry in fs::read_dir(root.join("src/wire")).expect("the room of decoders") {
        let file = entry.expect("readable").path();
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name");
        assert!(
            WRITERS.contains(&name) || TARGETS.iter().any(|(target, _)| *target == name),
            "the decoder {name} has no target in fuzz/src/lib.rs"
        );
    }
}

#[test]
fn thrift() {
    examine("thrift", 200_000);
}

#[test]
fn hive() {
    examine("hive", 200_000);
}

#[test]
fn agent() {
    examine("agent", 100_000);
}

#[test]
fn gauges() {
    examine("gauges", 100_000);
}

#[test]
fn state() {
    examine("state", 100_000);
}

#[test]
fn peers() {
    examine("peers", 150_000);
}

#[test]
fn sasl() {
    examine("sasl", 150_000);
}

#[test]
fn kerberos() {
    examine("kerberos", 150_000);
}

#[test]
fn http() {
    examine("http", 150_000);
}

#[test]
fn proxy_protocol() {
    examine("proxy_protocol", 200_000);
}

#[test]
fn client_hello() {
    examine("client_hello", 50_000);
}

#[test]
fn exchange() {
    examine("exchange", 60_000);
}

#[test]
fn dns() {
    examine("dns", 200_000);
}

#[test]
fn json() {
    examine("json", 100_000);
}

#[test]
fn zookeeper() {
    examine("zookeeper", 200_000);
}

#[test]
fn vrrp() {
    examine("vrrp", 200_000);
}

#[test]
fn netlink() {
    examine("netlink", 200_000);
}

#[test]
fn znode() {
    examine("znode", 100_000);
}

#[test]
fn mysql() {
    examine("mysql", 150_000);
}

#[test]
fn postgres() {
    examine("postgres", 150_000);
}

#[test]
fn config() {
    examine("config", 20_000);
}

#[test]
fn admin() {
    examine("admin", 30_000);
}

/// The corpus as it is, then so many bytes made from it.
fn examine(name: &str, cases: u32) {
    let (_, target) = TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a target");
    let corpus = corpus(name);
    corpus.iter().for_each(|bytes| target(bytes));
    let more = std::env::var("HOWDAH_TEST_CASES").map_or(1, |text| text.parse().expect("a number"));
    let config = ProptestConfig {
        cases: cases * more,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let bytes = (
        any::<Index>(),
        any::<Index>(),
        prop::collection::vec(edit(), 0..5),
    );
    let bytes = bytes.prop_map(move |(one, other, edits)| {
        let mut bytes: Vec<u8> = one.get(&corpus).clone();
        let other: &Vec<u8> = other.get(&corpus);
        edits
            .into_iter()
            .for_each(|edit| edit.apply(&mut bytes, other));
        bytes
    });
    let tried = TestRunner::new(config).run(&bytes, |bytes| {
        target(&bytes);
        Ok(())
    });
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(why, bytes)) => panic!(
            "{why}\nput into fuzz/corpus/{name}: {}",
            bytes.escape_ascii()
        ),
        Err(failed) => panic!("{failed}"),
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read(file).expect("readable"))
        .collect()
}

/// What happens to bytes on their way to a decoder.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Cut(Index),
    Remove(Index, Index),
    Insert(Index, Vec<u8>),
    /// From here on, the end of another one.
    Cross(Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (at(), 0..8u8).prop_map(|(at, bit)| Edit::Flip(at, 1 << bit)),
        at().prop_map(Edit::Cut),
        (at(), at()).prop_map(|(from, to)| Edit::Remove(from, to)),
        (at(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at(), at()).prop_map(|(at, from)| Edit::Cross(at, from)),
    ]
}

impl Edit {
    fn apply(self, bytes: &mut Vec<u8>, other: &[u8]) {
        let length = bytes.len();
        let place = |at: Index, length: usize| at.index(length + 1);
        match self {
            Self::Set(at, byte) if length > 0 => bytes[at.index(length)] = byte,
            Self::Flip(at, mask) if length > 0 => bytes[at.index(length)] ^= mask,
            Self::Set(..) | Self::Flip(..) => {}
            Self::Cut(at) => bytes.truncate(place(at, length)),
            Self::Remove(from, to) => {
                let (from, to) = (place(from, bytes.len()), place(to, bytes.len()));
                bytes.drain(from.min(to)..from.max(to));
            }
            Self::Insert(at, new) => {
                let at = place(at, bytes.len());
                bytes.splice(at..at, new);
            }
            Self::Cross(at, from) => {
                bytes.truncate(place(at, bytes.len()));
                bytes.extend_from_slice(&other[place(from, other.len())..]);
            }
        }
    }
}
