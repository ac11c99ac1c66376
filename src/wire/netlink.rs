//! The few messages of rtnetlink that a virtual address needs: give it to an interface, take it away, list what there is.
//!
//! The kernel is at the other end. It is read with the same care as a network all the same: whatever its lengths say, nothing
//! panics and nothing loops. Numbers are in the order of this machine, as netlink has them.

use std::net::IpAddr;

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which interface.
    pub interface: u32,
    /// What.
    pub address: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
}

/// What the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The order of this number was obeyed (0), or not: the error as the system counts it.
    Done {
        /// Of the order.
        sequence: u32,
        /// 0, or what went wrong.
        error: i32,
    },
    /// One that there is.
    Address {
        /// Where.
        place: Place,
        /// It stays until somebody takes it away.
        permanent: bool,
    },
    /// The list of this number is complete.
    End {
        /// Of the order.
        sequence: u32,
    },
    /// Something else.
    Other,
}

/// Gives an address, or gives it anew, for `seconds`: then the kernel takes it away by itself.
pub fn add(place: Place, seconds: u32, sequence: u32) -> Vec<u8> {
    let mut message = header(NEW_ADDRESS, REQUEST | ACK | CREATE | REPLACE, sequence);
    about(&mut message, place);
    // An address of IPv6 that is not preferred is no source of this machine's own connections.
    let preferred = if place.address.is_ipv6() { 0 } else { seconds };
    let times = [preferred, seconds, 0, 0].map(u32::to_ne_bytes);
    attribute(&mut message, CACHE_INFO, times.as_flattened());
    // Nobody may ask whether another has it: for a moment another does.
    attribute(&mut message, FLAGS, &NO_DAD.to_ne_bytes());
    finished(message)
}

/// Takes an address away.
pub fn remove(place: Place, sequence: u32) -> Vec<u8> {
    let mut message = header(DEL_ADDRESS, REQUEST | ACK, sequence);
    about(&mut message, place);
    finished(message)
}

/// Asks for every address of the family of `like`.
pub fn list(like: IpAddr, sequence: u32) -> Vec<u8> {
    let mut message = header(GET_ADDRESS, REQUEST | DUMP, sequence);
    message.extend([family(like), 0, 0, 0, 0, 0, 0, 0]);
    finished(message)
}

/// The messages in what was read at once.
pub fn replies(bytes: &[u8]) -> impl Iterator<Item = Reply> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::try_from(number(rest, 0)?).ok()?;
        let message = rest.get(..length).filter(|_| length >= HEADER)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(reply(message).unwrap_or(Reply::Other))
    })
}

fn reply(message: &[u8]) -> Option<Reply> {
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    let sequence = number(message, 8)?;
    let body = message.get(HEADER..)?;
    match kind {
        ERROR => Some(Reply::Done {
            sequence,
            error: number(body, 0)?.cast_signed().wrapping_neg(),
        }),
        DONE => Some(Reply::End { sequence }),
        NEW_ADDRESS => listed(body),
        _ => None,
    }
}

fn listed(body: &[u8]) -> Option<Reply> {
    let [_, prefix, flags, _] = *body.first_chunk()?;
    let interface = number(body, 4)?;
    let (mut address, mut local, mut flags) = (None, None, u32::from(flags));
    for (kind, value) in attributes(body.get(8..)?) {
        match kind {
            ADDRESS => address = read(value),
            LOCAL => local = read(value),
            FLAGS => flags = number(value, 0)?,
            _ => {}
        }
    }
    // On a link between two, ADDRESS is the other's.
    let address = local.or(address)?;
    let place = Place {
        interface,
        address,
        prefix,
    };
    let permanent = flags & PERMANENT != 0;
    Some(Reply::Address { place, permanent })
}

fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [a, b, c, d] = *rest.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = rest.get(4..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]), value))
    })
}

fn header(kind: u16, flags: u16, sequence: u32) -> Vec<u8> {
    let mut message = vec![0; 4];
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message
}

fn about(message: &mut Vec<u8>, place: Place) {
    message.extend([family(place.address), place.prefix, 0, 0]);
    message.extend(place.interface.to_ne_bytes());
    let octets = match place.address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    attribute(message, LOCAL, &octets);
    attribute(message, ADDRESS, &octets);
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(aligned(message.len()), 0);
}

fn finished(mut message: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 10,
    }
}

fn read(value: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from))
        .ok()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_ne_bytes(four))
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const DEL_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const REPLACE: u16 = 0x100;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x400;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const CACHE_INFO: u16 = 6;
const FLAGS: u16 = 8;
const NO_DAD: u32 = 0x02;
const PERMANENT: u32 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str) -> Place {
        Place {
            interface: 7,
            address: address.parse().unwrap(),
            prefix: 24,
        }
    }

    #[test]
    fn what_is_given_is_listed_the_same() {
        for address in ["192.0.2.10", "2001:db8::10"] {
            let place = place(address);
            let given = add(place, 3, 1);
            assert_eq!(given.len() % 4, 0);
            let permanent = false;
            let mut both = given.clone();
            both.extend(remove(place, 2));
            let replies: Vec<_> = replies(&both).collect();
            assert_eq!(replies, [Reply::Address { place, permanent }, Reply::Other]);
        }
    }

    /// As the kernel reads it (rtnetlink(7)): else an address would stay for ever, or come too late.
    #[test]
    fn an_address_is_given_for_a_time_at_once_and_anew() {
        for (address, preferred) in [("192.0.2.10", 3_u32), ("2001:db8::10", 0)] {
            let given = add(place(address), 3, 9);
            assert_eq!(number(&given, 0), u32::try_from(given.len()).ok());
            assert_eq!(given[4..6], NEW_ADDRESS.to_ne_bytes());
            let flags = u16::from_ne_bytes([given[6], given[7]]);
            assert_eq!(flags, REQUEST | ACK | CREATE | REPLACE);
            let all: Vec<_> = attributes(&given[HEADER + 8..]).collect();
            let of = |wanted: u16| {
                let found = all.iter().find(|(kind, _)| *kind == wanted);
                found.expect("said").1
            };
            let valid = (number(of(CACHE_INFO), 0), number(of(CACHE_INFO), 4));
            assert_eq!(valid, (Some(preferred), Some(3)), "{address}");
            assert_eq!(of(FLAGS), NO_DAD.to_ne_bytes());
            assert_eq!(of(LOCAL), of(ADDRESS));
        }
        assert_eq!(
            remove(place("192.0.2.10"), 9)[4..6],
            DEL_ADDRESS.to_ne_bytes()
        );
        for (like, family) in [("192.0.2.10", 2), ("2001:db8::10", 10)] {
            assert_eq!(list(place(like).address, 9)[HEADER], family);
        }
    }

    #[test]
    fn what_is_there_for_good_is_told_apart_whichever_way_it_is_said() {
        let (own, other) = ([192, 0, 2, 10], [192, 0, 2, 99]);
        for (short, long, permanent) in [
            (0, None, false),
            (0x80, None, true),
            (0x80, Some(NO_DAD), false),
            (0, Some(PERMANENT | NO_DAD), true),
        ] {
            let mut listed = header(NEW_ADDRESS, 0, 1);
            listed.extend([2, 24, short, 0]);
            listed.extend(7_u32.to_ne_bytes());
            // A link between two: the address is the other one's.
            attribute(&mut listed, ADDRESS, &other);
            attribute(&mut listed, LOCAL, &own);
            if let Some(flags) = long {
                attribute(&mut listed, FLAGS, &flags.to_ne_bytes());
            }
            let place = place("192.0.2.10");
            let read: Vec<_> = replies(&finished(listed)).collect();
            assert_eq!(read, [Reply::Address { place, permanent }]);
        }
    }

    #[test]
    fn an_answer_has_its_number_and_its_error() {
        let mut refused = header(ERROR, 0, 42);
        refused.extend((-1_i32).to_ne_bytes());
        let (sequence, error) = (42, 1);
        let refused = finished(refused);
        let read: Vec<_> = replies(&refused).collect();
        assert_eq!(read, [Reply::Done { sequence, error }]);
    }

    #[test]
    fn whatever_the_lengths_say_it_ends() {
        let good = add(place("192.0.2.10"), 3, 1);
        for at in 0..good.len() {
            for byte in [0, 1, 3, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                assert!(replies(&bytes).count() <= good.len());
                assert!(replies(&bytes[..at]).count() <= good.len());
            }
        }
    }
}
