//! Ranger's policies.

use super::profile::{Fact, HOUR, Profile, Question};
use crate::plan::{JsonRule, Meaning, Page};

pub(super) const PROFILE: Profile = Profile {
    word: "ranger-admin",
    aliases: &["ranger"],
    title: "Ranger Admin",
    summary: "Ranger's policies, their web application and REST.",
    port: Some(6080),
    tls_port: Some(6182),
    sticky: Some(HOUR),
    probe: Question::Page(&Page {
        // What is not well may say so by 503: its body decides, too.
        statuses: &[(200, Meaning::UP), (503, Meaning::UP)],
        json: Some(JsonRule {
            pointer: "/status",
            values: &[
                ("UP", Meaning::UP),
                ("INITIALIZING", Meaning::ALIVE),
                ("INITIALIZATION_FAILURE", Meaning::ALIVE),
                ("UNKNOWN", Meaning::ALIVE),
                ("DOWN", Meaning::ALIVE),
            ],
        }),
        ..Page::get("/service/actuator/health")
    }),
    clients: "Browsers of administrators, and the plug-ins of every service, which fetch policies each 30 seconds.",
    facts: &[
        Fact {
            of: "port",
            why: "`ranger.service.http.port`, `ranger.service.https.port`.",
            source: "apache/ranger security-admin/src/main/resources/conf.dist/ranger-admin-site.xml",
        },
        Fact {
            of: "sticky",
            why: "A login by form lives in the server that took it.",
            source: "apache/ranger security-admin",
        },
        Fact {
            of: "probe.path",
            why: "Answers without a login, and its status includes the database.",
            source: "apache/ranger security-admin (RANGER-5717)",
        },
    ],
    hints: &[
        "Releases before RANGER-5717 do not have that page: say `probe = { path = \"/login.jsp\" }`, which is up at 200 and does not see \
         the database.",
        "`ranger.externalurl` must be howdah's address, and with Kerberos the keytab of every server must hold the principal of howdah's \
         name (`ranger.spnego.kerberos.principal = *`).",
    ],
    ..Profile::BASE
};
