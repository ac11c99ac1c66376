//! Hadoop's key server.

use std::time::Duration;

use super::profile::{Fact, Profile, Question};
use crate::plan::{Meaning, Page};

pub(super) const PROFILE: Profile = Profile {
    word: "hadoop-kms",
    aliases: &["kms"],
    title: "Hadoop KMS",
    summary: "Hadoop's key server, for HDFS encryption zones.",
    port: Some(9600),
    interval: Duration::from_secs(60),
    probe: Question::Page(&Page {
        statuses: &[(200, Meaning::UP), (401, Meaning::UP)],
        ..Page::get("/kms/v1/keys/names")
    }),
    clients: "HDFS clients, NameNodes and HttpFS, by REST: short connections, each with a login or a delegation token.",
    facts: &[
        Fact {
            of: "port",
            why: "`hadoop.kms.http.port`; Hadoop 2 had 16000. TLS is on the same port.",
            source: "apache/hadoop hadoop-common-project/hadoop-kms, kms-default.xml",
        },
        Fact {
            of: "probe.path",
            why: "Its login filter covers every path, so a call without login gets 401 from a KMS that is well.",
            source: "apache/hadoop hadoop-common-project/hadoop-kms, web.xml",
        },
        Fact {
            of: "probe.interval",
            why: "Each refused call has a line in `kms-audit.log` (UNAUTHENTICATED), so it is asked seldom; a session that finds it \
                dead has it asked at once.",
            source: "apache/hadoop hadoop-common-project/hadoop-kms, KMSAuthenticationFilter.java",
        },
    ],
    hints: &[
        "9600 is howdah's own default port for administrators, too: move `admin.bind`, or the listener.",
        "To keep its audit free of the probe, ask for no more than a handshake, `probe = { type = \"tls\", interval = \"5s\" }` (or \
         `\"tcp\"`): it then sees a machine that is gone, and not a KMS that hangs.",
        "Several need one secret for their tokens (`hadoop.kms.authentication.signer.secret.provider = zookeeper`): else a token of \
         one is refused by the others.",
    ],
    ..Profile::BASE
};
