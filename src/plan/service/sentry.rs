//! Sentry, which kept permissions before Ranger did.

use super::profile::{Fact, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "sentry",
    aliases: &["sentry-server"],
    title: "Sentry",
    summary: "The policy server of Apache Sentry, by Thrift. The project has ended.",
    port: Some(8038),
    refuses_proxy: true,
    probe: Question::Tcp,
    clients: "HiveServer2, the metastore, Impala, the NameNode's plug-in: they speak first, and keep their connections.",
    facts: &[
        Fact {
            of: "port",
            why: "`sentry.service.server.rpc-port`.",
            source: "apache/sentry ServiceConstants.java",
        },
        Fact {
            of: "probe",
            why: "A connect is right with SASL and without, and no log fills up. Not tried with a server.",
            source: "apache/thrift lib/java/…/transport/TSaslServerTransport.java",
        },
    ],
    hints: &[
        "A server that takes connections and answers nobody passes a bare connect. With Kerberos, ask it seldom as below.",
        "With high availability both servers serve; clients that know a list, `sentry.service.client.server.rpc-addresses`, need no \
         balancer.",
    ],
    ..Profile::BASE
};
