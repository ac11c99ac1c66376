//! Anything that speaks TCP.

use super::profile::{Fact, Profile, Question};
use crate::plan::{Balance, Dial};

pub(super) const PROFILE: Profile = Profile {
    word: "tcp",
    title: "Plain TCP",
    summary: "Anything else that speaks TCP, and of which nothing is known.",
    balance: Balance::RoundRobin,
    dial: Dial::AtOnce,
    probe: Question::Tcp,
    clients: "Unknown: say `dial`, `timeouts.idle` and `sticky` as they need it.",
    facts: &[Fact {
        of: "dial",
        why: "Nobody knows who speaks first, and a server that does must work.",
        source: "RFC 9293 §3.5",
    }],
    hints: &[
        "A server that takes connections and serves nobody passes a bare connect: ask it more where more is known, with \
         `probe = { type = \"http\" }` or `type = \"tls\"`.",
    ],
    ..Profile::BASE
};
