//! Oozie, the scheduler of workflows.

use super::profile::{Fact, Profile, Question};
use crate::plan::{JsonRule, Meaning, Page};

pub(super) const PROFILE: Profile = Profile {
    word: "oozie",
    aliases: &["oozie-server"],
    title: "Oozie",
    summary: "Apache Oozie, which schedules workflows.",
    port: Some(11_000),
    tls_port: Some(11_443),
    probe: Question::Page(&Page {
        json: Some(JsonRule {
            pointer: "/systemMode",
            values: &[
                ("NORMAL", Meaning::UP),
                ("NOWEBSERVICE", Meaning::ALIVE),
                ("SAFEMODE", Meaning::ALIVE),
            ],
        }),
        ..Page::get("/oozie/v1/admin/status")
    }),
    clients: "The command line, Hue, scripts, and the launchers of its own jobs, which call back: short requests to any server.",
    facts: &[
        Fact {
            of: "port",
            why: "`oozie.http.port`, `oozie.https.port`.",
            source: "apache/oozie core/src/main/resources/oozie-default.xml",
        },
        Fact {
            of: "sticky",
            why: "Any server answers for any job: they share a database, and locks in ZooKeeper.",
            source: "apache/oozie docs/src/site/markdown/AG_Install.md",
        },
        Fact {
            of: "probe",
            why: "The mode that an administrator has set: a server that is not in NORMAL refuses work.",
            source: "apache/oozie core/…/servlet/BaseAdminServlet.java",
        },
    ],
    hints: &[
        "Set `oozie.base.url` to howdah's address on all servers: launchers call back there.",
        "With Kerberos each server needs HTTP principals of its own name and of howdah's in one keytab: \
         `oozie.authentication.kerberos.principal = *` takes both.",
    ],
    ..Profile::BASE
};
