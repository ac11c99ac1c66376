//! Solr, as a cloud or alone.

use super::profile::{Fact, Profile, Question};
use crate::plan::{JsonRule, Meaning, Page};

pub(super) const PROFILE: Profile = Profile {
    word: "solr",
    aliases: &["solrcloud", "solr-cloud"],
    title: "Solr",
    summary: "Apache Solr, as a cloud with ZooKeeper or alone.",
    port: Some(8983),
    probe: Question::Page(&Page {
        statuses: &[(200, Meaning::UP), (503, Meaning::ALIVE)],
        json: Some(JsonRule {
            pointer: "/status",
            values: &[("OK", Meaning::UP), ("FAILURE", Meaning::ALIVE)],
        }),
        ..Page::get("/solr/admin/info/health")
    }),
    clients: "Ranger's audits, Atlas, Hue, applications: short requests to any node, which asks the others itself.",
    facts: &[
        Fact {
            of: "port",
            why: "`SOLR_PORT`. TLS is on the same port.",
            source: "apache/solr solr/bin/solr.in.sh",
        },
        Fact {
            of: "probe",
            why: "503 when the node has lost ZooKeeper, or is not among its live nodes: such a node still answers, from what it \
                last knew.",
            source: "apache/solr solr/core …/handler/admin/HealthCheckHandler.java",
        },
    ],
    hints: &[
        "A node counts as up before its cores have recovered: `probe = { type = \"solr\", path = \
         \"/solr/admin/info/health?requireHealthyCores=true\" }` waits for them, and takes a node out for as long as one core recovers.",
        "Clients of SolrJ that are told ZooKeeper's address go to the nodes themselves, past howdah.",
        "Where a login is required, give the health page to all: permission `health` with role `null`.",
    ],
    ..Profile::BASE
};
