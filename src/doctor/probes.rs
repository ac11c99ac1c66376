//! Probes that see less than they could, or something else than they should.

use std::collections::HashSet;

use super::finding::Code::{AnonymousProbe, NoProbe, ShallowProbe, SharedProbe, TcpProbe};
use super::finding::Finding;
use super::finding::Level::{Note, Warning};
use crate::plan::{Ask, Depth, HiveAuth, PoolPlan, ProbePlan, Question};

pub(super) fn of(pool: &PoolPlan) -> Vec<Finding> {
    let Some(probe) = &pool.probe else {
        return vec![unprobed(pool)];
    };
    let found = [
        bare(pool, probe),
        shared(pool, probe),
        shallow(pool, probe),
        anonymous(pool, probe),
    ];
    found.into_iter().flatten().collect()
}

/// A warning where there is a question to ask.
fn unprobed(pool: &PoolPlan) -> Finding {
    let has_own = pool.service.probe != Question::None;
    let (level, fix) = match has_own {
        true => (Warning, "leave `probe` out, and the service's own is asked"),
        false => (
            Note,
            "give it a probe of type \"exchange\" or \"command\", if its servers answer anything",
        ),
    };
    Finding::new(
        (level, NoProbe),
        place(pool),
        "its servers are not asked: probe = \"none\"",
        "every server counts as up; a dead one costs each session that is sent there a failed connect, or its timeout",
        fix,
    )
}

fn bare(pool: &PoolPlan, probe: &ProbePlan) -> Option<Finding> {
    let has_own = !matches!(
        pool.service.probe,
        Question::Tcp | Question::None | Question::Command
    );
    if probe.ask != Ask::Tcp || !has_own {
        return None;
    }
    let service = pool.service.as_str();
    let log = match THRIFT.contains(&service) {
        true => {
            "a Thrift server writes a line, or a stack trace, to its log for each; and one whose threads are all taken still connects"
        }
        false => "a server that hangs, starts or stands by still connects",
    };
    Some(Finding::new(
        (Warning, TcpProbe),
        place(pool),
        format!("its servers ({service}) are asked by bare connects: probe type \"tcp\""),
        log,
        format!(
            "leave `type` out: {service} has a question of its own (docs/services/{service}.md)"
        ),
    ))
}

/// One port that is not the sessions', on one host, answers for all that have sessions there.
fn shared(pool: &PoolPlan, probe: &ProbePlan) -> Option<Finding> {
    let what = match (&probe.ask, probe.port) {
        (Ask::Command(words), _) if pool.servers.len() > 1 && !names_server(words) => {
            format!(
                "its servers are all judged by the same command: {}",
                words.join(" ")
            )
        }
        (_, Some(port)) => {
            let mut hosts = HashSet::new();
            let twice = pool
                .servers
                .iter()
                .find(|one| !hosts.insert(&one.address.host))?;
            format!(
                "several servers are judged by one address: port {port} of the host of {}",
                twice.name
            )
        }
        _ => return None,
    };
    Some(Finding::new(
        (Warning, SharedProbe),
        place(pool),
        what,
        "they go up and down together, whichever of them is ill",
        "ask the port that takes sessions (leave `port` out), or {host}, {port} or {server} in the command; else give each server a host of its own",
    ))
}

fn names_server(words: &[String]) -> bool {
    let own = ["{host}", "{port}", "{server}"];
    words
        .iter()
        .any(|word| own.iter().any(|name| word.contains(name)))
}

fn shallow(pool: &PoolPlan, probe: &ProbePlan) -> Option<Finding> {
    let Ask::HiveServer2 { depth, .. } = &probe.ask else {
        return None;
    };
    (*depth == Depth::Handshake && pool.servers.len() > 1).then(|| {
        Finding::new(
            (Note, ShallowProbe),
            place(pool),
            "HiveServer2 is asked no session: depth \"handshake\"",
            "one that stands by, is being decommissioned or has lost its metastore still shakes hands and counts as up",
            "give the probe a login (username, password_file or keytab) and depth = \"session\"",
        )
    })
}

fn anonymous(pool: &PoolPlan, probe: &ProbePlan) -> Option<Finding> {
    let Ask::HiveServer2 {
        depth,
        auth: HiveAuth::Plain { account: None },
        ..
    } = &probe.ask
    else {
        return None;
    };
    (*depth > Depth::Handshake).then(|| {
        Finding::new(
            (Warning, AnonymousProbe),
            place(pool),
            format!("the probe asks for a session (depth \"{depth}\") without a login"),
            "servers that check logins (LDAP, PAM, CUSTOM) refuse it, and none is ever up",
            "add username and password_file, or keytab and principal; nothing to do where hive.server2.authentication is NONE",
        )
    })
}

fn place(pool: &PoolPlan) -> String {
    format!("pool \"{}\"", pool.name)
}

/// Services that speak Thrift, and log who connects and says nothing.
const THRIFT: [&str; 6] = [
    "hiveserver2",
    "impala",
    "hive-metastore",
    "hbase-thrift",
    "storm-nimbus",
    "sentry",
];
