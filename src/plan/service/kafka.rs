//! Kafka's brokers, for the first connection of a client.

use super::profile::{Fact, Profile, Question};
use crate::plan::{AnswerEnd, Meaning, Rule, Step};

pub(super) const PROFILE: Profile = Profile {
    word: "kafka",
    aliases: &["kafka-broker"],
    title: "Kafka",
    summary: "The bootstrap of Apache Kafka: any broker, which then names all others.",
    port: Some(9092),
    tls_port: Some(9093),
    refuses_proxy: true,
    probe: Question::Exchange { steps: STEPS },
    clients: "Producers and consumers: they speak first, ask for the cluster's metadata, and from then on go to the brokers that \
        it names, not through howdah.",
    facts: &[
        Fact {
            of: "port",
            why: "`listeners`; 9093 is a habit for TLS, not a default.",
            source: "apache/kafka config/server.properties",
        },
        Fact {
            of: "probe",
            why: "Every broker answers ApiVersions before a login, so that no credentials are needed.",
            source: "apache/kafka clients/src/main/java/org/apache/kafka/common/security/authenticator/SaslServerAuthenticator.java; \
                clients/src/main/resources/common/message/ApiVersionsRequest.json",
        },
    ],
    hints: &[
        "Balance the bootstrap only. What clients hear next is `advertised.listeners` of each broker, and those must be reachable \
         without howdah: one that names howdah's address sends the client of one broker to another.",
        "A broker answers while it is fenced, or no controller leads: this is about the way in, not about partitions.",
    ],
    ..Profile::BASE
};

const STEPS: &[Step] = &[Step::new(API_VERSIONS, AnswerEnd::U32, RULES)];

/// Key 18, version 0, correlation 1, client `howdah`.
const API_VERSIONS: &[u8] = b"\0\x12\0\0\0\0\0\x01\0\x06howdah";

/// The correlation, then the error.
const RULES: &[Rule] = &[
    Rule::new(r"^\x00\x00\x00\x01\x00\x00", Meaning::UP),
    Rule::new(r"(?s)^\x00\x00\x00\x01..", Meaning::ALIVE)
        .told("it answers ApiVersions with an error"),
];
