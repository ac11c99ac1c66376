//! Livy, Spark's REST server.

use super::profile::{Fact, HOUR, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "livy",
    aliases: &["livy-server"],
    title: "Livy",
    summary: "Apache Livy, which runs Spark sessions for clients of HTTP.",
    port: Some(8998),
    sticky: Some(HOUR),
    probe: Question::Http { path: "/version" },
    clients: "sparkmagic, Hue, scripts: many short connections that ask for one session again and again, by its number.",
    facts: &[
        Fact {
            of: "port",
            why: "`livy.server.port`. TLS is on the same port.",
            source: "apache/incubator-livy server/src/main/scala/org/apache/livy/server/LivyServer.scala",
        },
        Fact {
            of: "sticky",
            why: "A session lives in the server that began it, and each server counts its own from 0.",
            source: "apache/incubator-livy LivyServer.scala; LIVY-11, LIVY-723",
        },
        Fact {
            of: "probe.path",
            why: "Names no user and no session, as `/sessions` and `/batches` do.",
            source: "apache/incubator-livy LivyServer.scala",
        },
    ],
    hints: &[
        "Numbers of sessions overlap between servers: a client that loses its server may meet another one's session of the same number. \
         Where that must not be, give the second server `backup = true`.",
        "With SPNEGO `/version` answers 401, which is alive and not up: give the probe `keytab` and `principal`, or say \
         `expect_status = [200, 401]`, as there is no standby to tell apart.",
    ],
    ..Profile::BASE
};
