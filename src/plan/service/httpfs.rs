//! HttpFS, the gateway to HDFS by HTTP.

use super::profile::{Fact, HOUR, Profile, Question};
use crate::plan::{Meaning, Page};

pub(super) const PROFILE: Profile = Profile {
    word: "httpfs",
    aliases: &["hdfs-httpfs"],
    title: "HttpFS",
    summary: "HttpFS, a gateway to HDFS for clients of WebHDFS.",
    port: Some(14_000),
    sticky: Some(HOUR),
    probe: Question::Page(&Page {
        statuses: &[(200, Meaning::UP), (401, Meaning::UP)],
        ..Page::get("/webhdfs/v1/?op=GETHOMEDIRECTORY&user.name=howdah")
    }),
    clients: "Programs that speak WebHDFS, Hue, scripts. All data goes through it, so a session may last as long as a file takes.",
    facts: &[
        Fact {
            of: "port",
            why: "`httpfs.http.port`. TLS is on the same port.",
            source: "apache/hadoop hadoop-hdfs-httpfs src/main/resources/httpfs-default.xml",
        },
        Fact {
            of: "sticky",
            why: "All of them serve alike, but a login's cookie holds on the others only where they share the secret that signs it.",
            source: "apache/hadoop httpfs-default.xml, hadoop.http.authentication.signature.secret.file",
        },
        Fact {
            of: "probe",
            why: "401 is an answer like 200: the server wants a login, there is no standby to tell apart, and the question has none. \
                It reads no file.",
            source: "apache/hadoop hadoop-hdfs-httpfs …/fs/http/server/HttpFSServer.java",
        },
    ],
    hints: &[
        "Give all of them one `hadoop.http.authentication.signature.secret.file`, or `signer.secret.provider = zookeeper`: otherwise \
         clients that change servers log in again and again.",
        "With Kerberos, the keytab of every server must hold the principal HTTP/ of howdah's name.",
        "An answer 200 or 401 says nothing of HDFS behind it.",
    ],
    ..Profile::BASE
};
