//! A directory, which most logins of the platform end at.

use super::profile::{Fact, Profile, Question};
use crate::plan::{AnswerEnd, Meaning, Rule, Step};

pub(super) const PROFILE: Profile = Profile {
    word: "ldap",
    aliases: &["slapd", "openldap", "active-directory"],
    title: "LDAP",
    summary: "A directory that speaks LDAP: OpenLDAP, 389, FreeIPA, Active Directory.",
    port: Some(389),
    tls_port: Some(636),
    probe: Question::Exchange { steps: STEPS },
    starttls: STARTTLS,
    clients: "HiveServer2, Hue, Ranger, sssd: they speak first. Some bind once for each login, others keep a pool of connections.",
    facts: &[
        Fact {
            of: "port",
            why: "389, where StartTLS may follow, and 636 with TLS from the first byte.",
            source: "RFC 4511 §5.2, §4.14",
        },
        Fact {
            of: "probe",
            why: "A bind without a name costs no look at the database and locks no account. A directory that refuses it has read \
                it and answered, which is all that is asked.",
            source: "RFC 4513 §5.1.1; RFC 4511 §4.2, appendix A",
        },
    ],
    hints: &[
        "Writes go to one server in most directories: howdah does not read what is asked, so give those who write a listener and a \
         pool of their own.",
        "Clients of TLS check the name that they were told: every server's certificate must hold howdah's name, too.",
        "Kerberos binds (GSSAPI) ask the KDC for `ldap/` and the name that they were told: every server's keytab must hold that.",
    ],
    ..Profile::BASE
};

const STEPS: &[Step] = &[
    Step::new(BIND, AnswerEnd::Match, RULES),
    Step::new(UNBIND, AnswerEnd::Match, &[]),
];

const STARTTLS: &[Step] = &[Step::new(EXTENDED, AnswerEnd::Match, STARTED).starting_tls()];

/// Message 2, the extended request 1.3.6.1.4.1.1466.20037 (RFC 4511 §4.14.1).
const EXTENDED: &[u8] = b"\x30\x1d\x02\x01\x02\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// An ExtendedResponse: TLS begins when it is whole, so that its length has to say what is in it. OpenLDAP's has nothing but the
/// code and two empty texts; another may have the name of the request, too, as Active Directory's has.
const STARTED: &[Rule] = &[
    Rule::new(
        r"(?s)^0([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x02\x01\x02x(\x07|\x81\x07|\x82\x00\x07|\x84\x00\x00\x00\x07)\x0a\x01\x00\x04\x00\x04\x00",
        Meaning::UP,
    ),
    Rule::new(
        r"(?s)^0([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x02\x01\x02x(\x1f|\x81\x1f|\x82\x00\x1f|\x84\x00\x00\x00\x1f)\x0a\x01\x00\x04\x00\x04\x00\x8a\x161\.3\.6\.1\.4\.1\.1466\.20037",
        Meaning::UP,
    ),
    Rule::new(
        r"(?s)^0([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x02\x01\x02x([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x0a\x01[^\x00]",
        Meaning::ALIVE,
    )
    .told("it does not start TLS"),
];

/// Message 1, version 3, no name, no password.
const BIND: &[u8] = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";

/// Message 3, and no answer to it.
const UNBIND: &[u8] = b"\x30\x05\x02\x01\x03\x42\0";

/// A BindResponse up to its result code. Lengths come short or long: Active Directory takes four bytes for each.
const RULES: &[Rule] = &[
    // Success; appropriate authentication missing, wrong credentials, unwilling, stronger authentication wanted.
    Rule::new(
        r"(?s)^0([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x02\x01\x01a([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x0a\x01[\x00\x30\x31\x35\x08]",
        Meaning::UP,
    ),
    Rule::new(
        r"(?s)^0([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x02\x01\x01a([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x0a\x01\x33",
        Meaning::ALIVE,
    )
    .told("busy (51)"),
    Rule::new(
        r"(?s)^0([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x02\x01\x01a([\x00-\x7f]|\x81.|\x82..|\x84.{4})\x0a\x01\x34",
        Meaning::ALIVE,
    )
    .told("unavailable (52)"),
];
