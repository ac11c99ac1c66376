//! Ranger's key server.

use super::profile::{Fact, Profile, Question};

pub(super) const PROFILE: Profile = Profile {
    word: "ranger-kms",
    title: "Ranger KMS",
    summary: "Ranger's key server, for HDFS encryption zones.",
    port: Some(9292),
    probe: Question::Http { path: "/jmx" },
    clients: "HDFS clients, NameNodes and HttpFS, by REST: short connections, each with a login or a delegation token.",
    facts: &[
        Fact {
            of: "port",
            why: "`ranger.service.http.port`.",
            source: "apache/ranger kms/config/kms-webapp/ranger-kms-site.xml",
        },
        Fact {
            of: "probe.path",
            why: "Its login filter covers `/kms/*` alone: this answers without a login, and nothing is audited.",
            source: "apache/ranger kms/src/main/webapp/WEB-INF/web.xml",
        },
    ],
    hints: &[
        "The port of TLS is the installer's choice (9393 and 9494 are seen): write it with the servers.",
        "Several need one secret for their tokens (`hadoop.kms.authentication.signer.secret.provider = zookeeper`): else a token of \
         one is refused by the others.",
    ],
    ..Profile::BASE
};
