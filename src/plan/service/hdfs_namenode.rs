//! HDFS's NameNode, by its web server.

use super::profile::{Fact, Profile, Question};
use crate::plan::{Meaning, OnRoleLost, Page, Role, RolePlan, Rule};

pub(super) const PROFILE: Profile = Profile {
    word: "hdfs-namenode",
    aliases: &["namenode", "hdfs", "webhdfs", "nn"],
    title: "HDFS NameNode",
    summary: "HDFS's NameNode by its web server: WebHDFS and the pages.",
    port: Some(9870),
    tls_port: Some(9871),
    role: RolePlan {
        wanted: Some(Role::Active),
        on_lost: OnRoleLost::Cut,
    },
    probe: Question::Page(&Page {
        statuses: &[(200, Meaning::UP), (405, Meaning::STANDBY)],
        body: &[Rule::new("I am Active!", Meaning::ACTIVE)],
        ..Page::get("/isActive")
    }),
    clients: "Programs that speak WebHDFS, Hue, Knox, scripts, browsers: short requests. Data itself goes to DataNodes, whose addresses \
        the NameNode tells, past howdah.",
    facts: &[
        Fact {
            of: "port",
            why: "`dfs.namenode.http-address`, `dfs.namenode.https-address`; in Hadoop 2 50070 and 50470. The RPC port, 8020, has \
                clients that know all NameNodes themselves.",
            source: "apache/hadoop hadoop-hdfs src/main/resources/hdfs-default.xml",
        },
        Fact {
            of: "role",
            why: "A standby answers reads with 403 and a StandbyException, so only the active one is of use.",
            source: "apache/hadoop hadoop-hdfs …/web/resources/ExceptionHandler.java",
        },
        Fact {
            of: "on_role_lost",
            why: "What was the active one cannot finish a request, and a client that keeps its connection would stay there.",
            source: "apache/hadoop hadoop-hdfs …/namenode/ha/StandbyState.java",
        },
        Fact {
            of: "probe",
            why: "The page that is made for balancers: 200 \"I am Active!\" on the active one, 405 on a standby or an observer.",
            source: "apache/hadoop hadoop-common …/http/IsActiveServlet.java; HADOOP-15707",
        },
    ],
    hints: &[
        "Hadoop 2 has no `/isActive` and answers 404, which is down: ask its JMX page, as below.",
        "Where SPNEGO covers all pages, a NameNode answers 401, which is alive, and none serves: give the probe `keytab` and \
         `principal`, or name `/isActive` in `hadoop.http.authentication.kerberos.endpoint.whitelist` (HADOOP-18666).",
        "Safe mode is no role: the active NameNode is up in it, and refuses writes itself.",
    ],
    ..Profile::BASE
};
