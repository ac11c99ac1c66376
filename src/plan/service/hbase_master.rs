//! HBase's master, by its info server.

use super::profile::{Fact, Profile, Question};
use crate::plan::{JsonRule, Meaning, OnRoleLost, Page, Role, RolePlan};

pub(super) const PROFILE: Profile = Profile {
    word: "hbase-master",
    aliases: &["hmaster", "hbase"],
    title: "HBase master",
    summary: "HBase's master by its info server: the pages and their figures.",
    port: Some(16_010),
    role: RolePlan {
        wanted: Some(Role::Active),
        on_lost: OnRoleLost::Cut,
    },
    probe: Question::Page(&Page {
        json: Some(JsonRule {
            // Text, not a truth value; the name has a dot in it.
            pointer: "/beans/0/tag.isActiveMaster",
            values: &[("true", Meaning::ACTIVE), ("false", Meaning::STANDBY)],
        }),
        ..Page::get("/jmx?qry=Hadoop:service=HBase,name=Master,sub=Server")
    }),
    clients: "Browsers and collectors of figures. HBase's own clients find the master without it.",
    facts: &[
        Fact {
            of: "port",
            why: "`hbase.master.info.port`; 60010 before HBase 1.0. TLS is on the same port (`hbase.ssl.enabled`).",
            source: "apache/hbase hbase-common src/main/resources/hbase-default.xml",
        },
        Fact {
            of: "role",
            why: "A backup master's pages know nothing of regions and tables.",
            source: "apache/hbase hbase-server …/master/http/MasterStatusServlet.java",
        },
        Fact {
            of: "probe",
            why: "`tag.isActiveMaster` is the text \"true\" on the active master and \"false\" on a backup. `/health` would answer \
                200 on both, and makes a remote call each time.",
            source: "apache/hbase …/master/MetricsMasterSource.java; …/master/http/MasterHealthServlet.java",
        },
    ],
    hints: &[
        "A master that starts has no such bean yet: it answers 200 with an empty list, and is down until it has one.",
    ],
    ..Profile::BASE
};
