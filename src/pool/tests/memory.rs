//! What a pool remembers, and what another one makes of it.

use super::*;
use crate::plan::DiscoverPlan;

const FILE: &str = "the state file";
const SOON: Duration = Duration::from_secs(5);

/// Each name has a port of its own.
fn server(name: &str) -> ServerPlan {
    let mut plan = super::server(name);
    plan.address.port += u16::from(name.as_bytes()[0]);
    plan
}

/// A pool whose servers have probes and whose clients stick.
fn lasting(servers: impl IntoIterator<Item = ServerPlan>) -> PoolPlan {
    PoolPlan {
        probe: probe(),
        sticky: sticky(100),
        ..plan(Balance::RoundRobin, servers)
    }
}

async fn recall(pool: &Pool, memory: Remembered, age: Duration) -> RecallCount {
    pool.recall(memory, age, FILE).await.expect("a keeper")
}

/// `a` is up, `b` down; nobody has asked `c`.
async fn former() -> Arc<Pool> {
    let pool = open(lasting([server("a"), server("b"), server("c")]));
    conclude(&pool, "a", Health::Up).await;
    conclude(&pool, "b", Health::Down).await;
    pool
}

async fn drain(pool: &Pool, name: &str, timeout: Duration) {
    let given = Origin {
        until: Some(Instant::now() + timeout),
        ..Origin::by("uid 0")
    };
    let change = Change::Order {
        server: ServerName::new(name),
        order: Order::Drain,
        given,
    };
    pool.send(change).await.expect("a member");
}

fn seat(pool: &Pool, name: &str) -> Member {
    let snapshot = pool.load();
    let member = snapshot.member(&ServerName::new(name));
    member.expect("a member").clone()
}

#[tokio::test(start_paused = true)]
async fn orders_and_weights_outlive_the_pool_under_the_names_of_those_who_gave_them() {
    let before = open(lasting([server("a"), weighted("b", 2), weighted("c", 3)]));
    order(&before, "a", Order::Maintenance).await;
    weigh(&before, "b", 7).await.expect("a weight");
    weigh(&before, "c", 7).await.expect("a weight");
    drain(&before, "c", Duration::from_secs(60)).await;
    let memory = before.remember();
    let text = serde_json::to_string(&memory).expect("JSON");
    assert_eq!(serde_json::from_str::<Remembered>(&text).ok(), Some(memory));

    // The file gives c another weight than it did, and a to nobody.
    let pool = open(lasting([weighted("b", 2), weighted("c", 4)]));
    let mut events = pool.journal().follow(0);
    let count = recall(&pool, before.remember(), SOON).await;
    assert_eq!((count.orders, count.ignored), (2, 1));
    let (b, c) = (seat(&pool, "b"), seat(&pool, "c"));
    assert_eq!((b.weight, b.admin, b.ordered), (7, Order::Ready, None));
    assert_eq!(
        b.weighed.map(|given| given.by.to_string()),
        Some("test".into())
    );
    assert_eq!((c.weight, c.admin, c.weighed), (4, Order::Drain, None));
    let ordered = c.ordered.expect("somebody");
    assert_eq!(
        (&*ordered.by, ordered.until),
        ("uid 0", Some(Instant::now() + Duration::from_secs(55)))
    );
    let told: Vec<_> = events.next().await.events;
    let told: Vec<_> = told
        .iter()
        .map(|event| (event.kind, event.by.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (Kind::Weight, Some("test")),
            (Kind::Order, Some("uid 0")),
            (Kind::State, None)
        ]
    );

    let mut falls = pool.falls().expect("nobody has asked before");
    let fall = timeout(Duration::from_secs(56), falls.recv()).await;
    let fall = fall.expect("its time is over").expect("a keeper");
    assert_eq!(fall.what, Loss::Drain);
    assert_eq!(seat(&pool, "c").admin, Order::Drain, "and stays out");
}

#[tokio::test(start_paused = true)]
async fn a_drain_whose_time_is_over_drains_on_and_a_clock_that_was_set_back_gives_it_no_more() {
    let before = open(lasting([server("a")]));
    drain(&before, "a", Duration::from_secs(60)).await;
    let memory = before.remember();
    for (age, until) in [
        (Duration::from_secs(61), None),
        (Duration::MAX, None),
        (Duration::ZERO, Some(Duration::from_secs(60))),
    ] {
        let pool = open(lasting([server("a")]));
        recall(&pool, memory.clone(), age).await;
        let a = seat(&pool, "a");
        assert_eq!(a.admin, Order::Drain);
        let left = a.ordered.expect("somebody").until;
        assert_eq!(left, until.map(|until| Instant::now() + until));
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_counts_until_the_first_answer_and_a_minute_at_most() {
    let memory = former().await.remember();
    assert_eq!(memory.verdicts.len(), 2, "nobody has asked c");
    let pool = open(lasting([server("a"), server("b"), server("c")]));
    assert_eq!(recall(&pool, memory.clone(), SOON).await.verdicts, 2);
    assert_eq!(in_turn(&pool, 4)["a"], 4, "at once");
    let a = seat(&pool, "a");
    assert_eq!((a.health, a.is_judged()), (Health::Up, false));
    assert!(pool.remember().verdicts.is_empty(), "hearsay");

    conclude(&pool, "a", Health::Up).await;
    assert!(seat(&pool, "a").is_judged(), "the same, and known");
    sleep(Duration::from_secs(61)).await;
    assert_eq!(seat(&pool, "a").health, Health::Up);
    assert_eq!(
        seat(&pool, "b").health,
        Health::Unknown,
        "nobody has asked it"
    );

    let pool = open(lasting([server("a"), server("b"), server("c")]));
    recall(&pool, memory, SOON).await;
    conclude(&pool, "a", Health::Down).await;
    conclude(&pool, "b", Health::Up).await;
    assert_eq!(in_turn(&pool, 4)["b"], 4);
}

#[tokio::test]
async fn a_verdict_of_another_address_is_none_and_words_that_nobody_knows_are_ignored() {
    let mut memory = former().await.remember();
    memory.verdicts[1].health = "dozing".into();
    memory.orders.push(OrderMemo {
        server: "a".into(),
        admin: "dance".into(),
        ordered: None,
        left: None,
        weight: 1,
        planned: 1,
        weighed: None,
    });
    let mut elsewhere = server("a");
    elsewhere.address.port += 1;
    let pool = open(lasting([elsewhere, server("b")]));
    let count = recall(&pool, memory, SOON).await;
    assert_eq!((count.orders, count.ignored), (0, 1));
    for name in ["a", "b"] {
        assert_eq!(seat(&pool, name).health, Health::Unknown, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_start_goes_on_where_it_was() {
    let mut slow = lasting([server("a"), server("b")]);
    slow.care.slow_start = Duration::from_secs(600);
    let before = open(slow.clone());
    conclude(&before, "a", Health::Up).await;
    conclude(&before, "b", Health::Up).await;
    conclude(&before, "b", Health::Down).await;
    sleep(Duration::from_secs(700)).await;
    conclude(&before, "b", Health::Up).await;
    sleep(Duration::from_secs(100)).await;
    let pool = open(slow);
    recall(&pool, before.remember(), SOON).await;
    let now = Instant::now();
    assert_eq!(seat(&pool, "a").up_for(now), None);
    // The clock of the test begins at this moment or so; a machine's reaches further back.
    let up_for = seat(&pool, "b").up_for(now);
    assert!(
        up_for.is_some_and(|up_for| up_for <= Duration::from_secs(105)),
        "{up_for:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_servers_that_are_not_listed_yet_waits_for_them() {
    let source = |plan: PoolPlan| PoolPlan {
        discover: Some(DiscoverPlan::DnsSrv {
            name: "_hive._tcp.example.com".into(),
        }),
        ..plan
    };
    let before = former().await;
    order(&before, "b", Order::Maintenance).await;
    order(&before, "c", Order::Maintenance).await;
    let lease = before
        .choose(client(7), &[], Instant::now())
        .expect("a is up");
    let pool = open(source(lasting([])));
    let count = recall(&pool, before.remember(), SOON).await;
    assert_eq!(
        (count.orders, count.verdicts, count.sticky, count.ignored),
        (2, 2, 1, 0)
    );
    assert_eq!(
        pool.remember().orders.len(),
        2,
        "and is not forgotten meanwhile"
    );
    let roster = ["a", "b"].map(|name| Arc::new(server(name))).into();
    pool.send(Change::Roster(roster)).await.expect("a keeper");
    assert_eq!(seat(&pool, "b").admin, Order::Maintenance);
    assert_eq!(seat(&pool, "a").health, Health::Up);
    assert_eq!(pool.sticky_entries(), 1);
    assert_eq!(pool.remember().orders.len(), 2, "c may come yet");
    drop(lease);
}

#[test]
fn a_source_that_never_lists_keeps_nobody_busy() {
    let (done, waits) = std::sync::mpsc::channel();
    // One that spins holds its clock still, and so this one.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime").block_on(async move {
            let before = former().await;
            drop(before.choose(client(7), &[], Instant::now()));
            let pool = open(PoolPlan {
                discover: Some(DiscoverPlan::DnsSrv {
                    name: "_hive._tcp.example.com".into(),
                }),
                ..lasting([])
            });
            assert_eq!(recall(&pool, before.remember(), SOON).await.sticky, 1);
            sleep(Duration::from_secs(90)).await;
            let roster = ["a"].map(|name| Arc::new(server(name))).into();
            pool.send(Change::Roster(roster)).await.expect("a keeper");
            assert_eq!(seat(&pool, "a").health, Health::Unknown, "too late");
            done.send(()).expect("somebody waits");
        });
    });
    let rested = waits.recv_timeout(Duration::from_secs(8));
    assert!(rested.is_ok(), "the keeper has no rest");
}

#[tokio::test]
async fn sticky_clients_meet_their_servers_again() {
    let before = former().await;
    conclude(&before, "b", Health::Up).await;
    let leases: Vec<_> = (0..20)
        .map(|number| {
            before
                .choose(client(number), &[], Instant::now())
                .expect("up")
        })
        .collect();
    let servers: Vec<_> = leases
        .iter()
        .map(|one| one.server().name().clone())
        .collect();
    let stays: Vec<_> = leases.into_iter().skip(10).collect();
    let memory = before.remember();
    let clients: usize = memory.sticky.iter().map(|one| one.clients.len()).sum();
    assert_eq!(clients, 20);

    let pool = open(lasting([server("b"), server("a"), server("c")]));
    assert_eq!(recall(&pool, memory.clone(), SOON).await.sticky, 20);
    for (number, server) in (0..).zip(&servers) {
        let lease = pool
            .choose(client(number), &[], Instant::now())
            .expect("up");
        assert_eq!(
            (lease.server().name(), lease.pick()),
            (server, Pick::Sticky)
        );
    }

    // Too old for those without a session; and one server has left.
    let pool = open(lasting([server("a"), server("c")]));
    let count = recall(&pool, memory.clone(), Duration::from_secs(61)).await;
    let of_b = memory.sticky.iter().find(|one| one.server == "b");
    assert_eq!(
        count.ignored,
        of_b.map_or(0, |one| one.clients.len()) + 1,
        "with its verdict"
    );
    let held = servers[10..]
        .iter()
        .filter(|name| name.as_str() == "a")
        .count();
    assert_eq!(pool.sticky_entries(), held);

    // Fewer may be remembered: those with sessions, and the latest.
    let mut small = lasting([server("a"), server("b")]);
    small.sticky = sticky(10);
    let pool = open(small);
    recall(&pool, memory, SOON).await;
    let kept: Vec<_> = pool
        .remember()
        .sticky
        .into_iter()
        .flat_map(|one| one.clients)
        .collect();
    assert_eq!(kept.len(), 10);
    assert!((10..20).all(|number| kept.iter().any(|(one, _)| *one == client(number))));
    drop(stays);
}

#[tokio::test]
async fn who_reads_the_feed_hears_of_clients_of_this_pool_alone() {
    let pool = open(lasting([server("a")]));
    conclude(&pool, "a", Health::Up).await;
    let choose = |number| {
        pool.choose(client(number), &[], Instant::now())
            .expect("up")
    };
    drop(choose(1));
    let mut feed = pool.feed();
    assert_eq!(
        feed.take(9),
        (Vec::new(), true),
        "what was before is in the table"
    );
    drop((choose(2), choose(2)));
    let (a, ttl) = (ServerName::new("a"), Duration::from_secs(60));
    assert!(pool.learn(client(3), &a, ttl));
    assert!(!pool.learn(client(3), &ServerName::new("z"), ttl));
    let (changes, whole) = feed.take(9);
    let heard: Vec<_> = changes
        .iter()
        .map(|one| (one.client, &one.server))
        .collect();
    assert_eq!((heard, whole), (vec![(client(2), &a)], true));
    assert_eq!(pool.sticky_entries(), 3);
    for number in 0..20_000 {
        drop(choose(number % 90));
    }
    let (changes, whole) = feed.take(usize::MAX);
    assert_eq!((changes.len(), whole), (90, false), "it was too slow");
    assert_eq!(feed.take(9), (Vec::new(), true));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_ordered_or_found_out_since_is_newer_than_a_memory() {
    let before = open(lasting([server("a"), weighted("b", 2)]));
    conclude(&before, "a", Health::Down).await;
    drain(&before, "a", Duration::from_secs(60)).await;
    weigh(&before, "b", 7).await.expect("a weight");
    let pool = open(lasting([server("a"), weighted("b", 2)]));
    conclude(&pool, "a", Health::Up).await;
    order(&pool, "a", Order::Maintenance).await;
    weigh(&pool, "b", 9).await.expect("a weight");
    recall(&pool, before.remember(), SOON).await;
    let (a, b) = (seat(&pool, "a"), seat(&pool, "b"));
    assert_eq!((a.health, a.admin), (Health::Up, Order::Maintenance));
    assert_eq!(b.weight, 9);
}

#[tokio::test(start_paused = true)]
async fn a_weight_that_no_server_has_is_of_nobody() {
    for weight in [0, crate::plan::WEIGHT_MAX + 1] {
        let memory = Remembered {
            orders: vec![OrderMemo {
                server: "a".into(),
                admin: "ready".into(),
                ordered: None,
                left: None,
                weight,
                planned: 1,
                weighed: None,
            }],
            ..Remembered::default()
        };
        let pool = open(lasting([server("a")]));
        let count = recall(&pool, memory, SOON).await;
        assert_eq!((count.orders, count.ignored), (0, 1));
        assert_eq!(seat(&pool, "a").weight, 1);
    }
}

/// Its time runs on while a source has not listed the server.
#[tokio::test(start_paused = true)]
async fn a_client_whose_server_is_listed_late_has_so_much_less_time() {
    let before = former().await;
    drop(
        before
            .choose(client(7), &[], Instant::now())
            .expect("a is up"),
    );
    for (waited, expected) in [(20, Some(Duration::from_secs(35))), (56, None)] {
        let pool = open(PoolPlan {
            discover: Some(DiscoverPlan::DnsSrv {
                name: "_hive._tcp.example.com".into(),
            }),
            ..lasting([])
        });
        recall(&pool, before.remember(), SOON).await;
        sleep(Duration::from_secs(waited)).await;
        let roster = ["a"].map(|name| Arc::new(server(name))).into();
        pool.send(Change::Roster(roster)).await.expect("a keeper");
        seat(&pool, "a");
        let left = pool.sticky(client(7)).map(|known| known.left);
        assert_eq!(left, expected, "after {waited} s");
        drop(
            before
                .choose(client(7), &[], Instant::now())
                .expect("a is up"),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_client_is_one_however_its_address_is_written() {
    let pool = open(lasting([server("a")]));
    let (a, ttl) = (ServerName::new("a"), Duration::from_secs(60));
    assert!(pool.learn("::ffff:10.9.8.7".parse().unwrap(), &a, ttl));
    sleep(Duration::from_secs(20)).await;
    for written in ["10.9.8.7", "::ffff:10.9.8.7"] {
        let known = pool.sticky(written.parse().unwrap()).expect("known");
        assert_eq!(known.client.to_string(), "10.9.8.7");
        assert_eq!(known.left, Duration::from_secs(40));
    }
}
