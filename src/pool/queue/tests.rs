//! The queue as sessions meet it, and a long story of chance with the truths that hold in it.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio_test::task::{Spawn, spawn};

use super::*;
use crate::base::word::Label;
use crate::plan::{Address, Balance, Host, PoolName, PoolPlan, QueuePlan, ServerName, ServerPlan};
use crate::pool::tests::{open, plan as bare, probe};
use crate::pool::{Change, Health, Member, Order, Origin, Standing};

fn bounded(number: u16, cap: u32) -> ServerPlan {
    ServerPlan {
        name: ServerName::new(&number.to_string()),
        address: Address {
            host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
            port: 10_000 + number,
        },
        weight: 1 + number % 3,
        max_connections: Some(cap),
        max_per_second: None,
        backup: false,
    }
}

fn plan(balance: Balance, caps: &[u32]) -> PoolPlan {
    let servers = (0u16..)
        .zip(caps)
        .map(|(number, cap)| bounded(number, *cap));
    PoolPlan {
        name: PoolName::new("hive"),
        queue: QueuePlan {
            most: 3,
            patience: Duration::from_secs(10),
        },
        ..bare(balance, servers)
    }
}

fn client(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn choose(pool: &Arc<Pool>) -> Choice {
    pool.choose(client(1), &[], Instant::now())
}

/// In line, and looked at once.
fn wait(pool: &Arc<Pool>) -> Spawn<Ticket> {
    let mut ticket = spawn(pool.wait(client(2), &[]).expect("room"));
    assert!(ticket.poll().is_pending());
    ticket
}

fn lease(ticket: &mut Spawn<Ticket>) -> Lease {
    assert!(ticket.is_woken());
    match ticket.poll() {
        Poll::Ready(Ok(lease)) => lease,
        Poll::Ready(Err(why)) => panic!("{why}"),
        Poll::Pending => panic!("woken for nothing"),
    }
}

async fn conclude(pool: &Pool, server: usize, health: Health) {
    let server = pool.load().members()[server].server.id();
    let change = Change::Health {
        server,
        health,
        role: None,
    };
    pool.send(change).await.expect("a keeper");
}

#[tokio::test]
async fn who_came_first_is_served_first_and_nobody_passes() {
    let pool = open(plan(Balance::LeastConnection, &[1]));
    let held = choose(&pool).expect("free");
    let (mut first, mut second) = (wait(&pool), wait(&pool));
    drop(held);
    assert!(!second.is_woken());
    assert_eq!(
        choose(&pool).err(),
        Some(NoServer::AllFull),
        "not past them"
    );
    let held = lease(&mut first);
    assert_eq!(held.server().sessions_active(), 1);
    drop(first);
    drop(held);
    drop(lease(&mut second));
    drop(second);
    assert!(choose(&pool).is_ok(), "nobody waits");
    assert_eq!(pool.load().members()[0].server.sessions_active(), 0);
}

#[tokio::test]
async fn who_leaves_is_passed_over_also_with_a_lease_in_the_seat() {
    let pool = open(plan(Balance::RoundRobin, &[1]));
    let held = choose(&pool).expect("free");
    let (first, second, mut third) = (wait(&pool), wait(&pool), wait(&pool));
    drop(first);
    drop(held);
    assert!(second.is_woken());
    drop(second);
    assert_eq!(lease(&mut third).server().sessions_active(), 1);
    assert_eq!(pool.load().members()[0].server.sessions_active(), 0);
}

#[tokio::test]
async fn a_full_queue_takes_nobody() {
    let pool = open(plan(Balance::Random, &[1]));
    let _held = choose(&pool).expect("free");
    let waiting = [wait(&pool), wait(&pool), wait(&pool)];
    let refused = pool.wait(client(3), &[]).err();
    assert_eq!(refused, Some(NoServer::QueueFull));
    drop(waiting);
    drop(wait(&pool));
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let pool = open(plan(Balance::SourceHash, &[1]));
    let held = choose(&pool).expect("free");
    let mut ticket = wait(&pool);
    tokio::time::advance(Duration::from_millis(9_900)).await;
    assert!(ticket.poll().is_pending());
    tokio::time::advance(Duration::from_millis(200)).await;
    let Poll::Ready(Err(why)) = ticket.poll() else {
        panic!("still waiting")
    };
    assert_eq!(why, NoServer::QueueTimeout);
    drop(ticket);
    drop(held);
    assert!(choose(&pool).is_ok());
}

#[tokio::test]
async fn a_server_that_comes_up_or_takes_more_serves_who_waits() {
    let mut two = plan(Balance::LeastConnection, &[1, 1]);
    two.probe = probe();
    let pool = open(two.clone());
    conclude(&pool, 0, Health::Up).await;
    let _held = choose(&pool).expect("free");
    let (mut first, mut second, mut third) = (wait(&pool), wait(&pool), wait(&pool));
    conclude(&pool, 1, Health::Up).await;
    let _first = lease(&mut first);
    assert!(!second.is_woken());
    two.servers = vec![Arc::new(bounded(0, 2)), Arc::new(bounded(1, 1))];
    let change = Change::Plan(Arc::new(two));
    pool.send(change).await.expect("a keeper");
    let second = lease(&mut second);
    assert_eq!(second.server().name().as_str(), "0");
    assert!(!third.is_woken());
    conclude(&pool, 0, Health::Down).await;
    conclude(&pool, 1, Health::Down).await;
    assert!(matches!(third.poll(), Poll::Ready(Err(NoServer::NoneUp))));
}

#[tokio::test]
async fn who_has_tried_what_becomes_free_lets_the_next_go_first() {
    let pool = open(plan(Balance::LeastConnection, &[1, 1]));
    let held = [choose(&pool).expect("free"), choose(&pool).expect("free")];
    let tried = held[0].server().id();
    let mut picky = spawn(pool.wait(client(2), &[tried]).expect("room"));
    assert!(picky.poll().is_pending());
    let mut other = wait(&pool);
    let [first, second] = held;
    drop(first);
    assert!(!picky.is_woken());
    let _other = lease(&mut other);
    drop(second);
    assert_ne!(lease(&mut picky).server().id(), tried);
}

/// It waited behind those who had tried nothing, until its time was over.
#[tokio::test]
async fn who_has_tried_all_servers_does_not_wait_for_one() {
    let pool = open(plan(Balance::LeastConnection, &[1]));
    let held = choose(&pool).expect("free");
    let tried = held.server().id();
    let _first = wait(&pool);
    let mut second = spawn(pool.wait(client(2), &[tried]).expect("room"));
    match second.poll() {
        Poll::Ready(choice) => assert_eq!(choice.err(), Some(NoServer::AllTried)),
        Poll::Pending => panic!("it waits for nothing"),
    }
}

/// Sessions come, wait, leave and end; servers fail, drain, and change their bounds. After each step: nobody waits while
/// a server has room, no server has more than its bound ever was, every lease is counted once, and who waits is served
/// in the order of arrival.
#[tokio::test(start_paused = true)]
async fn a_long_story_of_chance_loses_no_slot_and_no_turn() {
    for &balance in Balance::ALL {
        let seed = fastrand::u64(..);
        let mut story = Story::new(balance, seed);
        for step in 0..4_000 {
            story.step().await;
            if let Err(fault) = story.judge() {
                panic!("{balance:?}, seed {seed}, step {step}: {fault}");
            }
        }
        story.held.clear();
        assert!(story.judge().is_ok());
    }
}

struct Story {
    pool: Arc<Pool>,
    plan: PoolPlan,
    chance: fastrand::Rng,
    held: Vec<Lease>,
    waiting: VecDeque<Spawn<Ticket>>,
    highest: u32,
}

impl Story {
    fn new(balance: Balance, seed: u64) -> Self {
        let mut plan = plan(balance, &[2, 3, 1, 4]);
        plan.probe = probe();
        plan.queue.most = 20;
        Self {
            pool: open(plan.clone()),
            plan,
            chance: fastrand::Rng::with_seed(seed),
            held: Vec::new(),
            waiting: VecDeque::new(),
            highest: 5,
        }
    }

    async fn step(&mut self) {
        let server = self.chance.usize(..4);
        let change = match self.chance.u8(..20) {
            0..=8 => return self.arrive(),
            9..=14 if !self.held.is_empty() => {
                let one = self.chance.usize(..self.held.len());
                return drop(self.held.swap_remove(one));
            }
            15 if !self.waiting.is_empty() => {
                let one = self.chance.usize(..self.waiting.len());
                return drop(self.waiting.remove(one));
            }
            16 | 17 => Change::Health {
                server: self.pool.load().members()[server].server.id(),
                health: self
                    .chance
                    .choice(Health::ALL.iter().copied())
                    .expect("some"),
                role: None,
            },
            18 => Change::Order {
                server: ServerName::new(&server.to_string()),
                order: self
                    .chance
                    .choice(Order::ALL.iter().copied())
                    .expect("some"),
                given: Origin::by("test"),
            },
            _ => {
                let cap = self.chance.u32(1..=self.highest);
                let number = u16::try_from(server).expect("small");
                self.plan.servers[server] = Arc::new(bounded(number, cap));
                Change::Plan(Arc::new(self.plan.clone()))
            }
        };
        self.pool.send(change).await.expect("a keeper");
    }

    fn arrive(&mut self) {
        let client = client(self.chance.u32(..50));
        match self.pool.choose(client, &[], Instant::now()) {
            Ok(lease) => self.held.push(lease),
            Err(NoServer::AllFull) => {
                let ticket = self.pool.wait(client, &[]);
                self.waiting.extend(ticket.ok().map(spawn));
            }
            Err(_) => {}
        }
    }

    fn judge(&mut self) -> Result<(), String> {
        let mut still = VecDeque::new();
        for mut ticket in std::mem::take(&mut self.waiting) {
            match ticket.poll() {
                Poll::Ready(Ok(_)) if !still.is_empty() => return Err("out of turn".into()),
                Poll::Ready(Ok(lease)) => self.held.push(lease),
                Poll::Ready(Err(NoServer::NoneUp)) => {}
                Poll::Ready(Err(why)) => return Err(format!("ended with {why}")),
                Poll::Pending => still.push_back(ticket),
            }
        }
        self.waiting = still;
        let snapshot = self.pool.load();
        let free = |one: &Member| one.standing_now() == Standing::Ready;
        if !self.waiting.is_empty() && snapshot.members().iter().any(free) {
            return Err("somebody waits beside a server with room".into());
        }
        if self.pool.line.len() != self.waiting.len() {
            return Err("the queue counts wrongly".into());
        }
        for member in snapshot.members() {
            let id = member.server.id();
            let held = self
                .held
                .iter()
                .filter(|lease| lease.server().id() == id)
                .count();
            let counted = member.server.sessions_active();
            if usize::try_from(counted) != Ok(held) {
                return Err(format!("{counted} counted, {held} held"));
            }
            if counted > self.highest {
                return Err(format!("{counted} sessions on one server"));
            }
        }
        Ok(())
    }
}

fn rated(per_second: &[u32]) -> PoolPlan {
    let mut plan = plan(Balance::LeastConnection, &vec![100; per_second.len()]);
    for (server, per_second) in plan.servers.iter_mut().zip(per_second) {
        Arc::make_mut(server).max_per_second = Some(*per_second);
    }
    plan
}

/// The lease, and how long after `begun` it came.
async fn served(ticket: Spawn<Ticket>, begun: Instant) -> (Lease, Duration) {
    let lease = ticket.into_inner().await.expect("a server");
    (lease, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_next_second_is_woken_by_time_alone() {
    let pool = open(rated(&[2]));
    let begun = Instant::now();
    let _held = [
        choose(&pool).expect("first"),
        choose(&pool).expect("second"),
    ];
    assert_eq!(choose(&pool).err(), Some(NoServer::AllFull));
    let tickets = [wait(&pool), wait(&pool), wait(&pool)];
    for (ticket, after) in tickets.into_iter().zip([500, 1000, 1500]) {
        let (_lease, took) = served(ticket, begun).await;
        let after = Duration::from_millis(after);
        assert!(
            took >= after && took < after + Duration::from_millis(5),
            "{took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_in_line_is_woken_when_the_first_has_left() {
    let pool = open(rated(&[1]));
    let begun = Instant::now();
    let _held = choose(&pool).expect("first");
    let (leaver, stayer) = (wait(&pool), wait(&pool));
    drop(leaver);
    assert!(stayer.is_woken(), "or it would not know of the token");
    let (_lease, took) = served(stayer, begun).await;
    assert!(took < Duration::from_millis(1005), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_token_is_passed_over_by_every_balancer() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnection,
        Balance::ResponseTime,
        Balance::Random,
        Balance::SourceHash,
    ] {
        let pool = open(PoolPlan {
            balance,
            ..rated(&[2, 5])
        });
        let held: Vec<_> = std::iter::from_fn(|| choose(&pool).ok()).collect();
        let on = |name: &str| {
            held.iter()
                .filter(|one| one.server().name().as_str() == name)
                .count()
        };
        assert_eq!((on("0"), on("1")), (2, 5), "{balance:?}");
        tokio::time::advance(Duration::from_millis(500)).await;
        let later: Vec<_> = std::iter::from_fn(|| choose(&pool).ok()).collect();
        assert_eq!(later.len(), 3, "{balance:?}: one and two and a half more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_nobody_in_line_can_use_costs_no_processor() {
    let pool = open(rated(&[1, 5]));
    let tried = pool.load().members()[1].server.id();
    let _held = pool
        .choose(client(1), &[tried], Instant::now())
        .expect("the other");
    let begun = Instant::now();
    let mut ticket = spawn(pool.wait(client(2), &[tried]).expect("room"));
    let mut polls = 1;
    while polls < 100 && ticket.poll().is_pending() {
        polls += 1;
        while !ticket.is_woken() {
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    }
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took <= Duration::from_millis(1002),
        "{took:?}"
    );
    assert!(polls <= 3, "{polls} polls for one token");
}
