//! Hive's metastore.

use super::profile::{Fact, HOUR, Profile, Question};
use crate::plan::{AnswerEnd, Meaning, Rule, Step};

pub(super) const PROFILE: Profile = Profile {
    word: "hive-metastore",
    aliases: &["metastore", "hms"],
    title: "Hive Metastore",
    summary: "Hive's metastore, by Thrift: databases, tables and where their files are.",
    port: Some(9083),
    idle: HOUR.saturating_mul(12),
    refuses_proxy: true,
    probe: Question::Exchange { steps: STEPS },
    clients: "HiveServer2, Impala, Spark, Trino: they speak first, and keep their connections for as long as they live.",
    facts: &[
        Fact {
            of: "port",
            why: "`hive.metastore.port`. TLS is on the same port.",
            source: "apache/hive standalone-metastore/metastore-common/src/main/java/org/apache/hadoop/hive/metastore/conf/MetastoreConf.java",
        },
        Fact {
            of: "timeouts.idle",
            why: "HiveServer2 keeps a connection for each session, which sits idle while its user thinks.",
            source: "apache/hive HiveConf.java, hive.server2.idle.session.timeout",
        },
        Fact {
            of: "probe",
            why: "`getStatus` needs no login and no database; where there is no SASL it leaves no line in the log.",
            source: "apache/thrift contrib/fb303/if/fb303.thrift",
        },
    ],
    hints: &[
        "A metastore with Kerberos speaks SASL and hangs up on this question, or answers SASL: it is never up. Its probe takes no `keytab`: ask it as below.",
        "All metastores of one database are equals, but what one has cached another may know better: give clients that read at once \
         what they wrote `sticky`.",
        "`hive.metastore.uris` takes a list, and `hive.metastore.uri.selection` an order: who uses both needs no balancer.",
    ],
    ..Profile::BASE
};

const STEPS: &[Step] = &[Step::new(GET_STATUS, AnswerEnd::Match, RULES)];

/// A call, strict, number 0, without arguments.
const GET_STATUS: &[u8] = b"\x80\x01\0\x01\0\0\0\x09getStatus\0\0\0\0\0";

/// A reply's field 0 is an i32 of fb303's `fb_status`.
const RULES: &[Rule] = &[
    Rule::new(
        r"^\x80\x01\x00\x02\x00\x00\x00\x09getStatus\x00{4}\x08\x00\x00\x00\x00\x00\x02",
        Meaning::UP,
    ),
    Rule::new(
        r"^\x80\x01\x00\x02\x00\x00\x00\x09getStatus\x00{4}\x08\x00\x00\x00\x00\x00\x01",
        Meaning::ALIVE,
    )
    .told("starting (1)"),
    Rule::new(
        r"^\x80\x01\x00\x02\x00\x00\x00\x09getStatus\x00{4}\x08\x00\x00\x00\x00\x00\x03",
        Meaning::ALIVE,
    )
    .told("stopping (3)"),
    Rule::new(
        r"^\x80\x01\x00\x02\x00\x00\x00\x09getStatus\x00{4}\x08\x00\x00\x00\x00\x00\x05",
        Meaning::ALIVE,
    )
    .told("warning (5)"),
    Rule::new(
        r"^\x80\x01\x00\x03\x00\x00\x00\x09getStatus",
        Meaning::ALIVE,
    )
    .told("it does not know getStatus"),
    Rule::new(r"^\x04\x00\x00", Meaning::ALIVE)
        .told("it speaks SASL: ask it by an exchange of its own"),
];
