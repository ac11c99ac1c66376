//! HBase's Thrift server.

use super::profile::{Fact, Profile, Question};
use crate::plan::{AnswerEnd, Meaning, Rule, Step};

pub(super) const PROFILE: Profile = Profile {
    word: "hbase-thrift",
    aliases: &["hbase-thrift2"],
    title: "HBase Thrift",
    summary: "HBase's Thrift server, the first interface or the second.",
    port: Some(9090),
    refuses_proxy: true,
    probe: Question::Exchange { steps: STEPS },
    clients: "Hue's HBase browser, happybase and others: they speak first, and keep connections for as long as they need them. An \
        open scanner lives in the server that opened it.",
    facts: &[
        Fact {
            of: "port",
            why: "`hbase.regionserver.thrift.port`; its web page is on 9095.",
            source: "apache/hbase hbase-thrift/src/main/java/org/apache/hadoop/hbase/thrift/Constants.java",
        },
        Fact {
            of: "probe",
            why: "A call of a method that nobody has is answered by an exception: a worker took it, no table was touched.",
            source: "apache/thrift lib/java/src/main/java/org/apache/thrift/TBaseProcessor.java",
        },
    ],
    hints: &[
        "With `hbase.regionserver.thrift.framed`, and in every server that is not of type `threadpool`, a length stands before each \
         message, and this question is hung up on: ask as below.",
        "With Kerberos (`hbase.thrift.security.qop`) it speaks SASL and hangs up on this question, or answers SASL: it is never up. \
         Its probe takes no `keytab`: ask it as below.",
        "With `hbase.regionserver.thrift.compact` it speaks the compact protocol, and this question fails: `probe = { type = \"tcp\" }`.",
    ],
    ..Profile::BASE
};

const STEPS: &[Step] = &[Step::new(PING, AnswerEnd::Match, RULES)];

/// A call, strict, number 0, without arguments.
const PING: &[u8] = b"\x80\x01\0\x01\0\0\0\x0ahowdahPing\0\0\0\0\0";

/// An exception, which is the answer of a server in good health.
const RULES: &[Rule] = &[
    Rule::new(r"^\x80\x01\x00\x03\x00\x00\x00\x0ahowdahPing", Meaning::UP),
    Rule::new(r"^\x04\x00\x00", Meaning::ALIVE)
        .told("it speaks SASL: ask it by an exchange of its own"),
];
