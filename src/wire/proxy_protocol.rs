//! The PROXY protocol, versions 1 and 2: who the client is, told by what stands in front.
//!
//! Incoming headers come from trusted peers only (`listener.accept_proxy`); outgoing ones announce the client to servers
//! that read them (`pool.send_proxy`). Written after haproxy's `doc/proxy-protocol.txt`, cited by section.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Most bytes of an incoming header. Version 1 ends at 107; version 2 could tell 65,551, and TLVs are seldom a hundred.
pub const HEADER_MAX: usize = 4096;

/// Both ends of the connection that the header speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// What the client connected to.
    pub destination: SocketAddr,
}

/// What the bytes so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Good so far; ask again with more.
    Incomplete,
    /// A whole header of `length` bytes; what follows is the client's.
    Header {
        /// `None`: LOCAL, UNKNOWN or no TCP; the connection's own ends count.
        ends: Option<Ends>,
        /// Bytes to take away.
        length: usize,
    },
    /// Not a header, though the peer must send one.
    Malformed,
}

/// Judges the connection's first bytes, always from its very first.
pub fn read(bytes: &[u8]) -> Incoming {
    let version = if starts_like(bytes, &V2_SIGNATURE) {
        read_v2(bytes)
    } else if starts_like(bytes, V1_START) {
        read_v1(bytes)
    } else {
        Err(Stop::Malformed)
    };
    match version {
        Ok((ends, length)) => Incoming::Header { ends, length },
        Err(Stop::Incomplete) => Incoming::Incomplete,
        Err(Stop::Malformed) => Incoming::Malformed,
    }
}

/// The line of text (§2.1).
pub fn encode_v1(ends: Ends) -> Vec<u8> {
    let Ends {
        source,
        destination,
    } = ends.of_one_family();
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    let (from_port, to_port) = (source.port(), destination.port());
    format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n").into_bytes()
}

/// The binary header (§2.2), without TLVs.
pub fn encode_v2(ends: Ends) -> Vec<u8> {
    let Ends {
        source,
        destination,
    } = ends.of_one_family();
    let mut out = V2_SIGNATURE.to_vec();
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend([V2_PROXY, TCP4, 0, 12]);
            out.extend(from.octets());
            out.extend(to.octets());
        }
        (from, to) => {
            out.extend([V2_PROXY, TCP6, 0, 36]);
            out.extend(as_v6(from).octets());
            out.extend(as_v6(to).octets());
        }
    }
    out.extend(source.port().to_be_bytes());
    out.extend(destination.port().to_be_bytes());
    out
}

/// A connection that howdah makes on its own behalf, such as a probe, in version 1.
pub const LOCAL_V1: &[u8] = b"PROXY UNKNOWN\r\n";

/// The same in version 2: command LOCAL.
pub const LOCAL_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

enum Stop {
    Incomplete,
    Malformed,
}

type Parsed = Result<(Option<Ends>, usize), Stop>;

fn read_v1(bytes: &[u8]) -> Parsed {
    let window = &bytes[..bytes.len().min(V1_MAX)];
    let Some(feed) = window.iter().position(|byte| *byte == b'\n') else {
        let full = window.len() == V1_MAX;
        return Err(if full {
            Stop::Malformed
        } else {
            Stop::Incomplete
        });
    };
    // The first LF ends the line or breaks it, in whatever pieces it comes.
    let line = window[..feed].strip_suffix(b"\r").ok_or(Stop::Malformed)?;
    let line = std::str::from_utf8(line).map_err(|_| Stop::Malformed)?;
    Ok((line_ends(line).ok_or(Stop::Malformed)?, feed + 1))
}

/// The outer `None` is a fault, the inner one is UNKNOWN, after which everything is ignored.
fn line_ends(line: &str) -> Option<Option<Ends>> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => Some(None),
        [
            "PROXY",
            family @ ("TCP4" | "TCP6"),
            from,
            to,
            from_port,
            to_port,
        ] => {
            let address = |text: &str| -> Option<IpAddr> {
                if family == "TCP4" {
                    text.parse::<Ipv4Addr>().ok().map(IpAddr::from)
                } else {
                    text.parse::<Ipv6Addr>().ok().map(IpAddr::from)
                }
            };
            Some(Some(Ends {
                source: SocketAddr::new(address(from)?, port(from_port)?),
                destination: SocketAddr::new(address(to)?, port(to_port)?),
            }))
        }
        _ => None,
    }
}

/// Decimal, without sign and leading zeros.
fn port(text: &str) -> Option<u16> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| plain)
}

fn read_v2(bytes: &[u8]) -> Parsed {
    let fixed: &[u8; V2_FIXED] = bytes.first_chunk().ok_or(Stop::Incomplete)?;
    let [.., command, family, high, low] = *fixed;
    let length = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    let known_command = matches!(command, V2_LOCAL | V2_PROXY);
    // LOCAL tells nothing, so its family is ignored (§2.2).
    let holds = |needed| length >= V2_FIXED + needed;
    let good = known_command && (command == V2_LOCAL || addresses(family).is_some_and(holds));
    if !good || length > HEADER_MAX {
        return Err(Stop::Malformed);
    }
    let body = bytes.get(V2_FIXED..length).ok_or(Stop::Incomplete)?;
    let ends = match (command, family) {
        (V2_PROXY, TCP4) => v4_ends(body),
        (V2_PROXY, TCP6) => v6_ends(body),
        // Unspecified, datagrams, Unix sockets: "use the real connection endpoints" (§2.2).
        _ => None,
    };
    Ok((ends, length))
}

/// Bytes of addresses that must be there, by family and protocol; `None` for those that "must be rejected as invalid by
/// receivers" (§2.2).
fn addresses(family: u8) -> Option<usize> {
    match (family >> 4, family & 15) {
        (0, 0..=2) => Some(0),
        (1, 0..=2) => Some(4 + 4 + 2 + 2),
        (2, 0..=2) => Some(16 + 16 + 2 + 2),
        (3, 0..=2) => Some(108 + 108),
        _ => None,
    }
}

/// TLVs may follow the addresses and are not looked at.
fn v4_ends(body: &[u8]) -> Option<Ends> {
    let (from, rest) = body.split_first_chunk::<4>()?;
    let (to, rest) = rest.split_first_chunk::<4>()?;
    ends((*from).into(), (*to).into(), rest)
}

fn v6_ends(body: &[u8]) -> Option<Ends> {
    let (from, rest) = body.split_first_chunk::<16>()?;
    let (to, rest) = rest.split_first_chunk::<16>()?;
    ends((*from).into(), (*to).into(), rest)
}

fn ends(from: IpAddr, to: IpAddr, ports: &[u8]) -> Option<Ends> {
    let [a, b, c, d] = *ports.first_chunk()?;
    Some(Ends {
        source: SocketAddr::new(from, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(to, u16::from_be_bytes([c, d])),
    })
}

impl Ends {
    /// IPv4 in both places, else IPv6 in both: a listener on `[::]` sees IPv4 clients as mapped addresses.
    fn of_one_family(self) -> Self {
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        let (source, destination) = (canonical(self.source), canonical(self.destination));
        if source.is_ipv4() == destination.is_ipv4() {
            return Self {
                source,
                destination,
            };
        }
        let mapped = |end: SocketAddr| SocketAddr::new(as_v6(end.ip()).into(), end.port());
        Self {
            source: mapped(source),
            destination: mapped(destination),
        }
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// As far as there are bytes, they agree.
fn starts_like(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(is, must)| is == must)
}

const V1_START: &[u8] = b"PROXY ";
const V1_MAX: usize = 107;
const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;
const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(source: &str, destination: &str) -> Ends {
        Ends {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    /// Whole at its end, incomplete at every cut, and untouched by what follows.
    fn check(bytes: &[u8], ends: Option<Ends>) {
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Incoming::Incomplete, "{cut}");
        }
        let length = bytes.len();
        for tail in [&b""[..], b"\x01\0\0\0\x05PLAIN"] {
            let read = read(&[bytes, tail].concat());
            assert_eq!(read, Incoming::Header { ends, length });
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for ends in [
            of("10.1.2.3:65535", "10.9.9.9:10000"),
            of("[2001:db8::1]:1", "[2001:db8::2]:10000"),
        ] {
            check(&encode_v1(ends), Some(ends));
            check(&encode_v2(ends), Some(ends));
        }
        check(LOCAL_V1, None);
        check(LOCAL_V2, None);
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let ends = of("192.168.0.1:56324", "192.168.0.11:443");
        let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
        assert_eq!(encode_v1(ends), line);
        let binary =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\xa8\0\x01\xc0\xa8\0\x0b\xdc\x04\x01\xbb";
        assert_eq!(encode_v2(ends), binary);
    }

    #[test]
    fn mapped_and_mixed_addresses_end_in_one_family() {
        let mapped = of("[::ffff:10.0.0.1]:5", "[::ffff:10.0.0.2]:6");
        let line = String::from_utf8(encode_v1(mapped)).unwrap();
        assert_eq!(line, "PROXY TCP4 10.0.0.1 10.0.0.2 5 6\r\n");
        let mixed = of("10.0.0.1:5", "[2001:db8::2]:6");
        let line = String::from_utf8(encode_v1(mixed)).unwrap();
        assert_eq!(line, "PROXY TCP6 ::ffff:10.0.0.1 2001:db8::2 5 6\r\n");
        assert_eq!(encode_v2(mixed).len(), 16 + 36);
    }

    #[test]
    fn unknown_local_and_other_families_leave_the_real_ends() {
        check(b"PROXY UNKNOWN ff:: whatever 1 2\r\n", None);
        check(b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x03abc", None);
        check(b"\r\n\r\n\0\r\nQUIT\n\x21\x00\0\0", None);
        let unix = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8"[..], &[7; 216]].concat();
        check(&unix, None);
    }

    #[test]
    fn tlvs_are_skipped() {
        let ends = of("1.2.3.4:5", "6.7.8.9:10");
        let mut bytes = encode_v2(ends);
        bytes[15] += 7;
        bytes.extend(b"\x04\0\x04tail");
        check(&bytes, Some(ends));
    }

    #[test]
    fn what_breaks_the_rules_is_malformed() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 120]].concat();
        let faults: [&[u8]; 14] = [
            b"GET / HTTP/1.1\r\n",
            b"PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
            b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
            b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
            b"PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
            b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
            b"PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
            b"PROXY TCP4 ::1 ::2 1 2\r\n",
            b"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
            b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
            b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
            &long,
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        ];
        for bytes in faults {
            assert_eq!(read(bytes), Incoming::Malformed, "{bytes:?}");
        }
        let short = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0babcdefghijk";
        assert_eq!(read(short), Incoming::Malformed);
    }

    /// Whole, it was a header; in two pieces, it was refused.
    #[test]
    fn a_line_is_judged_the_same_in_one_piece_and_in_two() {
        let line = b"PROXY UNKNOWN \n\r\n";
        for end in 15..=line.len() {
            assert_eq!(read(&line[..end]), Incoming::Malformed, "{end}");
        }
    }

    /// §2.2: "other values ... must be rejected as invalid by receivers"; ours took them for a client without an address.
    #[test]
    fn a_header_of_an_unassigned_family_is_refused() {
        for family in [0x41, 0x13, 0xff] {
            let bytes = [&V2_SIGNATURE[..], &[V2_PROXY, family, 0, 0]].concat();
            assert_eq!(read(&bytes), Incoming::Malformed, "{family:#x}");
            let local = [&V2_SIGNATURE[..], &[V2_LOCAL, family, 0, 0]].concat();
            check(&local, None);
        }
        for (family, short) in [(0x12, 11), (0x22, 35), (0x31, 215)] {
            let bytes = [
                &V2_SIGNATURE[..],
                &[V2_PROXY, family, 0, short],
                &vec![7; usize::from(short)],
            ]
            .concat();
            assert_eq!(read(&bytes), Incoming::Malformed, "{family:#x} of {short}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..300), start in 0..4usize) {
            let start: &[u8] = [&b""[..], V1_START, b"PROXY TCP6 ", &V2_SIGNATURE][start];
            read(&[start, &tail].concat());
        }

        #[test]
        fn any_ends_survive(source: SocketAddr, destination: SocketAddr) {
            let ends = Ends { source, destination }.of_one_family();
            for bytes in [encode_v1(ends), encode_v2(ends)] {
                let Incoming::Header { ends: Some(read), length } = read(&bytes) else {
                    panic!("not read: {bytes:?}");
                };
                prop_assert_eq!(length, bytes.len());
                prop_assert_eq!((read.source.ip(), read.source.port()), (ends.source.ip(), ends.source.port()));
                prop_assert_eq!((read.destination.ip(), read.destination.port()), (ends.destination.ip(), ends.destination.port()));
            }
        }
    }
}
