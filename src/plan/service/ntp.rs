//! Time servers.

use super::profile::{Fact, Profile, Question};
use crate::plan::{AnswerEnd, Balance, Meaning, Number, Rule, Step};

pub(super) const PROFILE: Profile = Profile {
    word: "ntp",
    aliases: &["chrony", "chronyd", "ntpd", "sntp"],
    title: "NTP",
    summary: "Time servers: chrony, ntpd, and what speaks as they do.",
    port: Some(123),
    balance: Balance::SourceHash,
    probe: Question::Datagrams { steps: STEPS },
    clients: "Machines that ask for the time: one datagram and its answer, every minute to every twenty minutes, for years.",
    facts: &[
        Fact {
            of: "port",
            why: "Over UDP alone: the listener says `protocol = \"udp\"`.",
            source: "RFC 5905 §7.2",
        },
        Fact {
            of: "balance",
            why: "A client measures how one clock differs from its own over many answers: those of several clocks, taken for one, \
                look like a clock that jumps.",
            source: "RFC 5905 §10, §11.2",
        },
        Fact {
            of: "probe",
            why: "An answer repeats the time that the question carries, here a number drawn for it; what does not repeat it is \
                passed over.",
            source: "RFC 5905 §8, test 2",
        },
    ],
    hints: &[
        "Give clients several time servers by their own names where they can have them: only so they can see that one of them is wrong.",
        "`timeouts.udp_responses = 1` ends a session with its answer.",
        "A server that finds howdah asking too often answers with a kiss of death (`RATE`): raise the probe's `interval`, or take \
         howdah's address out of its limits.",
    ],
    ..Profile::BASE
};

const STEPS: &[Step] = &[Step::new(CLIENT, AnswerEnd::Match, RULES).numbered(Number {
    at: 40,
    echo: 24,
    length: 8,
})];

/// Version 4, mode 3 (client); the rest is nothing but the number in the place of our time.
const CLIENT: &[u8] = b"\x23\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The first byte of an answer is leap indicator, version, and mode 4; the second the stratum. Four bytes further on stands the
/// word of a kiss of death.
const RULES: &[Rule] = &[
    Rule::new(
        r"(?s)^[\x04\x0c\x14\x1c\x24\x2c\x34\x3c\x44\x4c\x54\x5c\x64\x6c\x74\x7c\x84\x8c\x94\x9c\xa4\xac\xb4\xbc][\x01-\x0f].{46}",
        Meaning::UP,
    ),
    Rule::new(
        r"(?s)^[\x04\x0c\x14\x1c\x24\x2c\x34\x3c\x44\x4c\x54\x5c\x64\x6c\x74\x7c\x84\x8c\x94\x9c\xa4\xac\xb4\xbc\xc4\xcc\xd4\xdc\xe4\xec\xf4\xfc]\x00.{10}(?<detail>[A-Z]{4}).{32}",
        Meaning::ALIVE,
    ),
    Rule::new(
        r"(?s)^[\xc4\xcc\xd4\xdc\xe4\xec\xf4\xfc].{47}",
        Meaning::ALIVE,
    )
    .told("its clock is not set (leap indicator 3)"),
    Rule::new(
        r"(?s)^[\x04\x0c\x14\x1c\x24\x2c\x34\x3c\x44\x4c\x54\x5c\x64\x6c\x74\x7c\x84\x8c\x94\x9c\xa4\xac\xb4\xbc][\x00\x10-\xff].{46}",
        Meaning::ALIVE,
    )
    .told("it follows no clock (stratum 0, or 16 and more)"),
];
