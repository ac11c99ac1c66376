//! HBase's REST server.

use super::profile::{Fact, HOUR, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "hbase-rest",
    aliases: &["stargate"],
    title: "HBase REST",
    summary: "HBase's REST server, a gateway to its tables.",
    port: Some(8080),
    sticky: Some(HOUR),
    probe: Question::Http { path: "/version" },
    clients: "Scripts and applications: short requests, and scanners that go on over many of them.",
    facts: &[
        Fact {
            of: "port",
            why: "`hbase.rest.port`; its info server is on 8085. TLS is on the same port (`hbase.rest.ssl.enabled`).",
            source: "apache/hbase hbase-rest …/rest/RESTServer.java",
        },
        Fact {
            of: "sticky",
            why: "A scanner lives in the server that opened it, under a number that the others do not know.",
            source: "apache/hbase hbase-rest …/rest/ScannerResource.java",
        },
        Fact {
            of: "probe.path",
            why: "Answered by the server alone: `/version/cluster` and `/status/cluster` ask the cluster each time.",
            source: "apache/hbase hbase-rest …/rest/VersionResource.java",
        },
    ],
    hints: &[
        "A client whose scanner answers 404 has come to another server: many clients behind one address or a changed one do. Let it open a new one.",
        "With SPNEGO `/version` answers 401, which is alive and not up: give the probe `keytab` and `principal`, or say \
         `expect_status = [200, 401]`, as there is no standby to tell apart.",
        "An answer says nothing of HBase behind it.",
    ],
    ..Profile::BASE
};
