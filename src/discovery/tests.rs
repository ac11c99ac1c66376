//! Sources and who hears them, beside a pool at work.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_test::task::spawn;

use super::hearer::Hearer;
use super::{Found, Listing, Sources, file};
use crate::plan::{
    Balance, CarePlan, Dial, DiscoverPlan, PoolName, PoolPlan, QueuePlan, ServerDefaults,
    ServerPlan, Service, Timeouts,
};
use crate::pool::{Change, Pool};
use crate::telemetry::Metrics;
use crate::telemetry::journal::Kind;

/// Every await ends here; the sources' own times are half a second.
const DEADLINE: Duration = Duration::from_secs(5);

/// Of a pool without servers of its own.
pub(super) fn plan(discover: Option<DiscoverPlan>) -> Arc<PoolPlan> {
    Arc::new(PoolPlan {
        name: PoolName::new("p"),
        discover,
        service: Service::TCP,
        server_defaults: ServerDefaults::of(Service::TCP),
        balance: Balance::RoundRobin,
        servers: Vec::new(),
        send_proxy: None,
        sticky: None,
        probe: None,
        tls: None,
        timeouts: Timeouts {
            connect: DEADLINE,
            idle: DEADLINE,
            half_close: DEADLINE,
            udp_idle: DEADLINE,
            udp_responses: None,
            keepalive: DEADLINE,
            first_byte: DEADLINE,
        },
        queue: QueuePlan::default(),
        care: CarePlan::DEFAULT,
        load: None,
        dial: Dial::Late,
        drain_timeout: DEADLINE,
    })
}

fn found(plan: &PoolPlan) -> Found {
    Found::at("127.0.0.1", 1, plan).expect("an address")
}

fn one(_: &Path, plan: &PoolPlan) -> Result<Vec<ServerPlan>, String> {
    Ok(vec![found(plan).server])
}

/// The first time no descriptor is free.
fn one_later(path: &Path, plan: &PoolPlan) -> Result<Vec<ServerPlan>, String> {
    static READS: AtomicU32 = AtomicU32::new(0);
    match READS.fetch_add(1, Ordering::Relaxed) {
        0 => Err("too many open files".to_owned()),
        _ => one(path, plan),
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_could_not_be_read_is_read_again_though_it_is_the_same() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let (path, plan) = (file.path().to_owned(), plan(None));
    let (reports, mut listings) = mpsc::channel(1);
    tokio::spawn(async move { file::watch(&path, &plan, &reports, one_later).await });
    let mut next = async || timeout(DEADLINE, listings.recv()).await.expect("in time");
    assert!(matches!(next().await, Some(Listing::Silent { .. })));
    assert!(matches!(next().await, Some(Listing::Listed(_))));
    assert_eq!(next().await, Some(Listing::Same));
}

#[tokio::test]
async fn the_age_of_a_list_goes_with_its_source() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let path = file.path().to_owned();
    let (pool, keeper) = Pool::new(plan(Some(DiscoverPlan::File { path })), &Metrics::new());
    tokio::spawn(keeper.run());
    let (mut sources, _told) = Sources::new(one);
    sources.reconcile(&pool);
    let heard = async {
        while !pool.freshness().is_some_and(|now| now.live) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(DEADLINE, heard).await.expect("a list");
    let told = pool
        .journal()
        .newest(10, |event| event.kind == Kind::Source);
    let texts: Vec<_> = told.events.iter().map(|one| one.text.as_str()).collect();
    assert!(
        matches!(texts.as_slice(), [one] if one.contains("lists servers, 1 in all; came: ")),
        "{texts:?}"
    );
    let sent = pool.send(Change::Plan(plan(None))).await;
    sent.expect("a keeper");
    sources.reconcile(&pool);
    assert_eq!(pool.freshness(), None);
}

#[tokio::test]
async fn servers_that_are_listed_already_get_new_defaults() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let path = file.path().to_owned();
    let before = plan(Some(DiscoverPlan::File { path }));
    let (pool, keeper) = Pool::new(Arc::clone(&before), &Metrics::new());
    tokio::spawn(keeper.run());
    let (mut sources, _told) = Sources::new(one);
    sources.reconcile(&pool);
    let bounds = || {
        let members = pool.load();
        let first = members.members().first();
        first.and_then(|member| member.plan.max_connections)
    };
    let until = async |wanted: fn(Option<u32>, usize) -> bool| {
        let reached = async {
            while !wanted(bounds(), pool.load().members().len()) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(DEADLINE, reached).await.expect("in time");
    };
    until(|bound, members| bound.is_none() && members == 1).await;
    let mut after = PoolPlan::clone(&before);
    after.server_defaults.max_connections = Some(400);
    let sent = pool.send(Change::Plan(Arc::new(after))).await;
    sent.expect("a keeper");
    sources.reconcile(&pool);
    until(|bound, _| bound == Some(400)).await;
}

#[tokio::test]
async fn who_is_listed_is_looked_after_though_the_source_ends_meanwhile() {
    let source = Some(DiscoverPlan::DnsSrv {
        name: "_hive._tcp.example.com".into(),
    });
    let plan = plan(source);
    let (pool, keeper) = Pool::new(Arc::clone(&plan), &Metrics::new());
    let (changed, mut told) = mpsc::channel(1);
    let listing = Listing::Listed(vec![found(&plan)]);
    let mut hearer = Hearer::new(Arc::clone(&pool), plan, changed);
    let mut hearing = spawn(hearer.hear(listing));
    assert!(hearing.poll().is_pending(), "the keeper does not work yet");
    drop(hearing);
    drop(hearer);
    tokio::spawn(keeper.run());
    let name = timeout(DEADLINE, told.recv()).await.expect("in time");
    assert_eq!(name.as_ref(), Some(pool.name()));
    assert_eq!(pool.load().members().len(), 1);
}
