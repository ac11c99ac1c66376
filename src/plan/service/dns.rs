//! Name servers.

use super::profile::{Fact, Profile, Question};
use crate::plan::{AnswerEnd, Balance, Meaning, Number, Rule, Step};

pub(super) const PROFILE: Profile = Profile {
    word: "dns",
    aliases: &["named", "bind", "unbound", "dnsmasq"],
    title: "DNS",
    summary: "Name servers that resolve for their clients.",
    port: Some(53),
    balance: Balance::RoundRobin,
    probe: Question::Exchange { steps: STEPS },
    clients: "Every machine: one datagram and its answer, or a short connection where the answer is too long for that.",
    facts: &[
        Fact {
            of: "port",
            why: "Both over UDP and over TCP, where two bytes of length stand before each message.",
            source: "RFC 1035 §4.2",
        },
        Fact {
            of: "probe",
            why: "The SOA of the root is in every resolver's cache and in no zone of its own. Over TCP, where every server has to answer \
                too and nobody can put in a word without the connection's numbers, unless the probe's `protocol` says `udp`.",
            source: "RFC 7766 §5; RFC 5452 §4.4",
        },
    ],
    hints: &[
        "A server that resolves nothing and only knows its own zones refuses the root: alive. Ask it for a zone of its own, as below.",
        "What a server may answer it judges by the address that asks, which is howdah's: name it in `allow-query`, `access-control` and the like.",
    ],
    ..Profile::BASE
};

const STEPS: &[Step] = &[Step::new(ROOT_SOA, AnswerEnd::U16, RULES).numbered(Number {
    at: 0,
    echo: 0,
    length: 2,
})];

/// Number 0x1234 (over UDP one that is drawn each time), recursion desired, one question: the root, SOA, IN.
const ROOT_SOA: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\0\0\x06\0\x01";

/// The number, the bit that makes it an answer, and the lower half of the next byte: what came of it.
const RULES: &[Rule] = &[
    Rule::new(
        r"^\x12\x34[\x80-\xff][\x00\x10\x20\x30\x40\x50\x60\x70\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0]",
        Meaning::UP,
    ),
    Rule::new(
        r"^\x12\x34[\x80-\xff][\x03\x13\x23\x33\x43\x53\x63\x73\x83\x93\xa3\xb3\xc3\xd3\xe3\xf3]",
        Meaning::UP,
    ),
    Rule::new(
        r"^\x12\x34[\x80-\xff][\x02\x12\x22\x32\x42\x52\x62\x72\x82\x92\xa2\xb2\xc2\xd2\xe2\xf2]",
        Meaning::ALIVE,
    )
    .told("SERVFAIL (2): it resolves nothing"),
    Rule::new(
        r"^\x12\x34[\x80-\xff][\x05\x15\x25\x35\x45\x55\x65\x75\x85\x95\xa5\xb5\xc5\xd5\xe5\xf5]",
        Meaning::ALIVE,
    )
    .told("REFUSED (5): it does not resolve, or not for howdah"),
];
