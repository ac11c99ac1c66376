//! The Hue web application.

use super::profile::{Fact, HOUR, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "hue",
    aliases: &["hue-server"],
    title: "Hue",
    summary: "The Hue web application.",
    port: Some(8888),
    sticky: Some(HOUR),
    probe: Question::Hue {
        path: "/desktop/debug/is_alive",
    },
    clients: "Browsers: many short connections, and WebSockets that stay. A login holds in every Hue, as it lives in their database.",
    facts: &[
        Fact {
            of: "port",
            why: "`http_port`. TLS is on the same port.",
            source: "cloudera/hue desktop/conf.dist/hue.ini",
        },
        Fact {
            of: "sticky",
            why: "Any Hue can serve a user, but open query handles and uploads live in one process.",
            source: "cloudera/hue tools/load-balancer/etc/haproxy-hue.conf.in",
        },
        Fact {
            of: "probe.path",
            why: "Answers 200 with an empty body, without a login and without touching the database.",
            source: "cloudera/hue desktop/core/src/desktop/views.py",
        },
    ],
    hints: &[
        "Where `allowed_hosts` is narrowed, Hue answers 400 to the probe until `probe.host` names one of them.",
        "`enable_smart_thrift_pool` makes Hue go round the balancer to the coordinators themselves: keep it off.",
    ],
    ..Profile::BASE
};
