//! Servers that a source lists, beside those of the file.

use super::*;
use crate::plan::{DiscoverPlan, LoadPlan, LoadSource};

fn at(name: &str, port: u16) -> ServerPlan {
    let mut plan = server(name);
    plan.address.port = port;
    plan
}

fn listing(servers: impl IntoIterator<Item = ServerPlan>) -> PoolPlan {
    PoolPlan {
        discover: Some(DiscoverPlan::DnsSrv {
            name: "_hive._tcp.example.com".into(),
        }),
        probe: probe(),
        ..plan(Balance::RoundRobin, servers)
    }
}

async fn list(pool: &Pool, servers: impl IntoIterator<Item = ServerPlan>) {
    let roster = servers.into_iter().map(Arc::new).collect();
    let sent = pool.send(Change::Roster(roster)).await;
    sent.expect("a keeper");
}

fn names(pool: &Pool) -> Vec<String> {
    let snapshot = pool.load();
    let members = snapshot.members().iter();
    members.map(|member| member.plan.name.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn who_is_listed_no_more_takes_no_session_and_keeps_those_it_has() {
    let pool = open(listing([]));
    assert!(!pool.load().is_listed() && !pool.load().can_serve());
    list(&pool, [at("a", 1), at("b", 2)]).await;
    assert!(pool.load().is_listed());
    conclude(&pool, "a", Health::Up).await;
    let lease = choose(&pool).expect("up");
    let a = Arc::clone(lease.server());
    conclude(&pool, "b", Health::Up).await;

    list(&pool, [at("b", 2)]).await;
    assert_eq!(in_turn(&pool, 4)["b"], 4);
    assert_eq!(
        (a.retire_at(), a.sessions_active()),
        (None, 1),
        "nobody ends them"
    );
    let departed: Vec<_> = pool.load().departed().map(|one| one.id()).collect();
    assert_eq!(departed, [a.id()]);

    // Long after, it is back: the same server, of which nobody knows how it is.
    sleep(Duration::from_secs(3600)).await;
    list(&pool, [at("b", 2), at("a", 1)]).await;
    assert_eq!(find(&pool, "a").id(), a.id(), "its sessions count again");
    let health = |name: &str| {
        let snapshot = pool.load();
        let member = snapshot.member(&ServerName::new(name));
        member.map(|member| member.health)
    };
    assert_eq!(health("a"), Some(Health::Unknown));
    assert_eq!(pool.load().departed().count(), 0);
    drop(lease);
    assert_eq!(a.sessions_active(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_blink_of_the_source_costs_no_health_and_an_order_stays_for_longer() {
    let pool = open(listing([]));
    let all = || [at("a", 1), at("b", 2), at("c", 3)];
    list(&pool, all()).await;
    for name in ["a", "b", "c"] {
        conclude(&pool, name, Health::Up).await;
    }
    order(&pool, "b", Order::Maintenance).await;
    weigh(&pool, "c", 7).await.expect("a weight");
    let before: Vec<_> = ["a", "b", "c"].map(|name| find(&pool, name).id()).into();
    list(&pool, [at("z", 9)]).await;
    assert!(choose(&pool).is_err());
    sleep(Duration::from_secs(20)).await;
    list(&pool, all()).await;
    let after: Vec<_> = ["a", "b", "c"].map(|name| find(&pool, name).id()).into();
    assert_eq!(before, after);
    assert!(choose(&pool).is_ok(), "no verdict is waited for");

    list(&pool, [at("z", 9)]).await;
    sleep(Duration::from_secs(7200)).await;
    list(&pool, all()).await;
    let snapshot = pool.load();
    let [a, b, c] = snapshot.members() else {
        panic!("three");
    };
    assert_eq!((a.health, a.admin), (Health::Unknown, Order::Ready));
    assert_eq!(b.admin, Order::Maintenance);
    assert_eq!(c.weight, 7);
}

#[tokio::test]
async fn a_server_of_the_file_that_is_listed_too_is_one_and_the_files() {
    let own = ServerPlan {
        weight: 5,
        ..at("own", 1)
    };
    let pool = open(listing([own.clone()]));
    list(
        &pool,
        [at("other-name", 1), at("b", 2), at("b", 3), at("own", 4)],
    )
    .await;
    assert_eq!(names(&pool), ["own", "b", "127.0.0.1:3", "127.0.0.1:4"]);
    assert_eq!(pool.load().members()[0].weight, 5);
    let id = find(&pool, "own").id();

    // The file lets it go: it is still listed, under the same name and address.
    list(&pool, [at("own", 1)]).await;
    reload(&pool, listing([])).await;
    assert_eq!(names(&pool), ["own"]);
    assert_eq!(find(&pool, "own").id(), id);
    assert_eq!(pool.load().members()[0].weight, 1);
}

#[tokio::test]
async fn a_reload_keeps_what_was_listed_until_no_source_is_named() {
    let pool = open(listing([]));
    list(&pool, [at("a", 1), at("b", 2)]).await;
    conclude(&pool, "a", Health::Up).await;
    let lease = choose(&pool).expect("up");
    let a = Arc::clone(lease.server());
    let other = PoolPlan {
        discover: Some(DiscoverPlan::DnsSrv {
            name: "_other._tcp.example.com".into(),
        }),
        ..listing([])
    };
    reload(&pool, other).await;
    assert_eq!(names(&pool), ["a", "b"]);
    assert!(choose(&pool).is_ok(), "with its health");
    list(&pool, [at("b", 2)]).await;
    assert_eq!(a.retire_at(), None);

    let mut alone = listing([at("c", 3)]);
    alone.discover = None;
    reload(&pool, alone).await;
    assert_eq!(names(&pool), ["c"]);
    assert!(a.retire_at().is_some(), "by the operator, with a deadline");
    list(&pool, [at("a", 1)]).await;
    assert_eq!(names(&pool), ["c"], "a late word of a source that is gone");
}

#[tokio::test]
async fn a_pool_that_leaves_the_file_ends_the_sessions_of_the_departed_too() {
    let pool = open(listing([]));
    list(&pool, [at("a", 1)]).await;
    conclude(&pool, "a", Health::Up).await;
    let lease = choose(&pool).expect("up");
    list(&pool, [at("b", 2)]).await;
    let by = Instant::now() + Duration::from_secs(60);
    pool.send(Change::Close { by }).await.expect("a keeper");
    assert_eq!(lease.server().retire_at(), Some(by));
}

#[tokio::test]
async fn what_an_agent_said_of_a_server_that_left_ends_with_the_agents() {
    let asked = PoolPlan {
        load: Some(LoadPlan {
            from: LoadSource::Agent,
            port: 9,
            interval: LoadPlan::INTERVAL,
            floor: 1,
            full_at: None,
            tls: None,
            send: String::new(),
        }),
        ..listing([])
    };
    let pool = open(asked);
    list(&pool, [at("a", 1), at("b", 2)]).await;
    conclude(&pool, "a", Health::Up).await;
    let said = Said {
        withdrawn: Some("drain"),
        ..Said::NOTHING
    };
    let server = find(&pool, "a").id();
    let sent = pool.send(Change::Said { server, said }).await;
    sent.expect("a keeper");
    list(&pool, [at("b", 2)]).await;
    // Nobody asks agents any more: none can take its word back.
    reload(&pool, listing([])).await;
    list(&pool, [at("a", 1), at("b", 2)]).await;
    assert_eq!(in_turn(&pool, 2)["a"], 2);
}

#[tokio::test]
async fn a_pool_that_comes_back_has_forgotten_who_departed_before() {
    let pool = open(listing([]));
    list(&pool, [at("a", 1), at("b", 2)]).await;
    conclude(&pool, "a", Health::Up).await;
    order(&pool, "a", Order::Maintenance).await;
    weigh(&pool, "a", 7).await.expect("a weight");
    list(&pool, [at("b", 2)]).await;
    let by = Instant::now() + Duration::from_secs(60);
    pool.send(Change::Close { by }).await.expect("a keeper");
    reload(&pool, listing([])).await;
    list(&pool, [at("a", 1), at("b", 2)]).await;
    let snapshot = pool.load();
    let a = snapshot.member(&ServerName::new("a")).expect("listed");
    assert_eq!(
        (a.health, a.admin, a.weight),
        (Health::Unknown, Order::Ready, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn servers_of_the_file_serve_on_until_those_of_a_source_can() {
    let own = || PoolPlan {
        discover: None,
        ..listing([at("a", 1)])
    };
    let pool = open(own());
    conclude(&pool, "a", Health::Up).await;
    reload(&pool, listing([])).await;
    assert_eq!(in_turn(&pool, 2)["a"], 2, "nobody is listed yet");
    list(&pool, [at("b", 2)]).await;
    assert_eq!(in_turn(&pool, 2)["a"], 2, "b was not asked yet");
    conclude(&pool, "b", Health::Up).await;
    assert_eq!(in_turn(&pool, 2)["b"], 2);

    // A source that says nothing keeps them for a probe's time and a second.
    let pool = open(own());
    conclude(&pool, "a", Health::Up).await;
    reload(&pool, listing([])).await;
    sleep(Duration::from_millis(3900)).await;
    assert_eq!(in_turn(&pool, 2)["a"], 2);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(choose(&pool).err(), Some(NoServer::NoneUp));
}

#[tokio::test]
async fn ten_thousand_servers_that_come_and_go_make_few_snapshots() {
    let pool = open(listing([]));
    let many =
        |from: usize| (from..from + 10_000).map(|n| at(&format!("s{n}"), 1 + (n % 60_000) as u16));
    list(&pool, many(0)).await;
    assert_eq!(pool.load().members().len(), 10_000);
    // A thousand lists that wait together are one change.
    let mut lists = tokio::task::JoinSet::new();
    for n in 0..200 {
        let pool = Arc::clone(&pool);
        lists.spawn(async move {
            let roster = many(n % 7).map(Arc::new).collect();
            pool.send(Change::Roster(roster)).await
        });
    }
    while let Some(sent) = lists.join_next().await {
        assert_eq!(sent.expect("no panic"), Ok(()));
    }
    assert_eq!(pool.load().members().len(), 10_000);
    assert!(
        pool.load().generation() < 20,
        "{}",
        pool.load().generation()
    );
}
