//! Storm's master.

use super::profile::{Fact, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "storm-nimbus",
    aliases: &["nimbus"],
    title: "Storm Nimbus",
    summary: "Nimbus, the master of Apache Storm, by Thrift.",
    port: Some(6627),
    refuses_proxy: true,
    probe: Question::Tcp,
    clients: "`storm jar` and other tools, supervisors, the UI: they speak first. They ask any Nimbus who leads, and go to the leader \
        itself.",
    facts: &[
        Fact {
            of: "port",
            why: "`nimbus.thrift.port`.",
            source: "apache/storm conf/defaults.yaml",
        },
        Fact {
            of: "probe",
            why: "What it answers depends on `storm.thrift.transport`, and a question in the wrong one is hung up on. A connect is \
                right in all.",
            source: "apache/storm storm-client/src/jvm/org/apache/storm/security/auth/SimpleTransportPlugin.java",
        },
    ],
    hints: &[
        "Every Nimbus says who leads, so balance the first question only: leaders are reached under the name that they registered, \
         `storm.local.hostname`.",
        "A Nimbus that takes connections and answers nobody passes a bare connect. Without Kerberos, ask it as below.",
    ],
    ..Profile::BASE
};
