//! PROXY headers beside crate `ppp`, a second reading of the same document.
//!
//! Where both accept, they read the same ends and the same length. Where they differ, [`explain`] must know why, word by
//! word; a difference that it does not know fails.
#![allow(missing_docs, reason = "a test")]

use std::net::SocketAddr;

use howdah::wire::proxy_protocol::{self, HEADER_MAX, Incoming};
use ppp::{HeaderResult, PartialResult, v1, v2};
use proptest::prelude::*;

/// What a reader makes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Incomplete,
    Malformed,
    /// Both ends, if the header tells them, and its length.
    Header(Option<(SocketAddr, SocketAddr)>, usize),
}

fn ours(bytes: &[u8]) -> Reading {
    match proxy_protocol::read(bytes) {
        Incoming::Incomplete => Reading::Incomplete,
        Incoming::Malformed => Reading::Malformed,
        Incoming::Header { ends, length } => {
            Reading::Header(ends.map(|ends| (ends.source, ends.destination)), length)
        }
    }
}

fn theirs(bytes: &[u8]) -> Reading {
    let read = HeaderResult::parse(bytes);
    let ends = |from: (std::net::IpAddr, u16), to: (std::net::IpAddr, u16)| {
        Some((SocketAddr::from(from), SocketAddr::from(to)))
    };
    match &read {
        HeaderResult::V1(Ok(header)) => {
            let told = match header.addresses {
                v1::Addresses::Unknown => None,
                v1::Addresses::Tcp4(ip) => ends(
                    (ip.source_address.into(), ip.source_port),
                    (ip.destination_address.into(), ip.destination_port),
                ),
                v1::Addresses::Tcp6(ip) => ends(
                    (ip.source_address.into(), ip.source_port),
                    (ip.destination_address.into(), ip.destination_port),
                ),
            };
            Reading::Header(told, header.header.len())
        }
        HeaderResult::V2(Ok(header)) => {
            let counts =
                header.command == v2::Command::Proxy && header.protocol == v2::Protocol::Stream;
            let told = match header.addresses {
                v2::Addresses::IPv4(ip) if counts => ends(
                    (ip.source_address.into(), ip.source_port),
                    (ip.destination_address.into(), ip.destination_port),
                ),
                v2::Addresses::IPv6(ip) if counts => ends(
                    (ip.source_address.into(), ip.source_port),
                    (ip.destination_address.into(), ip.destination_port),
                ),
                _ => None,
            };
            Reading::Header(told, header.len())
        }
        failed if failed.is_incomplete() => Reading::Incomplete,
        _ => Reading::Malformed,
    }
}

/// Why the two may differ on these bytes; `None`: they may not.
fn explain(bytes: &[u8], ours: Reading, theirs: Reading) -> Option<&'static str> {
    use Reading::{Header, Incomplete, Malformed};
    if let Some(rest) = bytes.strip_prefix(SIGNATURE) {
        let [command, _, high, low] = *rest.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low])) + 16;
        return match (ours, theirs) {
            (Malformed, _) if length > HEADER_MAX => Some("we bound what a header may cost"),
            (Header(None, _) | Incomplete, Malformed) if command == 0x20 => {
                Some("under LOCAL the family is ignored (§2.2), and ppp judges it")
            }
            _ => None,
        };
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(107)]).into_owned();
    let line = text.split_once("\r\n").map(|(line, _)| line);
    let bare = text
        .split_once('\n')
        .is_some_and(|(before, _)| !before.ends_with('\r'));
    let unknown = text.starts_with("PROXY UNKNOWN");
    match (ours, theirs) {
        (Incomplete, Malformed) if line.is_none() => Some("we judge a line when it is whole"),
        (Malformed, Incomplete) if line.is_some() => {
            Some("ppp waits for more of a line that has ended")
        }
        (Malformed, Incomplete) if text.contains('\n') || text.len() >= 107 => {
            Some("ppp waits for CR LF after a bare LF, or beyond the bound")
        }
        (Malformed, Incomplete) if !b"PROXY ".starts_with(bytes.get(..6).unwrap_or(bytes)) => {
            Some("ppp waits for a space that cannot come")
        }
        (Header(None, _), Incomplete | Malformed) if unknown => {
            Some("after UNKNOWN everything up to CR LF is ignored (§2.1), also spaces and CR")
        }
        (Malformed, Header(..)) if bare => {
            Some("ppp ends a line at a space and a bare LF, or goes on behind one")
        }
        (Malformed, Header(Some(_), _)) if text.contains('+') => Some("ppp reads +1 as a port"),
        _ => None,
    }
}

fn compare(bytes: &[u8]) {
    let (ours, theirs) = (ours(bytes), theirs(bytes));
    if ours != theirs && explain(bytes, ours, theirs).is_none() {
        panic!(
            "we say {ours:?}, ppp says {theirs:?} of {:?}",
            bytes.escape_ascii().to_string()
        );
    }
}

#[test]
fn both_read_what_both_write() {
    let ends = |source: &str, destination: &str| proxy_protocol::Ends {
        source: source.parse().expect("an address"),
        destination: destination.parse().expect("an address"),
    };
    for ends in [
        ends("10.1.2.3:65535", "10.9.9.9:0"),
        ends("[2001:db8::1]:1", "[::2]:10000"),
    ] {
        for bytes in [
            proxy_protocol::encode_v1(ends),
            proxy_protocol::encode_v2(ends),
        ] {
            let expected = Reading::Header(Some((ends.source, ends.destination)), bytes.len());
            assert_eq!((ours(&bytes), theirs(&bytes)), (expected, expected));
        }
        let written = v2::Builder::with_addresses(
            v2::Version::Two | v2::Command::Proxy,
            v2::Protocol::Stream,
            (ends.source, ends.destination),
        );
        let bytes = written
            .write_tlv(v2::Type::NoOp, b"tail")
            .and_then(v2::Builder::build);
        let bytes = bytes.expect("a short header");
        let expected = Reading::Header(Some((ends.source, ends.destination)), bytes.len());
        assert_eq!(ours(&bytes), expected);
    }
}

/// Lines that are nearly right.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let word = |words: &'static [&'static str]| prop::sample::select(words);
    let address = || {
        prop_oneof![
            any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
            any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
            word(&[
                "::1",
                "1.2.3",
                "::ffff:1.2.3.4",
                "01.2.3.4",
                "fe80::1%eth0",
                ""
            ])
            .prop_map(str::to_owned),
        ]
    };
    let port = || {
        prop_oneof![
            any::<u16>().prop_map(|port| port.to_string()),
            word(&["0", "00", "+1", "01", "65536", "-1", ""]).prop_map(str::to_owned)
        ]
    };
    (
        word(&["PROXY ", "PROXY ", "PROXY ", "PROXY", "PROXY  ", "proxy "]),
        word(&[
            "TCP4 ", "TCP4 ", "TCP6 ", "TCP6 ", "UNKNOWN", "UNKNOWN ", "UDP4 ", "TCP5 ",
        ]),
        (address(), address(), port(), port()),
        word(&[" ", " ", " ", "  ", "\t"]),
        word(&["\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", " \r\n", ""]),
        word(&["", "x", "\r\n", "PROXY TCP4"]),
    )
        .prop_map(
            |(start, family, (from, to, from_port, to_port), space, end, tail)| {
                format!("{start}{family}{from}{space}{to} {from_port} {to_port}{end}{tail}")
                    .into_bytes()
            },
        )
}

/// Binary headers that are nearly right.
fn binary() -> impl Strategy<Value = Vec<u8>> {
    let select = |bytes: &'static [u8]| prop::sample::select(bytes);
    (
        prop_oneof![8 => select(&[0x20, 0x21, 0x21, 0x21]), 1 => any::<u8>()],
        prop_oneof![8 => select(&[0x11, 0x21, 0x12, 0x22, 0x31, 0x32, 0x00, 0x01]), 1 => any::<u8>()],
        prop_oneof![8 => prop::sample::select(vec![0u16, 3, 12, 19, 36, 40, 216]), 1 => any::<u16>()],
        prop::collection::vec(any::<u8>(), 0..260),
    )
        .prop_map(|(command, family, length, body)| {
            let mut bytes = [SIGNATURE, &[command, family], &length.to_be_bytes()].concat();
            bytes.extend(body);
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_read_alike(line in line(), cut in any::<prop::sample::Index>()) {
        compare(&line);
        compare(&line[..cut.index(line.len() + 1)]);
    }

    #[test]
    fn binary_headers_are_read_alike(header in binary(), cut in any::<prop::sample::Index>()) {
        compare(&header);
        compare(&header[..cut.index(header.len() + 1)]);
    }

    #[test]
    fn other_bytes_are_read_alike(bytes in prop::collection::vec(any::<u8>(), 0..120), start in 0..4usize) {
        let start: &[u8] = [&b""[..], b"PROXY ", b"PROXY UNKNOWN", SIGNATURE][start];
        compare(&[start, &bytes].concat());
    }
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
