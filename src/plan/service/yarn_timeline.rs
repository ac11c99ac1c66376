//! YARN's Timeline server.

use super::profile::{Fact, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "yarn-timeline",
    aliases: &["timeline", "timelineserver", "ats"],
    title: "YARN Timeline Server",
    summary: "YARN's Timeline server, version 1: what applications tell of themselves, by REST.",
    port: Some(8188),
    tls_port: Some(8190),
    probe: Question::Http {
        path: "/ws/v1/timeline",
    },
    clients: "Applications that write (Tez, Spark), and the Tez and YARN web interfaces that read, by short connections.",
    facts: &[
        Fact {
            of: "port",
            why: "`yarn.timeline-service.webapp.address` and `.webapp.https.address`.",
            source: "apache/hadoop hadoop-yarn-project/hadoop-yarn/hadoop-yarn-common/src/main/resources/yarn-default.xml",
        },
        Fact {
            of: "probe.path",
            why: "Says what it is, and reads nothing of its store.",
            source: "apache/hadoop hadoop-yarn-server-applicationhistoryservice, TimelineWebServices.java",
        },
    ],
    hints: &[
        "Its store (LevelDB) belongs to one process: two servers do not show the same. Give the second one `backup = true`.",
        "With Kerberos it answers 401, which is alive and not up: give the probe `keytab` and `principal`, or say \
         `expect_status = [200, 401]`, as there is no standby to tell apart.",
    ],
    ..Profile::BASE
};
