//! Storm's web interface.

use super::profile::{Fact, Profile, Question};
use crate::plan::{Meaning, Page, Rule};

pub(super) const PROFILE: Profile = Profile {
    word: "storm-ui",
    aliases: &["storm"],
    title: "Storm UI",
    summary: "Storm's web interface and REST.",
    port: Some(8080),
    probe: Question::Page(&Page {
        body: &[
            Rule::new("\"status\"\\s*:\\s*\"Leader\"", Meaning::UP),
            Rule::new("\"nimbuses\"\\s*:", Meaning::ALIVE),
        ],
        ..Page::get("/api/v1/nimbus/summary")
    }),
    clients: "Browsers and scripts: short connections. Topologies are submitted to Nimbus by Thrift on 6627, which is a listener of its own.",
    facts: &[
        Fact {
            of: "port",
            why: "`ui.port`; TLS is on a port of its own, `ui.https.port`: write it with the servers.",
            source: "apache/storm conf/defaults.yaml",
        },
        Fact {
            of: "probe.path",
            why: "Any UI serves, as long as one Nimbus is the leader: it lists them with what each of them is.",
            source: "apache/storm storm-webapp/src/main/java/org/apache/storm/daemon/ui/UIHelpers.java",
        },
    ],
    hints: &[
        "While no Nimbus leads, every UI is alive and none is up. Who wants to look at them even then says \
         `probe = { path = \"/index.html\" }`.",
        "With SPNEGO (`ui.filter`) it answers 401, which is alive and not up: give the probe `keytab` and `principal`, or \
         say `expect_status = [200, 401]`, as there is no standby to tell apart.",
    ],
    ..Profile::BASE
};
