//! Words → Plan: what belongs together, what is missing, what the service brings.
//!
//! Each part goes on past a fault with the default in its place, so that all are found in one run; whether a plan comes
//! out of it is decided by [`super::judge`] from the faults that were noted.

mod address;
mod certificate;
mod collision;
mod defaults;
mod http;
mod listener;
mod material;
mod pool;
mod probe;
mod probe_rules;
mod route;
mod server;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub(super) use self::material::reason;
use super::cx::Cx;
use super::file::{Admin, File, Global, Log, Pools};
use super::source::Span;
use super::words::{Field, Spot};
use crate::plan::{
    AccessTarget, AdminPlan, CpuAffinity, GlobalPlan, LogFormat, LogLevel, LogPlan, Plan, PoolName,
    RelayWay,
};

/// The plan, as far as it can be made.
pub(super) fn lower(file: &File, cx: &mut Cx) -> Option<Plan> {
    let global = global(&file.global.or(Global::default()));
    let admin = admin(&file.admin.or(Admin::default()), cx);
    let log = log(&file.log.or(Log::default()), cx);
    let no_pools = Pools::default();
    let pools = file.pool.value().unwrap_or(&no_pools);
    if file.pool.is_absent() || file.pool.value().is_some_and(Pools::is_empty) {
        cx.error_anywhere("there is no pool in the file")
            .fix("add one: [pool.hive] with service = \"hiveserver2\" and servers = [\"HOST\"]");
    }
    let known = (!matches!(file.pool, Field::Faulty) && !pools.strays).then_some(pools);
    let listeners = listener::lower(&file.listener, known, admin.bind, cx);
    let plans = pool::lower(pools, &global, cx);
    pool::unused(pools, &file.listener, cx);
    Some(Plan {
        global,
        admin,
        log,
        listeners,
        pools: plans.into_iter().map(Arc::new).collect(),
    })
}

fn global(words: &Global) -> GlobalPlan {
    let workers = words
        .workers
        .value()
        .and_then(|workers| usize::try_from(workers.0).ok());
    GlobalPlan {
        workers: workers.and_then(NonZeroUsize::new),
        max_connections: defaults::count(&words.max_connections).unwrap_or(20_000),
        drain_timeout: words.drain_timeout.or(Duration::from_secs(30 * 60)),
        relay: words.relay.or(RelayWay::Auto),
        cpu_affinity: words.cpu_affinity.or(CpuAffinity::Auto),
    }
}

fn admin(words: &Admin, cx: &mut Cx) -> AdminPlan {
    let bind = words.bind.or(SocketAddr::from(([127, 0, 0, 1], 9600)));
    "[admin]".clone_into(&mut cx.owner);
    if let Some(span) = words.bind.span()
        && !bind.ip().is_loopback()
        && words.token_file.is_absent()
    {
        cx.error(&span, "[admin] is open to other machines without a token")
            .why("not loopback")
            .fix("add token_file = \"FILE\" with a secret in it, which commands then show with --token-file")
            .fix(format!("or bind = \"127.0.0.1:{}\"", bind.port()));
    }
    let token = words
        .token_file
        .get()
        .and_then(|path| material::secret(path, "token_file", cx));
    AdminPlan { bind, token }
}

fn log(words: &Log, cx: &mut Cx) -> LogPlan {
    "[log]".clone_into(&mut cx.owner);
    LogPlan {
        level: words.level.or(LogLevel::Info),
        format: words.format.or(LogFormat::Json),
        access: words
            .access
            .get()
            .map_or(AccessTarget::Stdout, |word| access(word, cx)),
    }
}

fn access(word: &Spot<String>, cx: &mut Cx) -> AccessTarget {
    match word.value.as_str() {
        "stdout" => AccessTarget::Stdout,
        "stderr" => AccessTarget::Stderr,
        "off" => AccessTarget::Off,
        path => {
            let full = cx.resolve(path);
            material::writable(&full, word, cx);
            AccessTarget::File(full)
        }
    }
}

/// A pool that a listener or route names, with a fault when there is none of that name. Without `pools` nobody knows.
fn pool_reference(word: &Spot<String>, pools: Option<&Pools>, cx: &mut Cx) -> PoolName {
    if let Some(pools) = pools
        && !pools.names.contains(&word.value)
    {
        let known: Vec<&str> = pools.names.iter().map(String::as_str).collect();
        let what = format!(
            "{} names a pool {:?} that is not in the file",
            cx.owner, word.value
        );
        let hint = super::suggest::value(&word.value, &known, &[]);
        let fault = cx.error(&word.span, what);
        if known.is_empty() {
            fault.why("there is no pool at all");
        } else {
            let some = known
                .iter()
                .take(MANY)
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            let more = if known.len() > MANY { ", ..." } else { "" };
            fault.why(format!("known: {some}{more}"));
        }
        fault.fix(
            hint.unwrap_or_else(|| {
                format!("add [pool.{}], or name another one", quoted(&word.value))
            }),
        );
    }
    PoolName::new(&word.value)
}

/// As TOML wants it in a header.
fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// Names stand in metrics, commands (`pool/server`) and addresses of the API: notes one that could not.
fn judge_name(name: &Spot<String>, also: &str, noun: &str, cx: &mut Cx) {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || also.contains(c);
    let why = match name.value.chars().find(|c| !good(*c)) {
        Some(c) => format!("{c:?} cannot stand in a name"),
        None if name.value.is_empty() => "it is empty".into(),
        None if name.value.len() > 128 => "longer than 128 characters".into(),
        None => return,
    };
    let what = format!("{:?} is no name for a {noun}", name.value);
    cx.error(&name.span, what)
        .why(why)
        .fix("names are made of letters, digits, \"-\", \"_\" and \".\"");
}

/// Notes a key that has no default.
fn missing(span: &Span, key: &str, example: &str, cx: &mut Cx) {
    let what = format!("{} lacks {key:?}", cx.owner);
    cx.error(span, what)
        .why(format!("{key} is missing"))
        .fix(format!("add {example}"));
}

/// Names in a list that is still read.
const MANY: usize = 8;
