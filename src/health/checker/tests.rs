//! A checker on a clock that stands still until everybody waits.

use std::net::Ipv4Addr;
use std::sync::Mutex;

use super::*;
use crate::health::Reason;
use crate::plan::{
    Address, Ask, Balance, Dial, Host, HttpAsk, PoolName, PoolPlan, ServerDefaults, ServerName,
    ServerPlan, Service, Timeouts,
};
use crate::plan::{OnRoleLost, RolePlan};
use crate::pool::{DialFailure, SessionFault, Standing};
use crate::telemetry::Metrics;

/// Answers as told; remembers when it was asked, and how.
struct Script {
    answer: Mutex<(Verdict, bool)>,
    reason: Mutex<Reason>,
    role: Mutex<Option<Role>>,
    /// What the port that takes sessions says.
    knock: Mutex<Verdict>,
    knocked: Mutex<u32>,
    knock_takes: Duration,
    asked: Mutex<Vec<(Duration, Effort)>>,
    start: Instant,
}

impl Asker for Script {
    async fn ask(&self, _: &Server, effort: Effort, _: &mut ProbeMemory) -> Finding {
        let asked = (self.start.elapsed(), effort);
        self.asked.lock().expect("no panic").push(asked);
        let (verdict, logs_error) = *self.answer.lock().expect("no panic");
        let took = Duration::from_millis(5);
        sleep(took).await;
        Finding {
            verdict,
            reason: *self.reason.lock().expect("no panic"),
            step: "connect",
            detail: "as told".to_owned(),
            role: *self.role.lock().expect("no panic"),
            steps: Vec::new(),
            took,
            logs_error,
        }
    }

    async fn knock(&self, _: &Server) -> Finding {
        *self.knocked.lock().expect("no panic") += 1;
        sleep(self.knock_takes).await;
        Finding {
            verdict: *self.knock.lock().expect("no panic"),
            reason: Reason::ConnectRefused,
            step: "connect",
            detail: "Connection refused".to_owned(),
            role: None,
            steps: Vec::new(),
            took: self.knock_takes,
            logs_error: false,
        }
    }
}

struct Watched {
    pool: Arc<Pool>,
    server: Arc<Server>,
    script: Arc<Script>,
}

fn probe() -> ProbePlan {
    ProbePlan {
        ask: Ask::Tcp,
        port: None,
        tls: None,
        kerberos: None,
        interval: secs(10),
        fast_interval: ms(250),
        deep_interval: secs(60),
        timeout: secs(3),
        rise: 2,
        fall: 3,
        observe: crate::plan::ObservePlan::DEFAULT,
    }
}

fn plan() -> PoolPlan {
    plan_of(&["a"])
}

fn plan_of(servers: &[&str]) -> PoolPlan {
    let server = |name: &&str| ServerPlan {
        name: ServerName::new(name),
        address: Address {
            host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
            port: 10_000,
        },
        weight: 1,
        max_connections: None,
        max_per_second: None,
        backup: false,
    };
    PoolPlan {
        name: PoolName::new("hive"),
        discover: None,
        service: Service::TCP,
        server_defaults: ServerDefaults::of(Service::TCP),
        balance: Balance::RoundRobin,
        servers: servers.iter().map(server).map(Arc::new).collect(),
        send_proxy: None,
        sticky: None,
        probe: Some(probe()),
        tls: None,
        timeouts: Timeouts {
            connect: secs(3),
            idle: secs(3600),
            half_close: secs(600),
            udp_idle: secs(600),
            udp_responses: None,
            keepalive: secs(600),
            first_byte: secs(60),
        },
        queue: crate::plan::QueuePlan::default(),
        care: crate::plan::CarePlan::DEFAULT,
        load: None,
        dial: Dial::Late,
        drain_timeout: secs(1800),
    }
}

fn watch(verdict: Verdict, logs_error: bool) -> Watched {
    watch_as(probe(), verdict, logs_error, ms(1))
}

/// Under a probe that asks another port than sessions use.
fn watch_elsewhere(knock_takes: Duration) -> Watched {
    let probe = ProbePlan {
        port: Some(25_000),
        ..probe()
    };
    watch_as(probe, Verdict::Up, false, knock_takes)
}

fn watch_as(
    probe: ProbePlan,
    verdict: Verdict,
    logs_error: bool,
    knock_takes: Duration,
) -> Watched {
    watch_in(plan(), probe, verdict, logs_error, knock_takes)
}

fn watch_in(
    plan: PoolPlan,
    probe: ProbePlan,
    verdict: Verdict,
    logs_error: bool,
    knock_takes: Duration,
) -> Watched {
    let (watched, checker) = set_up(plan, probe, verdict, logs_error, knock_takes);
    tokio::spawn(checker.run(Duration::ZERO));
    watched
}

/// With a checker that nobody runs.
fn set_up(
    plan: PoolPlan,
    probe: ProbePlan,
    verdict: Verdict,
    logs_error: bool,
    knock_takes: Duration,
) -> (Watched, Checker<Script>) {
    let plan = PoolPlan {
        probe: Some(probe.clone()),
        ..plan
    };
    let (pool, keeper) = Pool::new(Arc::new(plan), &Metrics::new());
    tokio::spawn(keeper.run());
    let server = Arc::clone(&pool.load().members()[0].server);
    let script = Arc::new(Script {
        answer: Mutex::new((verdict, logs_error)),
        reason: Mutex::new(Reason::Ok),
        role: Mutex::default(),
        knock: Mutex::new(Verdict::Up),
        knocked: Mutex::default(),
        knock_takes,
        asked: Mutex::default(),
        start: Instant::now(),
    });
    let health = Health::Unknown;
    let (asked, target) = (Arc::clone(&script), Arc::clone(&server));
    let checker = Checker::new(
        Arc::clone(&pool),
        target,
        health,
        probe,
        asked,
        script.start,
        Arc::default(),
    );
    let watched = Watched {
        pool,
        server,
        script,
    };
    (watched, checker)
}

impl Watched {
    fn answer(&self, verdict: Verdict, logs_error: bool) {
        *self.script.answer.lock().expect("no panic") = (verdict, logs_error);
    }

    fn claim(&self, role: Role) {
        *self.script.role.lock().expect("no panic") = Some(role);
    }

    fn knock(&self, verdict: Verdict) {
        *self.script.knock.lock().expect("no panic") = verdict;
    }

    fn knocked(&self) -> u32 {
        *self.script.knocked.lock().expect("no panic")
    }

    fn asked(&self) -> Vec<(Duration, Effort)> {
        mem::take(&mut self.script.asked.lock().expect("no panic"))
    }

    fn health(&self) -> Health {
        self.pool.load().members()[0].health
    }

    /// How long until the pool believes this.
    async fn until(&self, health: Health) -> Duration {
        let began = Instant::now();
        while self.health() != health {
            sleep(ms(1)).await;
            assert!(began.elapsed() < secs(300), "{health} did not come");
        }
        began.elapsed()
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn the_first_verdict_decides_at_once() {
    let up = watch(Verdict::Up, false);
    assert!(up.until(Health::Up).await < ms(10));
    let down = watch(Verdict::Down, false);
    assert!(down.until(Health::Down).await < ms(10));
    let shown = down.server.last_probe().expect("a probe");
    assert_eq!(
        (shown.verdict, shown.reason, shown.step),
        (Health::Down, "ok", "connect")
    );
    assert_eq!(down.pool.load().members()[0].standing, Standing::Down);
}

#[tokio::test(start_paused = true)]
async fn leisure_while_steady_and_haste_while_in_doubt() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    sleep(secs(100)).await;
    let calm = watched.asked().len();
    assert!((9..=13).contains(&calm), "{calm} questions in 100 s");
    watched.answer(Verdict::Down, false);
    let took = watched.until(Health::Down).await;
    assert!(took < secs(12), "{took:?}");
    let asked = watched.asked();
    let [.., first, second, third] = &*asked else {
        panic!("{asked:?}")
    };
    assert!(third.0 - first.0 < ms(600), "{asked:?}");
    assert!(second.0 - first.0 > ms(200), "{asked:?}");
    watched.answer(Verdict::Up, false);
    assert!(watched.until(Health::Up).await < secs(12));
}

#[tokio::test(start_paused = true)]
async fn a_failed_dial_takes_a_dead_server_out_within_a_second() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    sleep(secs(30)).await;
    watched.answer(Verdict::Down, false);
    watched.server.dial_failed(DialFailure::ConnectRefused);
    let took = watched.until(Health::Down).await;
    assert!(took < ms(600), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_failed_dials_costs_a_probe_for_each_fast_interval() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    sleep(secs(5)).await;
    watched.asked();
    for _ in 0..1000 {
        watched.server.dial_failed(DialFailure::ConnectRefused);
        sleep(ms(1)).await;
    }
    sleep(ms(500)).await;
    let count = watched.asked().len();
    assert!((3..=6).contains(&count), "{count} questions");
    assert_eq!(watched.health(), Health::Up, "probes say that it lives");
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_succeeds_takes_the_failure_back() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    for _ in 0..10 {
        watched.server.dial_failed(DialFailure::ConnectRefused);
        watched.server.dial_succeeded();
        sleep(secs(1)).await;
        assert_eq!(watched.health(), Health::Up);
    }
}

#[tokio::test(start_paused = true)]
async fn cheap_questions_in_between_and_a_full_one_now_and_then() {
    let watched = watch(Verdict::Up, false);
    sleep(secs(600)).await;
    let asked = watched.asked();
    let full: Vec<_> = asked.iter().filter(|one| one.1 == Effort::Full).collect();
    assert!((9..=12).contains(&full.len()), "{full:?}");
    assert!(asked.len() > 50);
    assert!(asked.iter().all(|one| one.1 != Effort::Connect));
}

#[tokio::test(start_paused = true)]
async fn what_went_down_comes_back_by_full_questions_only() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    watched.answer(Verdict::Down, false);
    watched.until(Health::Down).await;
    watched.asked();
    watched.answer(Verdict::Up, false);
    watched.until(Health::Up).await;
    let asked = watched.asked();
    assert_eq!(
        asked.first().map(|one| one.1),
        Some(Effort::Full),
        "{asked:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_question_that_logs_an_error_is_asked_at_the_deep_interval() {
    let watched = watch(Verdict::Up, true);
    sleep(secs(600)).await;
    let asked = watched.asked();
    let full = asked.iter().filter(|one| one.1 == Effort::Full).count();
    assert!((9..=12).contains(&full), "{asked:?}");
    assert!(asked.iter().all(|one| one.1 != Effort::Cheap));
    assert!(asked.len() > 50, "connects in between");

    let refused = watch(Verdict::Down, true);
    sleep(secs(600)).await;
    let asked = refused.asked();
    assert!((9..=12).contains(&asked.len()), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn alive_is_believed_at_once() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    watched.answer(Verdict::Alive, false);
    watched.until(Health::Alive).await;
    let last = watched.asked().last().map(|one| one.0);
    assert!(watched.script.start.elapsed() - last.expect("asked") < ms(10));
}

#[tokio::test(start_paused = true)]
async fn steady_answers_make_no_snapshot() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    let generation = watched.pool.load().generation();
    let before = watched.server.last_probe().expect("a probe").at;
    sleep(secs(100)).await;
    assert_eq!(watched.pool.load().generation(), generation);
    assert!(watched.server.last_probe().expect("a probe").at >= before);
}

#[tokio::test(start_paused = true)]
async fn a_howdah_without_descriptors_blames_nobody() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    watched.answer(Verdict::Down, false);
    *watched.script.reason.lock().expect("no panic") = Reason::Unusable;
    for _ in 0..100 {
        sleep(secs(1)).await;
        watched.server.dial_failed(DialFailure::ConnectRefused);
    }
    assert_eq!(watched.health(), Health::Up);
    let shown = watched.server.last_probe().expect("a probe");
    assert_eq!(shown.reason, "unusable", "and yet it is seen");
    *watched.script.reason.lock().expect("no panic") = Reason::OwnDelay;
    sleep(secs(100)).await;
    assert_eq!(watched.health(), Health::Up, "nor one without time");
    *watched.script.reason.lock().expect("no panic") = Reason::ConnectRefused;
    watched.server.dial_failed(DialFailure::ConnectRefused);
    watched.until(Health::Down).await;
}

/// Impala's probe asks the web server: a dead session port stayed up, and nine of ten sessions paid the whole connect.
#[tokio::test(start_paused = true)]
async fn without_a_ticket_a_server_stays_what_it_was_as_long_as_it_answers() {
    let watched = watch(Verdict::Up, false);
    let say = |verdict, reason| {
        *watched.script.answer.lock().expect("no panic") = (verdict, false);
        *watched.script.reason.lock().expect("no panic") = reason;
    };
    watched.until(Health::Up).await;
    // A page that wants a login.
    say(Verdict::Alive, Reason::KdcUnreachable);
    sleep(secs(300)).await;
    assert_eq!(watched.health(), Health::Up);
    // It falls for what needs no ticket to be seen, and comes back by the same.
    say(Verdict::Down, Reason::ConnectRefused);
    watched.until(Health::Down).await;
    say(Verdict::Up, Reason::KdcUnreachable);
    watched.until(Health::Up).await;
    // What a ticket had shown is not taken back without one.
    say(Verdict::Alive, Reason::Passive);
    watched.until(Health::Alive).await;
    say(Verdict::Up, Reason::KeyWrong);
    sleep(secs(300)).await;
    assert_eq!(watched.health(), Health::Alive);
}

#[tokio::test(start_paused = true)]
async fn a_dead_session_port_takes_the_server_out_though_the_probed_port_answers() {
    let watched = watch_elsewhere(ms(1));
    watched.until(Health::Up).await;
    sleep(secs(30)).await;
    assert_eq!(watched.knocked(), 0, "nobody knocks without a doubt");
    watched.knock(Verdict::Down);
    watched.server.dial_failed(DialFailure::ConnectRefused);
    let took = watched.until(Health::Down).await;
    assert!(took < ms(600), "{took:?}");
    let shown = watched.server.last_probe().expect("a probe");
    let word = (shown.reason, shown.step);
    assert_eq!(word, ("connect-refused", "session-port"));
    let says =
        "the probe of port 25000 is answered, but port 10000 takes no sessions: Connection refused";
    assert_eq!(shown.detail, says);
    sleep(secs(60)).await;
    assert_eq!(watched.health(), Health::Down, "while the port is dead");
    watched.knock(Verdict::Up);
    watched.until(Health::Up).await;
    let knocks = watched.knocked();
    sleep(secs(60)).await;
    assert_eq!(watched.knocked(), knocks, "the doubt is over");
}

/// A port without an answer: knocking takes as long as a session's connect, so sessions decide.
#[tokio::test(start_paused = true)]
async fn failed_connects_in_a_row_are_believed_before_a_mute_port_was_asked() {
    let watched = watch_elsewhere(secs(3));
    watched.until(Health::Up).await;
    sleep(secs(30)).await;
    watched.knock(Verdict::Down);
    let began = Instant::now();
    for _ in 0..3 {
        watched.server.dial_failed(DialFailure::ConnectTimeout);
        sleep(ms(10)).await;
    }
    watched.until(Health::Down).await;
    // A probe that came just before keeps the checker from the next for a `fast_interval`; a knock would take 3 s.
    let soon = probe().fast_interval + ms(100);
    assert!(began.elapsed() < soon, "{:?}", began.elapsed());
    watched.knock(Verdict::Up);
    watched.until(Health::Up).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_connects_ends_the_row() {
    let watched = watch_elsewhere(ms(1));
    watched.until(Health::Up).await;
    for _ in 0..20 {
        watched.server.dial_failed(DialFailure::ConnectTimeout);
        watched.server.dial_failed(DialFailure::ConnectTimeout);
        watched.server.dial_succeeded();
        sleep(secs(1)).await;
        assert_eq!(watched.health(), Health::Up);
    }
}

/// One of two, the other being up: by a connect, which says nothing of answers.
async fn watch_one_of_two() -> Watched {
    let watched = watch_in(plan_of(&["a", "b"]), probe(), Verdict::Up, false, ms(1));
    let other = watched.pool.load().members()[1].server.id();
    let up = Change::Health {
        server: other,
        health: Health::Up,
        role: None,
    };
    watched.pool.send(up).await.expect("a keeper");
    watched.until(Health::Up).await;
    watched
}

fn die_unanswered(watched: &Watched, times: u32) {
    for _ in 0..times {
        watched.server.dial_succeeded();
        watched.server.session_failed(SessionFault::Unanswered);
    }
}

/// A server that accepts and closes kept a third of all sessions.
#[tokio::test(start_paused = true)]
async fn a_server_that_serves_nobody_goes_out_though_its_probe_connects() {
    let watched = watch_one_of_two().await;
    die_unanswered(&watched, 2);
    watched.server.observed().succeeded(Reach::Answer);
    die_unanswered(&watched, 2);
    sleep(secs(1)).await;
    assert_eq!(watched.health(), Health::Up, "not three in a row");
    die_unanswered(&watched, 1);
    assert!(watched.until(Health::Down).await < ms(10));
    let out = watched.until(Health::Up).await;
    assert!(secs(9) < out && out < secs(11), "{out:?}");
    die_unanswered(&watched, 1);
    assert!(watched.until(Health::Down).await < ms(10), "on trial");
    sleep(secs(15)).await;
    let shown = watched.server.last_probe().expect("a probe");
    assert_eq!(shown.reason, "quarantined");
    assert!(
        shown.detail.contains("its sessions fail"),
        "{}",
        shown.detail
    );
    let out = watched.until(Health::Up).await;
    assert!(secs(4) < out && out < secs(6), "twice as long: {out:?}");
    watched.server.observed().succeeded(Reach::Answer);
    sleep(secs(200)).await;
    die_unanswered(&watched, 2);
    sleep(secs(1)).await;
    assert_eq!(watched.health(), Health::Up, "trusted as before");
}

#[tokio::test(start_paused = true)]
async fn the_only_server_is_never_taken_out_for_what_sessions_saw() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    for _ in 0..100 {
        die_unanswered(&watched, 10);
        sleep(ms(100)).await;
        assert_eq!(watched.health(), Health::Up);
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_probe_is_answered_it_has_the_last_word() {
    let http = Ask::Http(HttpAsk::get("/"));
    let probe = ProbePlan {
        ask: http,
        ..probe()
    };
    let watched = watch_as(probe, Verdict::Up, false, ms(1));
    watched.until(Health::Up).await;
    sleep(secs(30)).await;
    watched.asked();
    for fault in [SessionFault::Unanswered, SessionFault::Reset] {
        for _ in 0..100 {
            watched.server.session_failed(fault);
            sleep(ms(10)).await;
        }
        let asked = watched.asked().len();
        assert!((3..=6).contains(&asked), "asked at once: {asked}");
        assert_eq!(watched.health(), Health::Up);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_flaps_stays_out_for_longer_each_time() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    let mut stays = Vec::new();
    for _ in 0..5 {
        watched.answer(Verdict::Down, false);
        watched.until(Health::Down).await;
        watched.answer(Verdict::Up, false);
        stays.push(watched.until(Health::Up).await.as_secs());
    }
    // Up to an interval and a half for the probes themselves.
    for (stay, least) in stays.iter().zip([0, 0, 10, 20, 40]) {
        assert!((least..least + 13).contains(stay), "{stays:?}");
    }
}

/// Turns until then, few as they must be.
async fn turn_until(checker: &mut Checker<Script>, done: impl Fn(&Checker<Script>) -> bool) {
    for _ in 0..50 {
        if done(checker) {
            return;
        }
        checker.turn().await.expect("a keeper");
    }
    panic!("50 turns, and {:?}", checker.conclusion);
}

/// The end of a hold lay in the past, nobody took note of it, and the next turn was due at once: for ever.
#[tokio::test(start_paused = true)]
async fn a_hold_ends_in_time_though_nothing_is_learned_of_the_server() {
    let table = [
        (Verdict::Down, Reason::Unusable, Health::Up),
        (Verdict::Down, Reason::OwnDelay, Health::Up),
        (Verdict::Alive, Reason::KdcUnreachable, Health::Up),
        // A refusal in the server's log: not asked again before the deep interval.
        (Verdict::Down, Reason::Closed, Health::Down),
    ];
    for (verdict, reason, becomes) in table {
        let mut probe = ProbePlan {
            deep_interval: secs(600),
            ..probe()
        };
        probe.observe.quarantine = secs(60);
        let (watched, mut checker) = set_up(plan(), probe, Verdict::Up, false, ms(1));
        for _ in 0..3 {
            watched.answer(Verdict::Up, false);
            turn_until(&mut checker, |one| one.conclusion.told() == Health::Up).await;
            watched.answer(Verdict::Down, false);
            turn_until(&mut checker, |one| one.conclusion.told() == Health::Down).await;
        }
        let held = checker.conclusion.due().expect("it fell too often");
        if becomes == Health::Up {
            watched.answer(Verdict::Up, false);
            turn_until(&mut checker, |one| one.conclusion.probed() == Health::Up).await;
        }
        watched.answer(verdict, becomes == Health::Down);
        *watched.script.reason.lock().expect("no panic") = reason;
        let over = held + secs(20);
        turn_until(&mut checker, |_| Instant::now() > over).await;
        let (told, due) = (checker.conclusion.told(), checker.conclusion.due());
        assert_eq!((told, due), (becomes, None), "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_overdue_waits_for_the_pace() {
    let (_watched, mut checker) = set_up(plan(), probe(), Verdict::Up, false, ms(1));
    let due = checker.conclusion.distrust(Instant::now(), secs(1));
    sleep(secs(5)).await;
    let now = Instant::now();
    assert!(due.is_some_and(|due| due < now));
    assert!(checker.next(now) >= now + probe().fast_interval.mul_f64(0.9));
}

/// A standby that answers well is alive, and is believed at its first word when it becomes the active one.
#[tokio::test(start_paused = true)]
async fn a_failover_takes_one_probe_however_long_the_rise() {
    let mut wants_active = plan();
    wants_active.care.role = RolePlan {
        wanted: Some(Role::Active),
        on_lost: OnRoleLost::Cut,
    };
    let probe = ProbePlan { rise: 5, ..probe() };
    let watched = watch_in(wants_active, probe.clone(), Verdict::Up, false, ms(1));
    watched.claim(Role::Standby);
    watched.until(Health::Alive).await;
    let shown = watched.server.last_probe().expect("a probe");
    assert_eq!((shown.verdict, shown.reason), (Health::Alive, "passive"));
    sleep(secs(60)).await;
    watched.claim(Role::Active);
    let took = watched.until(Health::Up).await;
    let soon = probe.fast_interval.mul_f64(1.1) + ms(70);
    assert!(
        took <= soon,
        "{took:?}: nobody is active, so all are asked at fast_interval"
    );
    assert_eq!(watched.pool.load().members()[0].role, Some(Role::Active));
}

/// A pool that does not know its active server cannot wait for the pace of probes.
#[tokio::test(start_paused = true)]
async fn an_urge_asks_at_once_and_a_nudge_within_the_pace() {
    let watched = watch(Verdict::Up, false);
    watched.until(Health::Up).await;
    sleep(secs(30)).await;
    let gap = async |call: fn(&Server)| {
        // Right after a question, whichever it was.
        watched.asked();
        while watched.asked().is_empty() {
            sleep(ms(1)).await;
        }
        sleep(ms(10)).await;
        let called = Instant::now();
        call(&watched.server);
        while watched.asked().is_empty() {
            sleep(ms(1)).await;
        }
        called.elapsed()
    };
    let urged = gap(Server::urge).await;
    assert!(urged <= ms(10), "{urged:?}");
    let nudged = gap(Server::nudge).await;
    assert!(
        nudged > ms(100) && nudged <= probe().fast_interval,
        "{nudged:?}"
    );
}
