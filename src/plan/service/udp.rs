//! Anything that is asked by datagrams.

use super::profile::{Fact, Profile, Question};
use crate::plan::Balance;

pub(super) const PROFILE: Profile = Profile {
    word: "udp",
    title: "Plain UDP",
    summary: "Anything else that is asked by datagrams, and of which nothing is known.",
    balance: Balance::RoundRobin,
    probe: Question::None,
    clients: "Unknown: say `timeouts.udp_idle` and `sticky` as they need it.",
    facts: &[Fact {
        of: "probe",
        why: "Nobody knows what it would answer, and silence says nothing: many services never answer a datagram they do not \
              understand.",
        source: "RFC 1122 §4.1.3.1",
    }],
    hints: &[
        "Without a probe every server counts as up. One whose machine says that nobody listens there loses that session at once, \
         and is asked again by the next. Where the same server takes connections too, say `probe = { type = \"tcp\" }`.",
    ],
    ..Profile::BASE
};
