//! ZooKeeper, which most of the platform asks who leads.

use super::profile::{Fact, Profile, Question};
use crate::plan::{Meaning, Rule, Step};

pub(super) const PROFILE: Profile = Profile {
    word: "zookeeper",
    aliases: &["zk"],
    title: "ZooKeeper",
    summary: "Apache ZooKeeper, which keeps what the rest of the platform agrees on.",
    port: Some(2181),
    refuses_proxy: true,
    probe: Question::Exchange { steps: STEPS },
    clients: "HBase, Kafka, Hadoop's failover controllers, Curator: they speak first, keep one connection and send a ping within \
        a third of their session's timeout. A session is the ensemble's: a client that loses its server takes it to another.",
    facts: &[
        Fact {
            of: "port",
            why: "`clientPort`. `secureClientPort` speaks TLS and has no usual number.",
            source: "apache/zookeeper zookeeper-docs/src/main/resources/markdown/zookeeperAdmin.md",
        },
        Fact {
            of: "probe",
            why: "Of the four-letter words `srvr` alone is allowed where nothing else is said, and unlike `ruok` it says whether \
                the server is part of a quorum.",
            source: "apache/zookeeper zookeeper-server/src/main/java/org/apache/zookeeper/server/command/FourLetterCommands.java",
        },
        Fact {
            of: "role",
            why: "Followers and observers serve reads and pass writes on to the leader: any of them will do.",
            source: "apache/zookeeper zookeeperInternals.md",
        },
    ],
    hints: &[
        "Clients of their own accord choose among the servers of their connect string, and find the next when one fails. A balancer \
         before ZooKeeper is for those that can be told one address only: keep the list where a list works.",
        "Each server sees howdah's address for all clients: `maxClientCnxns` (60) counts them together. Raise it, or set it to 0.",
        "Where `4lw.commands.whitelist` leaves `srvr` out, every server is alive and none up: the detail says so.",
    ],
    ..Profile::BASE
};

const STEPS: &[Step] = &[Step::lines(b"srvr", RULES)];

const RULES: &[Rule] = &[
    Rule::new(
        "(?m)^Mode: (?<detail>(?<role>leader|follower|observer|standalone))$",
        Meaning::UP,
    ),
    Rule::new("(?m)^Mode: (?<detail>read-only)$", Meaning::ALIVE),
    Rule::new("(?m)^(?<detail>Mode: .*)$", Meaning::DOWN),
    Rule::new(
        "^This ZooKeeper instance is not currently serving requests",
        Meaning::ALIVE,
    ),
    Rule::new(
        "^srvr is not executed because it is not in the whitelist",
        Meaning::ALIVE,
    )
    .told("srvr is not allowed: add it to 4lw.commands.whitelist"),
];
