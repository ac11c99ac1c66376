//! `howdah check --connect`: every server of every pool is asked once, as its pool asks.
//!
//! Servers that a source lists are asked too: the source is followed until it has listed them, for a few seconds.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::cli::asking::{Asked, Asker, with_programs};
use crate::cli::ctl::table::Align::{Left, Name, Right, State};
use crate::cli::ctl::table::{Table, bare, clean, wrap};
use crate::config;
use crate::discovery::Sources;
use crate::health::command::Programs;
use crate::health::{Finding, Reason, Verdict};
use crate::plan::{Plan, PoolPlan, ServerPlan};
use crate::pool::Pool;
use crate::telemetry::Metrics;

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Connected {
    /// In the order of the file.
    pub(super) servers: Vec<ServerAsked>,
    /// Pools that nobody could serve, and why.
    pub(super) faults: Vec<String>,
}

/// One server.
#[derive(Debug, Serialize)]
pub(super) struct ServerAsked {
    pool: String,
    server: String,
    address: String,
    /// What the name stands for.
    addresses: Vec<String>,
    /// up, alive or down; null: nobody was asked.
    verdict: Option<&'static str>,
    reason: Option<&'static str>,
    /// Where it was decided.
    step: Option<&'static str>,
    detail: String,
    seconds: Option<f64>,
    /// As it should be: up, or standing by where the pool wants that of all but one.
    fine: bool,
}

/// Asks them all.
///
/// # Errors
/// Where this process cannot ask at all.
pub(super) fn connect(plan: &Plan) -> io::Result<Connected> {
    with_programs(plan, async |programs| all(plan, programs).await)
}

async fn all(plan: &Plan, programs: Programs) -> Connected {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asking = JoinSet::new();
    let mut faults = Vec::new();
    let mut order = 0;
    for pool in &plan.pools {
        let asker = Arc::new(Asker::new(pool, programs.clone(), None));
        let (servers, fault) = servers(pool).await;
        faults.extend(fault);
        for server in servers {
            let (asker, places) = (Arc::clone(&asker), Arc::clone(&places));
            let (pool, number) = (Arc::clone(pool), order);
            order += 1;
            asking.spawn(async move {
                // Held until the answer; never closed.
                let _place = places.acquire_owned().await;
                let asked = asker.ask(server.name.as_str(), &server.address).await;
                (number, ServerAsked::of(&pool, &server, asked))
            });
        }
    }
    let mut servers = asking.join_all().await;
    servers.sort_unstable_by_key(|(number, _)| *number);
    let servers: Vec<_> = servers.into_iter().map(|(_, asked)| asked).collect();
    for pool in &plan.pools {
        let mut own = servers.iter().filter(|one| one.pool == pool.name.as_str());
        let serves = |one: &ServerAsked| one.verdict.is_none_or(|verdict| verdict == "up");
        if own.clone().next().is_some() && !own.any(serves) {
            faults.push(format!("pool {} has no server that is up", pool.name));
        }
    }
    Connected { servers, faults }
}

/// Those of the file, and those that a source lists.
async fn servers(plan: &Arc<PoolPlan>) -> (Vec<Arc<ServerPlan>>, Option<String>) {
    if plan.discover.is_none() {
        return (plan.servers.clone(), None);
    }
    let (pool, keeper) = Pool::new(Arc::clone(plan), &Metrics::new());
    let keeper = tokio::spawn(keeper.run());
    let (mut sources, mut told) =
        Sources::new(|path, pool| config::members(path, pool).map_err(|report| report.to_string()));
    sources.reconcile(&pool);
    let heard = async {
        while !pool.freshness().is_some_and(|now| now.live) {
            let _ = timeout(GLANCE, told.recv()).await;
            sleep(GLANCE).await;
        }
    };
    let silent = timeout(LISTING, heard).await.is_err();
    let members = pool.load();
    let members = members.members().iter().map(|one| Arc::clone(&one.plan));
    let members = members.collect();
    keeper.abort();
    let why = pool.freshness().map(|now| now.why.clone());
    let fault = silent.then(|| {
        let why = why.filter(|why| !why.is_empty());
        let why = why.unwrap_or_else(|| "no answer".into());
        let source = plan.discover.as_ref().map(ToString::to_string);
        let source = source.unwrap_or_default();
        let why = why.trim_start_matches("error: ");
        let why = why.lines().next().unwrap_or_default();
        format!("pool {}: {source} lists nobody: {why}", plan.name)
    });
    (members, fault)
}

impl ServerAsked {
    fn of(pool: &PoolPlan, server: &ServerPlan, asked: Asked) -> Self {
        let finding = asked.finding.as_ref();
        let resolved = finding.and_then(|one| one.steps.first());
        let resolved = resolved.map_or(Duration::ZERO, |(_, took)| *took);
        Self {
            pool: pool.name.to_string(),
            server: server.name.to_string(),
            address: server.address.to_string(),
            addresses: asked.addresses.iter().map(ToString::to_string).collect(),
            verdict: finding.map(|one| one.verdict.as_str()),
            reason: finding.map(|one| one.reason.as_str()),
            step: finding.map(|one| one.step),
            detail: finding.map_or_else(String::new, |one| one.detail.clone()),
            seconds: finding.map(|one| (one.took + resolved).as_secs_f64()),
            fine: finding.is_none_or(is_fine),
        }
    }
}

/// Up; or well, and in the role that this pool has no use for.
fn is_fine(finding: &Finding) -> bool {
    match finding.verdict {
        Verdict::Up => true,
        Verdict::Alive => {
            finding.role.is_some() && matches!(finding.reason, Reason::Passive | Reason::Active)
        }
        Verdict::Down => false,
    }
}

impl Connected {
    /// Every server is as it should be, and every pool can serve.
    pub(super) fn is_fine(&self) -> bool {
        self.faults.is_empty() && self.servers.iter().all(|one| one.fine)
    }

    /// A table, and below it what is not as it should be.
    pub(super) fn print(&self, colour: bool, width: usize) -> String {
        let mut table = Table::new(&[
            ("SERVER", Name),
            ("ADDRESS", Name),
            ("VERDICT", State),
            ("TIME", Right),
            ("STEP", Left),
        ]);
        for one in &self.servers {
            let address = match one.addresses.as_slice() {
                [] => clean(&one.address),
                [only] => only.clone(),
                [first, rest @ ..] => format!("{first} +{}", rest.len()),
            };
            let time = one
                .seconds
                .map(|seconds| format!("{:.1} ms", seconds * 1e3));
            table.row(vec![
                format!("{}/{}", clean(&one.pool), clean(&one.server)),
                address,
                one.verdict.unwrap_or("not asked").into(),
                time.unwrap_or_else(|| "-".into()),
                one.step.unwrap_or("-").into(),
            ]);
        }
        let mut text = table.fit(colour, width);
        for (why, names) in self.troubles() {
            let names = names.join(", ");
            text.push_str(&wrap(&format!("{why} ({names})"), 2, width));
        }
        for fault in &self.faults {
            text.push_str(&wrap(&clean(fault), 2, width));
        }
        let count = |verdict: &str| {
            let own = self
                .servers
                .iter()
                .filter(|one| one.verdict == Some(verdict));
            own.count()
        };
        let (all, up, alive, down) = (
            self.servers.len(),
            count("up"),
            count("alive"),
            count("down"),
        );
        let _ = writeln!(text, "{all} asked: {up} up, {alive} alive, {down} down");
        text
    }

    /// Why servers are not up, once for all for which it is the same.
    fn troubles(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for one in &self.servers {
            let (Some(verdict), Some(reason)) = (one.verdict, one.reason) else {
                continue;
            };
            if verdict == "up" {
                continue;
            }
            let detail = match bare(&one.detail) {
                "" => String::new(),
                detail => format!(": {}", clean(detail)),
            };
            let why = format!("{verdict}, {reason}{detail}");
            let name = format!("{}/{}", clean(&one.pool), clean(&one.server));
            match groups.iter_mut().find(|(known, _)| *known == why) {
                Some((_, names)) => names.push(name),
                None => groups.push((why, vec![name])),
            }
        }
        groups
    }
}

/// Servers that are asked at once: probes are small, and some servers log each of them.
const AT_ONCE: usize = 32;
/// How long a source is waited for.
const LISTING: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(20);
