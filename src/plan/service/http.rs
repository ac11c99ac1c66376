//! Any web server.

use super::profile::{Fact, Profile, Question};
use crate::plan::{Meaning, Page};

pub(super) const PROFILE: Profile = Profile {
    word: "http",
    aliases: &["web"],
    title: "HTTP",
    summary: "Anything else that speaks HTTP, and of which nothing is known.",
    port: Some(80),
    tls_port: Some(443),
    probe: Question::Page(&Page {
        below_500: Some(Meaning::UP),
        ..Page::get("/")
    }),
    clients: "Browsers, scripts and programs: they speak first. A connection stays on its server; say `sticky` where the next one \
        must meet the same.",
    facts: &[
        Fact {
            of: "port",
            why: "The ports of `http` and `https`.",
            source: "RFC 9110 §4.2",
        },
        Fact {
            of: "probe.path",
            why: "Nobody knows the paths of an unknown server, so whatever it answers to `/` is a sign of life: a page, a login, \
                a redirect, even 404. From 500 on it says itself that it is not well.",
            source: "RFC 9110 §15.6",
        },
    ],
    hints: &[
        "A proxy in front of a dead application often answers 200 or 404 to `/`: name a path that the application serves itself, and \
         say what you expect there. With `expect_status`, `expect_body`, `body` or `json` only what is named is up.",
        "In a pool of another service `probe = { type = \"http\" }` expects 200, as `howdah probe http` does.",
    ],
    ..Profile::BASE
};
