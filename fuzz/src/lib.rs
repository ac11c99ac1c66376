//! What any bytes must go through: one function for each decoder, which panics when a promise is broken.
//!
//! `fuzz_targets/` hands them to libFuzzer, `tests/decoders.rs` replays the corpus and adds cases of proptest. Each decoder
//! must not panic, loop or believe a length; besides, each has promises of its own, such as that what was decided on a
//! part of the bytes does not change when more come.

mod admin;
mod database;
mod expected;
mod load;
mod peers;
mod secure;
mod state;
mod vrrp;
mod zookeeper;

use std::path::Path;

use howdah::config;
use howdah::wire::hive::{Call, Outcome};
use howdah::wire::proxy_protocol::{self, Incoming};
use howdah::wire::thrift::{Reader, ThriftError, Type, message_length};
use howdah::wire::{http, kerberos, sasl};

pub use self::admin::admin;
pub use self::database::{mysql, postgres};
pub use self::expected::{dns, exchange, json};
pub use self::load::{agent, gauges};
pub use self::peers::peers;
pub use self::secure::client_hello;
pub use self::state::state;
pub use self::vrrp::{netlink, vrrp};
pub use self::zookeeper::{znode, zookeeper};

/// A decoder's name, and what its bytes go through.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, by the names of their folders in `corpus/`.
pub const TARGETS: [Target; 22] = [
    ("thrift", thrift),
    ("hive", hive),
    ("sasl", sasl),
    ("http", http),
    ("proxy_protocol", proxy_protocol),
    ("client_hello", client_hello),
    ("exchange", exchange),
    ("json", json),
    ("zookeeper", zookeeper),
    ("znode", znode),
    ("mysql", mysql),
    ("postgres", postgres),
    ("kerberos", kerberos),
    ("dns", dns),
    ("agent", agent),
    ("gauges", gauges),
    ("peers", peers),
    ("vrrp", vrrp),
    ("netlink", netlink),
    ("state", state),
    ("config", config),
    ("admin", admin),
];

/// A message ends where it says, is incomplete one byte before that, and does not depend on what follows.
pub fn thrift(bytes: &[u8]) {
    match message_length(bytes) {
        Ok(length) => {
            assert_eq!(message_length(&bytes[..length]), Ok(length));
            let cut = message_length(&bytes[..length - 1]);
            assert_eq!(cut, Err(ThriftError::Incomplete));
        }
        Err(ThriftError::Incomplete) => {}
        Err(error) => {
            let more = [bytes, b"\0\0\0\0"].concat();
            assert_eq!(message_length(&more), Err(error), "more bytes mend nothing");
        }
    }
    for kind in [Type::Struct, Type::List, Type::Map, Type::Binary] {
        let mut reader = Reader::new(bytes);
        let _ = reader.skip(kind);
        assert!(bytes.ends_with(reader.rest()));
    }
}

/// A request that was read can be written, and is the same when read again; a reply is read or refused.
pub fn hive(bytes: &[u8]) {
    if let Ok(call) = Call::decode(bytes) {
        let again = Call::decode(&call.request.encode(call.sequence));
        assert_eq!(again.as_ref(), Ok(&call));
    }
    if let Ok(Outcome::Reply(reply)) = Outcome::decode(bytes)
        && let Some(rows) = &reply.rows
    {
        let _ = (rows.height(), rows.first());
    }
}

/// Answers of KDCs and tokens of servers are read or refused, whichever they claim to be.
pub fn kerberos(bytes: &[u8]) {
    kerberos::read_anything(bytes);
    if let Ok(Some(token)) = kerberos::spnego::token(bytes) {
        assert!(token.len() <= bytes.len());
        kerberos::read_anything(token);
    }
}

/// A message takes what it says, is incomplete without its last byte, and is the same when written again.
pub fn sasl(bytes: &[u8]) {
    if let Ok(Some((message, taken))) = sasl::message(bytes) {
        assert_eq!(sasl::message(&bytes[..taken - 1]), Ok(None));
        let mut again = Vec::new();
        sasl::put_message(&mut again, message.status, message.payload);
        assert_eq!(again, &bytes[..taken]);
        let _ = sasl::plain_account(message.payload);
    }
    if let Ok(Some((content, taken))) = sasl::frame(bytes, sasl::FRAME_MAX) {
        assert_eq!(content.len() + 4, taken);
        assert_eq!(sasl::frame(&bytes[..taken - 1], sasl::FRAME_MAX), Ok(None));
    }
}

/// However a reply is cut into pieces, it is read the same; the first byte says how.
pub fn http(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    let (bodiless, piece) = (how & 1 == 1, usize::from(how >> 1) + 1);
    let whole = read_http(bodiless, [bytes].into_iter());
    let pieces = read_http(bodiless, bytes.chunks(piece));
    match (&whole, &pieces) {
        // How much of the start is shown depends on what had come.
        ((_, http::Incoming::NotHttp(_)), (_, http::Incoming::NotHttp(_))) => {}
        _ => assert_eq!(whole, pieces, "in pieces of {piece}"),
    }
    if let (used, http::Incoming::Reply(reply)) = whole {
        assert!(used <= bytes.len() && reply.body.len() <= http::BODY_MAX);
        assert!((200..1000).contains(&reply.status) || reply.status == 101);
    }
}

/// The bytes used, and what they are; an end follows the last.
fn read_http<'a>(
    bodiless: bool,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (usize, http::Incoming) {
    let mut reader = http::Reader::new(bodiless);
    let mut total = 0;
    for piece in pieces {
        let (used, incoming) = reader.feed(piece);
        total += used;
        if incoming != http::Incoming::Incomplete {
            return (total, incoming);
        }
        assert_eq!(used, piece.len(), "what is incomplete was used");
    }
    (total, reader.end())
}

/// What was decided stays, a header is incomplete without its last byte, and its ends are the same when written again.
pub fn proxy_protocol(bytes: &[u8]) {
    match proxy_protocol::read(bytes) {
        Incoming::Incomplete => assert!(bytes.len() < proxy_protocol::HEADER_MAX),
        Incoming::Malformed => {
            let more = [bytes, b"\r\n"].concat();
            assert_eq!(proxy_protocol::read(&more), Incoming::Malformed);
        }
        Incoming::Header { ends, length } => {
            let cut = proxy_protocol::read(&bytes[..length - 1]);
            assert_eq!(cut, Incoming::Incomplete);
            let Some(ends) = ends else { return };
            for again in [
                proxy_protocol::encode_v1(ends),
                proxy_protocol::encode_v2(ends),
            ] {
                let Incoming::Header {
                    ends: Some(read),
                    length,
                } = proxy_protocol::read(&again)
                else {
                    panic!("not read again: {again:?}");
                };
                let canonical = |end: std::net::SocketAddr| (end.ip().to_canonical(), end.port());
                assert_eq!(length, again.len());
                assert_eq!(canonical(read.source), canonical(ends.source));
                assert_eq!(canonical(read.destination), canonical(ends.destination));
            }
        }
    }
}

/// A file is a plan or a report; a report can be printed, and its carets stand in their excerpts.
pub fn config(bytes: &[u8]) {
    // Names of files that exist would make this depend on the machine.
    let loaded = config::judge(Path::new("/nowhere/howdah.toml"), bytes.to_vec());
    let faults = match loaded {
        Ok(loaded) => {
            assert!(!loaded.plan.listeners.is_empty());
            loaded.warnings
        }
        Err(report) => {
            assert!(report.errors() > 0, "refused without an error");
            assert!(!report.to_string().is_empty() && !report.coloured().is_empty());
            report.faults
        }
    };
    for fault in faults {
        assert!(!fault.what.is_empty() && !fault.line().contains('\n'));
        if let Some(place) = fault.place {
            assert!(place.line >= 1 && place.column >= 1 && place.width >= 1);
            assert!(place.indent <= place.excerpt.chars().count());
        }
    }
}
