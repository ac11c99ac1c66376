//! The pool as sessions, operators and reloads see it.

mod memory;
mod roster;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_test::task::spawn;

use super::*;
use crate::base::word::Label;
use crate::plan::{
    Address, Ask, Balance, Dial, Host, PoolName, PoolPlan, ProbePlan, ServerDefaults, ServerName,
    ServerPlan, Service, StickyPlan, Timeouts,
};
use crate::plan::{CarePlan, OnDown, OnRoleLost, Role, RolePlan};
use crate::telemetry::Metrics;
use crate::telemetry::journal::Kind;

fn server(name: &str) -> ServerPlan {
    ServerPlan {
        name: ServerName::new(name),
        address: Address {
            host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
            port: 10_000,
        },
        weight: 1,
        max_connections: None,
        max_per_second: None,
        backup: false,
    }
}

fn weighted(name: &str, weight: u16) -> ServerPlan {
    ServerPlan {
        weight,
        ..server(name)
    }
}

fn capped(name: &str, cap: u32) -> ServerPlan {
    ServerPlan {
        max_connections: Some(cap),
        ..server(name)
    }
}

fn backup(name: &str) -> ServerPlan {
    ServerPlan {
        backup: true,
        ..server(name)
    }
}

pub(super) fn plan(balance: Balance, servers: impl IntoIterator<Item = ServerPlan>) -> PoolPlan {
    PoolPlan {
        name: PoolName::new("hive"),
        discover: None,
        service: Service::TCP,
        server_defaults: ServerDefaults::of(Service::TCP),
        balance,
        servers: servers.into_iter().map(Arc::new).collect(),
        send_proxy: None,
        sticky: None,
        probe: None,
        tls: None,
        timeouts: Timeouts {
            connect: Duration::from_secs(3),
            idle: Duration::from_secs(3600),
            half_close: Duration::from_secs(600),
            udp_idle: Duration::from_secs(600),
            udp_responses: None,
            keepalive: Duration::from_secs(600),
            first_byte: Duration::from_secs(60),
        },
        queue: crate::plan::QueuePlan::default(),
        care: CarePlan::DEFAULT,
        load: None,
        dial: Dial::Late,
        drain_timeout: Duration::from_secs(1800),
    }
}

/// For the tests of other rooms: without a probe.
pub(crate) fn plan_of(name: &str, servers: &[&str]) -> Arc<PoolPlan> {
    let servers = servers.iter().map(|name| server(name));
    Arc::new(PoolPlan {
        name: PoolName::new(name),
        ..plan(Balance::RoundRobin, servers)
    })
}

/// The same, and clients stay where they were.
pub(crate) fn sticky_plan_of(name: &str, servers: &[&str], max_entries: usize) -> Arc<PoolPlan> {
    let plan = PoolPlan::clone(&plan_of(name, servers));
    let sticky = sticky(max_entries);
    Arc::new(PoolPlan { sticky, ..plan })
}

pub(super) fn probe() -> Option<ProbePlan> {
    Some(ProbePlan {
        ask: Ask::Tcp,
        port: None,
        tls: None,
        kerberos: None,
        interval: Duration::from_secs(10),
        fast_interval: Duration::from_secs(1),
        deep_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(3),
        rise: 2,
        fall: 3,
        observe: crate::plan::ObservePlan::DEFAULT,
    })
}

fn sticky(max_entries: usize) -> Option<StickyPlan> {
    Some(StickyPlan {
        ttl: Duration::from_secs(60),
        max_entries,
    })
}

/// With a keeper at work.
pub(super) fn open(plan: PoolPlan) -> Arc<Pool> {
    let (pool, keeper) = Pool::new(Arc::new(plan), &Metrics::new());
    tokio::spawn(keeper.run());
    pool
}

fn client(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn choose(pool: &Arc<Pool>) -> Result<Lease, NoServer> {
    pool.choose(client(1), &[], Instant::now())
}

fn choose_not(pool: &Arc<Pool>, tried: &[&str]) -> Result<Lease, NoServer> {
    let tried: Vec<_> = tried.iter().map(|name| find(pool, name).id()).collect();
    pool.choose(client(1), &tried, Instant::now())
}

fn find(pool: &Pool, name: &str) -> Arc<Server> {
    let snapshot = pool.load();
    let member = snapshot.member(&ServerName::new(name));
    Arc::clone(&member.expect("a member").server)
}

fn name_of(lease: &Result<Lease, NoServer>) -> &str {
    lease
        .as_ref()
        .map_or_else(|why| why.as_str(), |lease| lease.server().name().as_str())
}

/// Names picked in a row, each given back before the next.
fn in_turn(pool: &Arc<Pool>, count: usize) -> HashMap<String, usize> {
    let mut shares = HashMap::new();
    for _ in 0..count {
        *shares.entry(name_of(&choose(pool)).to_owned()).or_default() += 1;
    }
    shares
}

async fn conclude(pool: &Pool, name: &str, health: Health) {
    claim(pool, name, health, None).await;
}

/// What a probe found, and what the server said that it is.
async fn claim(pool: &Pool, name: &str, health: Health, role: Option<Role>) {
    let server = find(pool, name).id();
    let change = Change::Health {
        server,
        health,
        role,
    };
    pool.send(change).await.expect("a keeper");
}

async fn order(pool: &Pool, name: &str, order: Order) {
    let server = ServerName::new(name);
    let given = Origin::by("test");
    pool.send(Change::Order {
        server,
        order,
        given,
    })
    .await
    .expect("a member");
}

async fn weigh(pool: &Pool, name: &str, weight: u16) -> Result<(), Refused> {
    let server = ServerName::new(name);
    let given = Origin::by("test");
    pool.send(Change::Weight {
        server,
        weight,
        given,
    })
    .await
}

async fn reload(pool: &Pool, plan: PoolPlan) {
    pool.send(Change::Plan(Arc::new(plan)))
        .await
        .expect("a keeper");
}

#[tokio::test]
async fn a_server_gets_nothing_before_its_first_verdict() {
    let mut plan = plan(Balance::RoundRobin, [server("a"), server("b")]);
    plan.probe = probe();
    let pool = open(plan);
    assert_eq!(choose(&pool).err(), Some(NoServer::NoneUp));
    conclude(&pool, "b", Health::Up).await;
    assert_eq!(in_turn(&pool, 4), HashMap::from([("b".to_owned(), 4)]));
    conclude(&pool, "a", Health::Up).await;
    assert_eq!(in_turn(&pool, 4)["a"], 2);
    conclude(&pool, "a", Health::Alive).await;
    assert_eq!(in_turn(&pool, 4)["b"], 4);
    conclude(&pool, "b", Health::Down).await;
    assert_eq!(choose(&pool).err(), Some(NoServer::NoneUp));
}

#[tokio::test]
async fn without_a_probe_every_server_counts_as_up() {
    let pool = open(plan(Balance::RoundRobin, [server("a"), server("b")]));
    conclude(&pool, "a", Health::Down).await;
    assert_eq!(in_turn(&pool, 4)["a"], 2);
}

#[tokio::test]
async fn a_lease_counts_from_choice_to_drop() {
    let pool = open(plan(Balance::LeastConnection, [server("a")]));
    let server = find(&pool, "a");
    let first = choose(&pool).expect("up");
    let second = choose(&pool).expect("up");
    assert_eq!((server.sessions_active(), server.sessions_total()), (2, 2));
    assert_eq!(first.pick(), Pick::OnlyOne);
    drop((first, second));
    assert_eq!((server.sessions_active(), server.sessions_total()), (0, 2));
}

#[tokio::test]
async fn every_balance_names_its_pick() {
    for &balance in Balance::ALL {
        let pool = open(plan(balance, [server("a"), server("b")]));
        let lease = choose(&pool).expect("up");
        assert_eq!(lease.pick().as_str(), balance.as_str());
        assert_eq!(lease.plan().balance, balance);
    }
}

#[tokio::test]
async fn a_full_server_is_passed_over_and_not_ill() {
    for &balance in Balance::ALL {
        let pool = open(plan(balance, [capped("a", 1), capped("b", 2)]));
        let leases: Vec<_> = (0..3).map(|_| choose(&pool).expect("room")).collect();
        assert_eq!(choose(&pool).err(), Some(NoServer::AllFull), "{balance:?}");
        let snapshot = pool.load();
        let a = &snapshot.members()[0];
        assert_eq!(
            (a.standing, a.standing_now()),
            (Standing::Ready, Standing::Full)
        );
        assert!(snapshot.can_serve());
        drop(leases);
        assert_eq!(a.standing_now(), Standing::Ready);
        assert!(choose(&pool).is_ok(), "{balance:?}");
    }
}

#[tokio::test]
async fn what_was_tried_is_not_offered_again() {
    for &balance in Balance::ALL {
        let pool = open(plan(balance, [server("a"), server("b"), server("c")]));
        for _ in 0..10 {
            assert_eq!(name_of(&choose_not(&pool, &["a", "c"])), "b", "{balance:?}");
        }
        let none = choose_not(&pool, &["a", "b", "c"]).err();
        assert_eq!(none, Some(NoServer::AllTried), "{balance:?}");
    }
}

#[tokio::test]
async fn backups_serve_only_when_no_other_can() {
    let mut plan = plan(Balance::RoundRobin, [server("a"), backup("b"), backup("c")]);
    plan.probe = probe();
    let pool = open(plan);
    for name in ["a", "b", "c"] {
        conclude(&pool, name, Health::Up).await;
    }
    assert_eq!(in_turn(&pool, 4)["a"], 4);
    let lease = choose_not(&pool, &["a"]).expect("a backup");
    assert_eq!(
        lease.pick(),
        Pick::Backup,
        "probes are late, the session knows"
    );
    conclude(&pool, "a", Health::Down).await;
    assert_eq!(choose(&pool).map(|lease| lease.pick()), Ok(Pick::Backup));
    assert_eq!(
        in_turn(&pool, 4),
        HashMap::from([("b".into(), 2), ("c".into(), 2)])
    );
    conclude(&pool, "a", Health::Up).await;
    assert_eq!(in_turn(&pool, 4)["a"], 4);
}

#[tokio::test]
async fn a_forecast_names_everybody_who_may_be_drawn_after_a_certain_server() {
    let servers = [server("a"), server("b"), capped("c", 1), backup("d")];
    let mut plan = plan(Balance::Random, servers);
    plan.sticky = sticky(10);
    let pool = open(plan);
    let forecast = |pool: &Pool| pool.forecast(&pool.load(), client(1), Instant::now());
    let lots = forecast(&pool).lots;
    assert_eq!(lots, [vec![0, 1, 2], vec![3]], "nobody is certain yet");
    drop(choose_not(&pool, &["b", "c"]));
    let told = forecast(&pool);
    assert_eq!(told.choices[0], (0, Pick::Sticky));
    assert_eq!(told.lots, [vec![1, 2], vec![3]]);
    // Who waits for a full one does not get to a backup.
    let tried = ["a", "b"].map(|name| find(&pool, name).id());
    let _full = pool.choose(client(2), &tried, Instant::now());
    assert!(forecast(&pool).lots.is_empty(), "b alone is left");
}

#[tokio::test]
async fn orders_and_weights_at_run_time() {
    let pool = open(plan(Balance::RoundRobin, [server("a"), server("b")]));
    order(&pool, "a", Order::Drain).await;
    assert_eq!(in_turn(&pool, 3)["b"], 3);
    assert_eq!(pool.load().members()[0].standing, Standing::Draining);
    order(&pool, "a", Order::Ready).await;
    weigh(&pool, "a", 3).await.expect("a weight");
    assert_eq!(in_turn(&pool, 8)["a"], 6);
    assert_eq!(weigh(&pool, "a", 0).await, Err(Refused::Weight(0)));
    assert_eq!(weigh(&pool, "a", 257).await, Err(Refused::Weight(257)));
    let unknown = weigh(&pool, "c", 1).await.expect_err("no such server");
    assert_eq!(unknown.to_string(), "pool \"hive\" has no server \"c\"");
}

#[tokio::test]
async fn a_reload_keeps_what_it_did_not_change() {
    let mut before = plan(Balance::RoundRobin, [weighted("a", 2), weighted("b", 2)]);
    before.probe = probe();
    let pool = open(before.clone());
    conclude(&pool, "a", Health::Up).await;
    conclude(&pool, "b", Health::Up).await;
    weigh(&pool, "a", 7).await.expect("a weight");
    weigh(&pool, "b", 7).await.expect("a weight");
    order(&pool, "b", Order::Maintenance).await;
    let lease = choose(&pool).expect("a is up");
    let ids = [find(&pool, "a").id(), find(&pool, "b").id()];

    // Only the weight of b is changed in the file; c is new.
    before.servers = [weighted("a", 2), weighted("b", 5), server("c")]
        .map(Arc::new)
        .into();
    reload(&pool, before).await;
    let snapshot = pool.load();
    let [a, b, c] = snapshot.members() else {
        panic!("three members")
    };
    assert_eq!([a.server.id(), b.server.id()], ids);
    assert_eq!((a.weight, a.health, a.admin), (7, Health::Up, Order::Ready));
    assert_eq!(
        (b.weight, b.health, b.admin),
        (5, Health::Up, Order::Maintenance)
    );
    assert_eq!(
        (c.weight, c.health, c.admin),
        (1, Health::Unknown, Order::Ready)
    );
    assert_eq!(a.server.sessions_active(), 1);
    drop(lease);
    assert_eq!(a.server.sessions_active(), 0);
}

#[tokio::test]
async fn another_address_is_another_server_under_the_same_orders() {
    let mut moved = plan(Balance::RoundRobin, [server("a"), server("b")]);
    moved.probe = probe();
    let pool = open(moved.clone());
    conclude(&pool, "a", Health::Up).await;
    order(&pool, "a", Order::Drain).await;
    weigh(&pool, "a", 9).await.expect("a weight");
    let old = find(&pool, "a");
    let mut a = server("a");
    a.address.port = 10_001;
    moved.servers[0] = Arc::new(a);
    reload(&pool, moved).await;
    let snapshot = pool.load();
    let a = &snapshot.members()[0];
    assert_ne!(a.server.id(), old.id());
    assert_eq!(
        (a.health, a.admin, a.weight),
        (Health::Unknown, Order::Drain, 9)
    );
    assert!(old.retire_at().is_some());
}

#[tokio::test]
async fn a_removed_server_lives_on_with_its_sessions_and_may_return() {
    let both = plan(Balance::RoundRobin, [server("a"), server("b")]);
    let pool = open(both.clone());
    let lease = choose(&pool).expect("up");
    let gone = lease.server().name().as_str().to_owned();
    let left = if gone == "a" { "b" } else { "a" };
    reload(&pool, plan(Balance::RoundRobin, [server(left)])).await;
    assert_eq!(in_turn(&pool, 4)[left], 4);
    let server = Arc::clone(lease.server());
    let by = server.retire_at().expect("removed");
    assert!(by > Instant::now() + Duration::from_secs(1700));
    assert_eq!(server.sessions_active(), 1);

    reload(&pool, both).await;
    assert_eq!(
        find(&pool, &gone).id(),
        server.id(),
        "its sessions count again"
    );
    assert_eq!(server.retire_at(), None);
    drop(lease);
    assert_eq!(server.sessions_active(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sticky_client_stays_and_comes_back() {
    let mut plan = plan(Balance::RoundRobin, [server("a"), server("b"), server("c")]);
    plan.sticky = sticky(100);
    let pool = open(plan);
    let first = pool.choose(client(1), &[], Instant::now()).expect("up");
    assert_eq!(first.pick(), Pick::RoundRobin);
    let home = first.server().id();
    for other in 2..6 {
        drop(pool.choose(client(other), &[], Instant::now()));
    }
    drop(first);
    tokio::time::advance(Duration::from_secs(59)).await;
    let again = pool.choose(client(1), &[], Instant::now()).expect("up");
    assert_eq!((again.server().id(), again.pick()), (home, Pick::Sticky));
    tokio::time::advance(Duration::from_secs(3600)).await;
    let third = pool.choose(client(1), &[], Instant::now()).expect("up");
    assert_eq!(third.pick(), Pick::Sticky, "a session of the client lives");
    drop((again, third));
    tokio::time::advance(Duration::from_secs(61)).await;
    let late = pool.choose(client(1), &[], Instant::now()).expect("up");
    assert_eq!(late.pick(), Pick::RoundRobin, "the time is over");
}

#[tokio::test]
async fn a_sticky_client_yields_to_orders_and_health_for_good() {
    let mut plan = plan(Balance::RoundRobin, [server("a"), server("b")]);
    (plan.sticky, plan.probe) = (sticky(100), probe());
    let pool = open(plan);
    conclude(&pool, "a", Health::Up).await;
    let lease = choose(&pool).expect("up");
    conclude(&pool, "b", Health::Up).await;
    let mut home = "a";
    for (change, away) in [
        ("drain", "b"),
        ("maintenance", "a"),
        ("down", "b"),
        ("alive", "a"),
    ] {
        match change {
            "drain" => order(&pool, home, Order::Drain).await,
            "maintenance" => order(&pool, home, Order::Maintenance).await,
            "down" => conclude(&pool, home, Health::Down).await,
            _ => conclude(&pool, home, Health::Alive).await,
        }
        let moved = choose(&pool);
        assert_eq!(name_of(&moved), away, "{change}");
        order(&pool, home, Order::Ready).await;
        conclude(&pool, home, Health::Up).await;
        let stays = choose(&pool).expect("up");
        assert_eq!(
            (stays.server().name().as_str(), stays.pick()),
            (away, Pick::Sticky),
            "{change}"
        );
        home = away;
    }
    drop(lease);
}

#[tokio::test]
async fn a_sticky_client_goes_elsewhere_this_once_when_its_server_is_full_or_out_of_reach() {
    let mut plan = plan(Balance::LeastConnection, [capped("a", 1), server("b")]);
    plan.sticky = sticky(100);
    let pool = open(plan);
    let first = choose(&pool).expect("up");
    assert_eq!(first.server().name().as_str(), "a");
    assert_eq!(name_of(&choose(&pool)), "b", "full");
    drop(first);
    assert_eq!(
        name_of(&choose_not(&pool, &["a"])),
        "b",
        "out of reach for this session"
    );
    let home = choose(&pool).expect("up");
    assert_eq!(
        (home.server().name().as_str(), home.pick()),
        ("a", Pick::Sticky)
    );
}

#[tokio::test]
async fn sticky_entries_survive_a_reload_and_are_bounded() {
    let mut plan = plan(Balance::Random, (0..10).map(|n| server(&n.to_string())));
    plan.sticky = sticky(50);
    let pool = open(plan.clone());
    let home = |number| {
        let lease = pool
            .choose(client(number), &[], Instant::now())
            .expect("up");
        (lease.server().id(), lease.pick())
    };
    let homes: Vec<_> = (0..50).map(home).collect();
    plan.balance = Balance::RoundRobin;
    plan.servers.push(Arc::new(server("new")));
    reload(&pool, plan).await;
    for (number, (server, _)) in (0..).zip(&homes) {
        assert_eq!(home(number), (*server, Pick::Sticky));
    }
    (100..200).for_each(|number| {
        home(number);
    });
    assert_eq!(pool.affinity().len(), 50);
}

#[tokio::test]
async fn ten_thousand_first_verdicts_make_few_snapshots() {
    let mut plan = plan(
        Balance::RoundRobin,
        (0..10_000).map(|n| server(&n.to_string())),
    );
    plan.probe = probe();
    let pool = open(plan);
    let servers: Vec<_> = pool
        .load()
        .members()
        .iter()
        .map(|one| one.server.id())
        .collect();
    let mut verdicts = tokio::task::JoinSet::new();
    for server in servers {
        let pool = Arc::clone(&pool);
        verdicts.spawn(async move {
            let health = Health::Up;
            pool.send(Change::Health {
                server,
                health,
                role: None,
            })
            .await
        });
    }
    while let Some(sent) = verdicts.join_next().await {
        assert_eq!(sent.expect("no panic"), Ok(()));
    }
    let snapshot = pool.load();
    assert!(
        snapshot
            .members()
            .iter()
            .all(|one| one.health == Health::Up)
    );
    assert!(snapshot.generation() < 50, "{}", snapshot.generation());
}

#[tokio::test]
async fn nothing_new_makes_no_snapshot() {
    let mut plan = plan(Balance::RoundRobin, [server("a")]);
    plan.probe = probe();
    let pool = open(plan);
    conclude(&pool, "a", Health::Up).await;
    let generation = pool.load().generation();
    conclude(&pool, "a", Health::Up).await;
    order(&pool, "a", Order::Ready).await;
    weigh(&pool, "a", 1).await.expect("a weight");
    assert_eq!(pool.load().generation(), generation);
}

/// Sessions come and go on four threads while health changes make one snapshot after the other: no count is
/// lost, and least-connection knows the truth in the end.
#[test]
fn snapshots_change_under_sessions() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut plan = plan(
            Balance::LeastConnection,
            (0..6).map(|n| weighted(&n.to_string(), 1 + n)),
        );
        plan.probe = probe();
        let pool = open(plan);
        for name in 0..6 {
            conclude(&pool, &name.to_string(), Health::Up).await;
        }
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let pool = Arc::clone(&pool);
                std::thread::spawn(move || churn(&pool))
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            let name = fastrand::u8(1..6).to_string();
            conclude(&pool, &name, Health::Down).await;
            conclude(&pool, &name, Health::Up).await;
            tokio::task::yield_now().await;
        }
        workers
            .into_iter()
            .for_each(|worker| worker.join().expect("no panic"));
        assert!(
            pool.load()
                .members()
                .iter()
                .all(|one| one.server.sessions_active() == 0)
        );
        let burst: Vec<_> = (0..210).map(|_| choose(&pool).expect("up")).collect();
        for (weight, member) in (1..).zip(pool.load().members()) {
            assert_eq!(member.server.sessions_active(), 10 * weight);
        }
        drop(burst);
    });
}

fn churn(pool: &Arc<Pool>) {
    let mut held = Vec::new();
    for _ in 0..20_000 {
        if held.len() < 10 && fastrand::bool() {
            held.push(choose(pool).expect("one is always up"));
        } else if !held.is_empty() {
            held.swap_remove(fastrand::usize(..held.len()));
        }
    }
}

fn probed(servers: impl IntoIterator<Item = ServerPlan>) -> PoolPlan {
    PoolPlan {
        probe: probe(),
        ..plan(Balance::SourceHash, servers)
    }
}

fn at_port(name: &str, port: u16) -> ServerPlan {
    let mut server = server(name);
    server.address.port = port;
    server
}

fn port_of(lease: &Result<Lease, NoServer>) -> u16 {
    lease
        .as_ref()
        .map_or(0, |lease| lease.server().address().port)
}

#[tokio::test]
async fn servers_that_are_all_replaced_serve_until_a_new_one_is_up() {
    for new in [server("c"), at_port("a", 10_001)] {
        let pool = open(probed([server("a"), server("b")]));
        conclude(&pool, "a", Health::Up).await;
        let old = find(&pool, "a");
        reload(&pool, probed([new.clone(), server("d")])).await;
        assert_eq!(port_of(&choose(&pool)), 10_000);
        assert_eq!(pool.load().members().len(), 2, "they are not shown");
        assert!(old.retire_at().is_some(), "they drain already");
        conclude(&pool, "d", Health::Down).await;
        assert_eq!(port_of(&choose(&pool)), 10_000);
        conclude(&pool, new.name.as_str(), Health::Up).await;
        let now = choose(&pool).expect("up");
        assert_eq!(*now.server().name(), new.name);
        assert_ne!(now.server().id(), old.id());
    }
}

/// Its weight grew from the start again, as if it had been out.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_put_back_while_it_still_serves_has_its_whole_share() {
    let with = |servers: Vec<ServerPlan>| {
        let mut plan = probed(servers);
        plan.balance = Balance::RoundRobin;
        plan.care.slow_start = Duration::from_secs(160);
        plan
    };
    let pool = open(with(vec![server("a")]));
    conclude(&pool, "a", Health::Up).await;
    sleep(Duration::from_secs(3600)).await;
    reload(&pool, with(vec![server("b")])).await;
    assert_eq!(name_of(&choose(&pool)), "a");
    reload(&pool, with(vec![server("a"), server("b")])).await;
    conclude(&pool, "b", Health::Up).await;
    let names = (0..17).map(|_| name_of(&choose(&pool)).to_owned());
    assert_eq!(names.filter(|name| name == "a").count(), 16);
}

/// It was another order in each process.
#[tokio::test]
async fn servers_that_are_all_replaced_take_turns_in_the_order_of_their_file() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let old = PoolPlan {
        balance: Balance::LeastConnection,
        ..probed(names.map(server))
    };
    let pool = open(old.clone());
    for name in names {
        conclude(&pool, name, Health::Up).await;
    }
    let servers = vec![Arc::new(server("new"))];
    reload(&pool, PoolPlan { servers, ..old }).await;
    let held = names.map(|_| choose(&pool));
    assert_eq!(held.each_ref().map(name_of), names);
}

#[tokio::test]
async fn servers_that_are_all_replaced_are_gone_when_no_new_one_is_good() {
    let pool = open(probed([server("a")]));
    conclude(&pool, "a", Health::Up).await;
    reload(&pool, probed([server("b"), server("c")])).await;
    conclude(&pool, "b", Health::Down).await;
    assert_eq!(name_of(&choose(&pool)), "a");
    conclude(&pool, "c", Health::Alive).await;
    assert_eq!(choose(&pool).err(), Some(NoServer::NoneUp));
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_all_replaced_serve_for_a_bounded_time() {
    let pool = open(probed([server("a")]));
    conclude(&pool, "a", Health::Up).await;
    reload(&pool, probed([server("b")])).await;
    sleep(Duration::from_millis(3_900)).await;
    assert_eq!(name_of(&choose(&pool)), "a");
    sleep(Duration::from_millis(200)).await;
    assert_eq!(choose(&pool).err(), Some(NoServer::NoneUp));
}

#[tokio::test]
async fn a_server_that_leaves_obeys_orders_to_its_name() {
    let pool = open(probed([server("a")]));
    conclude(&pool, "a", Health::Up).await;
    reload(&pool, probed([at_port("a", 10_001)])).await;
    assert_eq!(port_of(&choose(&pool)), 10_000);
    order(&pool, "a", Order::Maintenance).await;
    assert_eq!(choose(&pool).err(), Some(NoServer::NoneUp));
}

#[tokio::test]
async fn a_replacement_that_is_taken_back_at_once_refuses_nobody() {
    let pool = open(probed([server("a")]));
    conclude(&pool, "a", Health::Up).await;
    let first = find(&pool, "a").id();
    for _ in 0..3 {
        reload(&pool, probed([at_port("a", 10_001)])).await;
        assert_eq!(port_of(&choose(&pool)), 10_000);
        reload(&pool, probed([server("a")])).await;
        let again = choose(&pool).expect("up");
        assert_eq!(again.server().id(), first);
        assert_eq!(again.server().retire_at(), None);
    }
}

#[tokio::test]
async fn a_pool_that_comes_back_into_the_file_counts_its_sessions_and_asks_again() {
    let both = probed([server("a"), server("b")]);
    let pool = open(both.clone());
    conclude(&pool, "a", Health::Up).await;
    order(&pool, "b", Order::Drain).await;
    let lease = choose(&pool).expect("up");
    let by = Instant::now() + Duration::from_secs(60);
    pool.send(Change::Close { by }).await.expect("a keeper");
    let (a, b) = (find(&pool, "a"), find(&pool, "b"));
    assert_eq!((a.retire_at(), b.retire_at()), (Some(by), Some(by)));
    assert_eq!(name_of(&choose(&pool)), "a", "who was on the way");

    reload(&pool, probed([server("a")])).await;
    assert_eq!(a.retire_at(), None);
    assert_eq!(b.retire_at(), Some(by), "its time runs on");
    assert_eq!(choose(&pool).err(), Some(NoServer::NoneUp), "not asked yet");
    conclude(&pool, "a", Health::Up).await;
    assert_eq!(find(&pool, "a").sessions_active(), 1);
    reload(&pool, both).await;
    let b = pool.load().member(&ServerName::new("b")).cloned();
    assert_eq!(b.expect("a member").admin, Order::Ready);
    drop(lease);
    assert_eq!(a.sessions_active(), 0);
}

#[tokio::test]
async fn a_keeper_that_panics_goes_on_from_what_everybody_sees() {
    let metrics = Metrics::new();
    let (pool, keeper) = Pool::new(Arc::new(probed([server("a"), server("b")])), &metrics);
    tokio::spawn(keeper.run());
    conclude(&pool, "a", Health::Up).await;
    order(&pool, "b", Order::Drain).await;
    let generation = pool.load().generation();
    pool.send(Change::Panic).await.expect_err("it is lost");
    conclude(&pool, "b", Health::Up).await;
    assert_eq!(pool.load().generation(), generation + 1);
    assert_eq!(name_of(&choose(&pool)), "a");
    order(&pool, "b", Order::Ready).await;
    order(&pool, "a", Order::Maintenance).await;
    assert_eq!(name_of(&choose(&pool)), "b");
    let told = "howdah_app_panics_total{task=\"keeper\"} 1";
    assert!(metrics.render().contains(told));
}

#[tokio::test]
async fn the_metric_of_a_role_is_there_while_one_is_claimed_and_goes_with_the_server() {
    let metrics = Metrics::new();
    let (pool, keeper) = Pool::new(Arc::new(probed([server("a"), server("b")])), &metrics);
    tokio::spawn(keeper.run());
    let told = |role: &str| {
        let page = metrics.render();
        let sample = format!("server_role{{pool=\"hive\",role=\"{role}\",server=\"a\"}} ");
        let (_, value) = page.split_once(&sample)?;
        value.chars().next()
    };
    claim(&pool, "a", Health::Up, None).await;
    assert_eq!((told("active"), told("standby")), (None, None));
    claim(&pool, "a", Health::Up, Some(Role::Active)).await;
    assert_eq!((told("active"), told("standby")), (Some('1'), Some('0')));
    claim(&pool, "a", Health::Up, Some(Role::Standby)).await;
    assert_eq!((told("active"), told("standby")), (Some('0'), Some('1')));
    claim(&pool, "a", Health::Down, None).await;
    assert_eq!((told("active"), told("standby")), (Some('0'), Some('0')));
    reload(&pool, probed([server("b")])).await;
    assert_eq!((told("active"), told("standby")), (None, None));
}

/// So many sessions, all held, each of another client; and how many went to `name`.
fn hold(pool: &Arc<Pool>, count: u32, name: &str) -> (Vec<Lease>, usize) {
    let lease = |number| {
        pool.choose(client(number), &[], Instant::now())
            .expect("a server")
    };
    let leases: Vec<Lease> = (0..count).map(lease).collect();
    let there = leases
        .iter()
        .filter(|lease| lease.server().name().as_str() == name)
        .count();
    (leases, there)
}

fn careful(balance: Balance, care: CarePlan, servers: &[&str]) -> Arc<Pool> {
    open(PoolPlan {
        probe: probe(),
        care,
        ..plan(balance, servers.iter().map(|name| server(name)))
    })
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_gets_its_share_little_by_little() {
    let care = CarePlan {
        slow_start: Duration::from_secs(16),
        ..CarePlan::DEFAULT
    };
    for &balance in Balance::ALL {
        let pool = careful(balance, care, &["a", "b"]);
        conclude(&pool, "a", Health::Up).await;
        conclude(&pool, "b", Health::Up).await;
        let (held, at_once) = hold(&pool, 170, "b");
        assert!(
            at_once > 50,
            "{balance:?}: no slow start at a start: {at_once}"
        );
        drop(held);
        conclude(&pool, "b", Health::Down).await;
        sleep(Duration::from_secs(100)).await;
        conclude(&pool, "b", Health::Up).await;
        let (held, early) = hold(&pool, 170, "b");
        assert!(early < 30, "{balance:?}: {early} of 170 at once");
        drop(held);
        sleep(Duration::from_secs(8)).await;
        let (held, midway) = hold(&pool, 170, "b");
        assert!(early < midway, "{balance:?}: {early}, then {midway}");
        drop(held);
        sleep(Duration::from_secs(8)).await;
        let (_held, late) = hold(&pool, 170, "b");
        assert!(late > 50, "{balance:?}: {late} of 170 in the end");
        let generation = pool.load().generation();
        sleep(Duration::from_secs(100)).await;
        assert_eq!(
            pool.load().generation(),
            generation,
            "nothing grows any more"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn when_too_few_are_up_those_that_are_down_take_sessions_too() {
    let care = CarePlan {
        panic_threshold: 50,
        ..CarePlan::DEFAULT
    };
    let pool = careful(Balance::RoundRobin, care, &["a", "b", "c", "d"]);
    for name in ["a", "b", "c", "d"] {
        conclude(&pool, name, Health::Up).await;
    }
    conclude(&pool, "b", Health::Down).await;
    conclude(&pool, "c", Health::Down).await;
    assert!(!pool.load().is_panic(), "half of them are up");
    assert_eq!(in_turn(&pool, 40).len(), 2);
    order(&pool, "c", Order::Maintenance).await;
    conclude(&pool, "d", Health::Down).await;
    assert!(pool.load().is_panic(), "one of three");
    let shares = in_turn(&pool, 30);
    assert_eq!(shares.len(), 3, "none that is under an order: {shares:?}");
    conclude(&pool, "b", Health::Alive).await;
    assert!(!pool.load().is_panic(), "one of two");
    conclude(&pool, "a", Health::Down).await;
    let shares = in_turn(&pool, 30);
    assert!(
        !shares.contains_key("b"),
        "who wants none gets none: {shares:?}"
    );
    assert_eq!(shares.len(), 2);
    conclude(&pool, "a", Health::Up).await;
    assert_eq!(in_turn(&pool, 30).len(), 1);
    let told = told(&pool, Kind::Panic);
    let panic = (None, Some("panic".to_owned()));
    let calm = (Some("panic".to_owned()), None);
    assert_eq!(told, [panic.clone(), calm.clone(), panic, calm]);
}

/// What the journal has of that kind: from what, to what.
fn told(pool: &Pool, kind: Kind) -> Vec<(Option<String>, Option<String>)> {
    let page = pool.journal().newest(100, |event| event.kind == kind);
    let events = page.events.iter();
    events
        .map(|one| (one.from.clone(), one.to.clone()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_up_comes_before_panic() {
    let care = CarePlan {
        panic_threshold: 100,
        ..CarePlan::DEFAULT
    };
    let pool = open(PoolPlan {
        probe: probe(),
        care,
        ..plan(Balance::RoundRobin, [server("a"), backup("spare")])
    });
    conclude(&pool, "a", Health::Down).await;
    assert!(pool.load().is_panic());
    assert_eq!(name_of(&choose(&pool)), "a");
    conclude(&pool, "spare", Health::Up).await;
    assert!(!pool.load().is_panic());
    assert_eq!(name_of(&choose(&pool)), "spare");
}

#[tokio::test(start_paused = true)]
async fn each_fall_of_a_server_is_told_once() {
    let care = CarePlan {
        on_down: OnDown::Reset,
        ..CarePlan::DEFAULT
    };
    let pool = careful(Balance::RoundRobin, care, &["a", "b"]);
    let mut falls = pool.falls().expect("the first who asks");
    assert!(pool.falls().is_none());
    conclude(&pool, "a", Health::Up).await;
    conclude(&pool, "b", Health::Alive).await;
    assert!(falls.try_recv().is_err());
    conclude(&pool, "a", Health::Down).await;
    conclude(&pool, "a", Health::Down).await;
    let fall = falls.try_recv().expect("a fall");
    let server = fall.server.upgrade().expect("a member");
    assert_eq!(server.name().as_str(), "a");
    assert_eq!(fall.at, pool.load().members()[0].since);
    assert!(falls.try_recv().is_err());
}

fn one_active(on_lost: OnRoleLost) -> CarePlan {
    CarePlan {
        role: RolePlan {
            wanted: Some(Role::Active),
            on_lost,
        },
        ..CarePlan::DEFAULT
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_claim_to_be_active_the_second_gets_no_session() {
    for balance in Balance::ALL {
        let pool = careful(*balance, one_active(OnRoleLost::Cut), &["a", "b"]);
        claim(&pool, "b", Health::Up, Some(Role::Active)).await;
        claim(&pool, "a", Health::Up, Some(Role::Active)).await;
        let only_b = HashMap::from([("b".to_owned(), 50)]);
        assert_eq!(in_turn(&pool, 50), only_b, "{balance:?}");
        assert!(pool.load().is_failing_over() && !pool.load().is_conflict());
        sleep(Duration::from_secs(30)).await;
        assert!(pool.load().is_conflict());
        let standing = |place: usize| pool.load().members()[place].standing;
        assert_eq!(
            (standing(0), standing(1)),
            (Standing::Conflict, Standing::Ready)
        );
        assert_eq!(in_turn(&pool, 50), only_b, "{balance:?}");
        let member = find(&pool, "b").id();
        assert!(
            pool.choose(client(9), &[member], Instant::now()).is_err(),
            "not as a retry either"
        );
        claim(&pool, "b", Health::Alive, Some(Role::Standby)).await;
        assert_eq!(in_turn(&pool, 5), HashMap::from([("a".to_owned(), 5)]));
        assert!(!pool.load().is_conflict() && !pool.load().is_failing_over());
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_over_when_the_pool_wants_any_server() {
    let pool = careful(
        Balance::RoundRobin,
        one_active(OnRoleLost::Cut),
        &["a", "b"],
    );
    for name in ["a", "b"] {
        claim(&pool, name, Health::Up, Some(Role::Active)).await;
    }
    sleep(Duration::from_secs(5)).await;
    assert!(pool.load().is_conflict());
    let any = PoolPlan {
        care: CarePlan::DEFAULT,
        load: None,
        ..PoolPlan::clone(pool.load().plan())
    };
    pool.send(Change::Plan(Arc::new(any)))
        .await
        .expect("a keeper");
    assert!(!pool.load().is_conflict());
    let standings = [0, 1].map(|place| pool.load().members()[place].standing);
    assert_eq!(standings, [Standing::Ready; 2]);
    assert_eq!(pool.metrics().conflicts_now(), 0, "the metric too");
    let word = |word: &str| Some(word.to_owned());
    let conflict = [(None, word("conflict")), (word("conflict"), None)];
    assert_eq!(told(&pool, Kind::Conflict), conflict);
    let active = (None, word("active"));
    assert_eq!(told(&pool, Kind::Role), [active.clone(), active.clone()]);
    claim(&pool, "a", Health::Up, Some(Role::Standby)).await;
    claim(&pool, "a", Health::Down, None).await;
    let lost = (word("active"), word("standby"));
    assert_eq!(told(&pool, Kind::Role), [active.clone(), active, lost]);
}

/// The new active one may be asked before the old one is asked again.
#[tokio::test(start_paused = true)]
async fn a_failover_moves_the_sessions_and_is_no_conflict() {
    let pool = careful(
        Balance::RoundRobin,
        one_active(OnRoleLost::Cut),
        &["a", "b"],
    );
    let mut falls = pool.falls().expect("the first who asks");
    claim(&pool, "a", Health::Up, Some(Role::Active)).await;
    claim(&pool, "b", Health::Alive, Some(Role::Standby)).await;
    assert!(falls.try_recv().is_err(), "it never had the role");
    claim(&pool, "b", Health::Up, Some(Role::Active)).await;
    sleep(Duration::from_millis(500)).await;
    claim(&pool, "a", Health::Alive, Some(Role::Standby)).await;
    assert!(!pool.load().is_conflict());
    let fall = falls.try_recv().expect("its sessions are to end");
    assert_eq!(fall.what, Loss::Role);
    assert_eq!(in_turn(&pool, 3), HashMap::from([("b".to_owned(), 3)]));
    assert_eq!(pool.load().members()[0].role, Some(Role::Standby));
}

/// Nobody is active: the servers are asked at once, and a retired operator's order frees the place.
#[tokio::test(start_paused = true)]
async fn a_pool_without_an_active_server_asks_for_one() {
    let pool = careful(
        Balance::RoundRobin,
        one_active(OnRoleLost::Keep),
        &["a", "b"],
    );
    claim(&pool, "a", Health::Up, Some(Role::Active)).await;
    claim(&pool, "b", Health::Alive, Some(Role::Standby)).await;
    let other = find(&pool, "b");
    let asked = tokio::spawn(async move { other.urged().await });
    claim(&pool, "a", Health::Down, None).await;
    timeout(Duration::from_secs(1), asked)
        .await
        .expect("asked at once")
        .expect("no panic");
    assert!(pool.load().is_failing_over());
    assert_eq!(choose_any(&pool).err(), Some(NoServer::NoneUp));
}

fn choose_any(pool: &Arc<Pool>) -> Result<Lease, NoServer> {
    pool.choose(client(7), &[], Instant::now())
}

/// A server that dies resets thousands of sessions in a moment; its checker is asked to look once.
#[tokio::test]
async fn resets_call_for_one_question_until_it_is_put() {
    let pool = careful(Balance::RoundRobin, CarePlan::DEFAULT, &["a"]);
    let server = find(&pool, "a");
    let nudged = |again: &str| {
        server.session_failed(SessionFault::Reset);
        let called = spawn(server.nudged()).poll().is_ready();
        format!("{again}: {called}")
    };
    assert_eq!(nudged("the first"), "the first: true");
    assert_eq!(nudged("the second"), "the second: false");
    server.take_dial_failure();
    assert_eq!(
        nudged("after a question began"),
        "after a question began: true"
    );
}
