//! Elasticsearch, and OpenSearch, which answers alike.

use super::profile::{Fact, Profile, Question};
use crate::plan::{Meaning, Page, Rule};

pub(super) const PROFILE: Profile = Profile {
    word: "elasticsearch",
    aliases: &["elastic", "opensearch", "es"],
    title: "Elasticsearch",
    summary: "Elasticsearch, and OpenSearch, by HTTP.",
    port: Some(9200),
    probe: Question::Page(&Page {
        // 408: the same as `timed_out` by status, in newer ones. 503: it has found no master.
        statuses: &[
            (200, Meaning::UP),
            (408, Meaning::ALIVE),
            (503, Meaning::ALIVE),
        ],
        body: &[
            Rule::new(r#"(?P<detail>"timed_out"\s*:\s*true)"#, Meaning::ALIVE),
            Rule::new(
                r#"(?P<detail>"status"\s*:\s*"(green|yellow)")"#,
                Meaning::UP,
            ),
            Rule::new(r#"(?P<detail>"status"\s*:\s*"red")"#, Meaning::ALIVE),
        ],
        ..Page::get("/_cluster/health?local=true")
    }),
    clients: "Applications and collectors of logs: short requests to any node, and bulks that take longer.",
    facts: &[
        Fact {
            of: "port",
            why: "`http.port`. TLS is on the same port.",
            source: "elastic.co, Elasticsearch reference, Networking",
        },
        Fact {
            of: "role",
            why: "Every node takes every request and asks the others itself, so the elected master is none of a client's business.",
            source: "elastic.co, Elasticsearch reference, Node roles",
        },
        Fact {
            of: "probe",
            why: "`local=true` asks the node for what it knows itself: it answers without waiting for a master.",
            source: "elastic.co, Elasticsearch reference, Cluster health API",
        },
    ],
    hints: &[
        "Red is the state of the whole cluster, so it takes all nodes out at once. Where most of the data shall stay in reach while \
         a shard is missing: `probe = { type = \"elasticsearch\", json = { pointer = \"/status\", up = [\"green\", \"yellow\", \"red\"] } }`.",
        "With security on, the question is answered 401, which is alive: let the anonymous user have `cluster:monitor/health`, give the \
         probe a `keytab` where there is a Kerberos realm, or say `expect_status = [401]`, which asks for no more than a server that answers.",
        "Keep nodes that are masters only out of the pool: they would take searches from what the cluster hangs on.",
    ],
    ..Profile::BASE
};
