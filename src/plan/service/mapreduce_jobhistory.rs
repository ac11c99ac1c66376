//! MapReduce's history of jobs.

use super::profile::{Fact, Profile, Question};
use crate::plan::{Meaning, Page, Rule};

pub(super) const PROFILE: Profile = Profile {
    word: "mapreduce-jobhistory",
    aliases: &["jobhistory", "jobhistoryserver", "historyserver"],
    title: "MapReduce Job History Server",
    summary: "MapReduce's history of jobs: web interface and REST.",
    port: Some(19_888),
    tls_port: Some(19_890),
    probe: Question::Page(&Page {
        // As JSON, and as the XML that it may prefer where nothing is asked for.
        body: &[Rule::new("startedOn\"?\\s*[:>]\\s*\"?[0-9]", Meaning::UP)],
        ..Page::get("/ws/v1/history/info")
    }),
    clients: "Browsers that follow a link of YARN's, Hue, scripts: short connections. Job clients ask by RPC on 10020, which is a \
        listener of `tcp`.",
    facts: &[
        Fact {
            of: "port",
            why: "`mapreduce.jobhistory.webapp.address` and `.webapp.https.address`.",
            source: "apache/hadoop hadoop-mapreduce-client-core/src/main/resources/mapred-default.xml",
        },
        Fact {
            of: "probe.path",
            why: "Says since when it runs (`historyInfo.startedOn`), and reads no job.",
            source: "apache/hadoop hadoop-mapreduce-client-hs, HsWebServices.java",
        },
    ],
    hints: &[
        "It has no standby, and two servers would both move finished jobs: start the second only when the first is gone, and give it \
         `backup = true`.",
        "With Kerberos it answers 401, which is alive and not up: give the probe `keytab` and `principal`, or say \
         `expect_status = [200, 401]`, as there is no standby to tell apart.",
    ],
    ..Profile::BASE
};
