//! Ambari's server.

use super::profile::{Fact, HOUR, Profile, Question};
use crate::plan::{Meaning, Page, Rule};

pub(super) const PROFILE: Profile = Profile {
    word: "ambari",
    aliases: &["ambari-server"],
    title: "Ambari",
    summary: "Ambari's server, which manages a cluster: web application and REST.",
    port: Some(8080),
    tls_port: Some(8443),
    sticky: Some(HOUR),
    probe: Question::Page(&Page {
        body: &[Rule::new("RUNNING", Meaning::UP)],
        ..Page::get("/api/v1/check")
    }),
    clients: "Browsers of administrators, and scripts. Agents connect to 8440 and 8441, which are listeners of `tcp` if they must be carried.",
    facts: &[
        Fact {
            of: "port",
            why: "`client.api.port`, and `client.api.ssl.port` where `api.ssl` is on.",
            source: "apache/ambari ambari-server, Configuration.java",
        },
        Fact {
            of: "sticky",
            why: "A login lives in the server that took it.",
            source: "apache/ambari ambari-server, AmbariServer.java",
        },
        Fact {
            of: "probe.path",
            why: "Says RUNNING, and asks neither the database nor an agent.",
            source: "apache/ambari ambari-server, HealthCheck.java",
        },
    ],
    hints: &[
        "One server at a time may manage a cluster, and one that stands by has no answer of its own: give the second \
         `backup = true`, and start it only when the first is gone for good.",
        "Where the page wants a login, 401 or 403 is alive and not up: with Kerberos give the probe `keytab` and `principal`, else \
         say `expect_status = [200, 403]`.",
    ],
    ..Profile::BASE
};
