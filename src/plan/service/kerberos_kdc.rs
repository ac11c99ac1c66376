//! A key distribution centre of Kerberos.

use super::profile::{Fact, Profile, Question};
use crate::plan::{AnswerEnd, Balance, Meaning, Rule, Step};

pub(super) const PROFILE: Profile = Profile {
    word: "kerberos-kdc",
    aliases: &["kdc", "kerberos", "krb5kdc"],
    title: "Kerberos KDC",
    summary: "A key distribution centre of Kerberos: MIT, Heimdal, FreeIPA, Active Directory.",
    port: Some(88),
    balance: Balance::RoundRobin,
    refuses_proxy: true,
    probe: Question::Exchange { steps: STEPS },
    clients: "All that log in by Kerberos: one question and its answer, over UDP, or over TCP where the answer is long or the \
        library prefers it.",
    facts: &[
        Fact {
            of: "port",
            why: "Both over UDP and over TCP, where four bytes of length stand before each message.",
            source: "RFC 4120 §7.2.1, §7.2.2",
        },
        Fact {
            of: "probe",
            why: "To a question for a principal that nobody has, an error is the answer of a KDC in good health.",
            source: "RFC 4120 §3.1.3, §5.9.1, §7.5.9",
        },
    ],
    hints: &[
        "The question is for `howdah-probe@EXAMPLE.COM`, which need not exist: KDCs of other realms answer \"wrong realm\" or \"client \
         unknown\", and are up.",
        "MIT's KDC keeps its answers for two minutes to send them again to who repeats a question, as a probe does. It answers \
         from there even when its database is gone: this says that it is reached, and reads.",
        "Passwords are changed and principals made at the admin server (464, 749), of which a realm has one: do not balance those.",
    ],
    ..Profile::BASE
};

const STEPS: &[Step] = &[Step::new(AS_REQ, AnswerEnd::U32, RULES)];

/// For `krbtgt/EXAMPLE.COM`, by `howdah-probe`, with AES and RC4, until 2037.
const AS_REQ: &[u8] =
    b"\x6a\x81\x8e\x30\x81\x8b\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x7f\x30\x7d\
    \xa0\x07\x03\x05\0\0\0\0\x10\
    \xa1\x19\x30\x17\xa0\x03\x02\x01\x01\xa1\x10\x30\x0e\x1b\x0chowdah-probe\
    \xa2\x0d\x1b\x0bEXAMPLE.COM\
    \xa3\x20\x30\x1e\xa0\x03\x02\x01\x02\xa1\x17\x30\x15\x1b\x06krbtgt\x1b\x0bEXAMPLE.COM\
    \xa5\x11\x18\x0f20370913024805Z\
    \xa7\x06\x02\x04\x12\x34\x56\x78\
    \xa8\x0b\x30\x09\x02\x01\x12\x02\x01\x11\x02\x01\x17";

/// KRB-ERROR with the code "a service is not available"; any other; AS-REP.
const RULES: &[Rule] = &[
    Rule::new(r"(?s)^\x7e.*\xa6\x03\x02\x01\x1d", Meaning::ALIVE)
        .told("a service that it needs is not available (29)"),
    Rule::new(r"^[\x6b\x7e]", Meaning::UP),
];
