//! `[cluster]` → [`ClusterPlan`]: a name, and what is shared in ZooKeeper.

use std::time::Duration;

use super::{discover, missing, tls};
use crate::base::unit;
use crate::config::cx::Cx;
use crate::config::field::Field;
use crate::config::file::Cluster;
use crate::plan::{ClusterMode, ClusterPlan, SharedPlan, ZooKeeperPlan};

pub(super) fn lower(field: &Field<Cluster>, cx: &mut Cx) -> Option<ClusterPlan> {
    let words = field.value()?;
    "[cluster]".clone_into(&mut cx.owner);
    if words.name.is_absent() {
        missing(
            &words.span,
            "name",
            "name = \"lb-1\", another one on each machine",
            cx,
        );
    }
    if let Some(name) = words.name.get() {
        super::judge_name(name, "", "howdah", cx);
    }
    let shared = shared(words, cx);
    if words.zookeeper.is_absent() {
        judge_keys_of_zookeeper(words, cx);
    }
    Some(ClusterPlan {
        name: words.name.get()?.value.clone(),
        shared,
    })
}

fn shared(words: &Cluster, cx: &mut Cx) -> Option<SharedPlan> {
    let ensemble =
        discover::addresses(words.zookeeper.get()?, "zookeeper", discover::ZOOKEEPER, cx);
    let path = match words.path.get() {
        Some(spot) => discover::judge_path(spot, cx),
        None if words.path.is_absent() => Some(PATH.to_owned()),
        None => None,
    };
    let session_timeout = session_timeout(words, cx);
    let account = discover::account(&words.username, &words.password_file, cx);
    let tls = words.tls.value().map(|words| tls::connect_tls(words, cx));
    Some(SharedPlan {
        zookeeper: ZooKeeperPlan {
            ensemble,
            path: path?,
            account,
            tls,
        },
        mode: words.mode.or(ClusterMode::ActiveActive),
        session_timeout,
        fence_vips: words.fence_vips.or(false),
    })
}

fn session_timeout(words: &Cluster, cx: &mut Cx) -> Duration {
    let Some(spot) = words.session_timeout.get() else {
        return SharedPlan::SESSION_TIMEOUT;
    };
    if !(SHORTEST..=LONGEST).contains(&spot.value) {
        let (low, high) = (unit::show_duration(SHORTEST), unit::show_duration(LONGEST));
        cx.error(&spot.span, "session_timeout in [cluster] is out of bounds")
            .why(format!("from {low} to {high}"))
            .fix("session_timeout = \"6s\": a howdah that dies is missed after so long");
    }
    spot.value
}

fn judge_keys_of_zookeeper(words: &Cluster, cx: &mut Cx) {
    let keys = [
        ("path", words.path.span()),
        ("mode", words.mode.span()),
        ("session_timeout", words.session_timeout.span()),
        ("fence_vips", words.fence_vips.span()),
        ("username", words.username.span()),
        ("password_file", words.password_file.span()),
        ("tls", words.tls.span()),
    ];
    for (key, span) in keys {
        if let Some(span) = span {
            cx.error(&span, format!("[cluster] has {key} without zookeeper"))
                .why("nothing is shared without an ensemble")
                .fix(format!(
                    "leave {key} out, or say zookeeper = [\"zk1.example.com\"]"
                ));
        }
    }
}

/// Below the root.
const PATH: &str = "/howdah";
/// A shorter pause of a machine would be an end.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longer, and nobody notices a death.
const LONGEST: Duration = Duration::from_secs(60);
