//! YARN's ResourceManager, by its web server.

use super::profile::{Fact, Profile, Question};
use crate::plan::{JsonRule, Meaning, OnRoleLost, Page, Role, RolePlan};

pub(super) const PROFILE: Profile = Profile {
    word: "yarn-resourcemanager",
    aliases: &["resourcemanager", "yarn", "yarn-rm", "rm"],
    title: "YARN ResourceManager",
    summary: "YARN's ResourceManager by its web server: REST and the pages.",
    port: Some(8088),
    tls_port: Some(8090),
    role: RolePlan {
        wanted: Some(Role::Active),
        on_lost: OnRoleLost::Cut,
    },
    probe: Question::Page(&Page {
        // A redirect, in a status or in a Refresh header, is how a standby answers.
        statuses: &[(200, Meaning::UP), (307, Meaning::STANDBY)],
        json: Some(JsonRule {
            pointer: "/clusterInfo/haState",
            values: &[
                ("ACTIVE", Meaning::ACTIVE),
                ("STANDBY", Meaning::STANDBY),
                ("INITIALIZING", Meaning::ALIVE),
                ("STOPPED", Meaning::ALIVE),
            ],
        }),
        ..Page::get("/ws/v1/cluster/info")
    }),
    clients: "Hue, Knox, Livy, schedulers by REST, browsers: short requests.",
    facts: &[
        Fact {
            of: "port",
            why: "`yarn.resourcemanager.webapp.address`, `yarn.resourcemanager.webapp.https.address`. The RPC ports have clients \
                that know all ResourceManagers themselves.",
            source: "apache/hadoop hadoop-yarn-common src/main/resources/yarn-default.xml",
        },
        Fact {
            of: "role",
            why: "A standby sends all but a few requests on to the active one's own address, past howdah.",
            source: "apache/hadoop …/resourcemanager/webapp/RMWebAppFilter.java",
        },
        Fact {
            of: "on_role_lost",
            why: "What was the active one would send each request of a kept connection on.",
            source: "apache/hadoop …/resourcemanager/webapp/RMWebAppFilter.java",
        },
        Fact {
            of: "probe",
            why: "`haState` of a page that a standby answers itself. Where one redirects all the same, by status 307 or, in old \
                releases, by 200 with a Refresh header, it is a standby, too.",
            source: "apache/hadoop …/resourcemanager/webapp/dao/ClusterInfo.java; YARN-2605",
        },
    ],
    hints: &[
        "A check that asks for `/cluster` or `/` and takes any 200 takes an old standby for the active one: it answers 200 with a Refresh header.",
        "A redirect names the address that is in the ResourceManager's own configuration: give clients howdah's name there, \
         or let them reach that address.",
    ],
    ..Profile::BASE
};
