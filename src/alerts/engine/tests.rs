//! Storms, flaps, and receivers that are away: how many messages there are, and what they say.

use super::*;
use crate::alerts::message::Status;
use crate::plan::{
    Address, AlertForm, AlertName, AlertPace, AlertScope, AlertTemplate, Host, PoolName, Secret,
    Severity, Webhook,
};

fn plan() -> AlertPlan {
    AlertPlan {
        name: AlertName::new("ops"),
        to: Webhook {
            tls: None,
            address: Address {
                host: Host::Ip([127, 0, 0, 1].into()),
                port: 1,
            },
            authority: "127.0.0.1:1".into(),
            path: Secret::new("/"),
            token: None,
            timeout: seconds(5),
        },
        form: AlertForm::Known(AlertTemplate::Json),
        about: AlertScope {
            severity: Severity::Warning,
            kinds: Vec::new(),
            pools: Vec::new(),
        },
        pace: AlertPace {
            group_wait: seconds(10),
            group_interval: seconds(60),
            repeat: None,
            max_per_minute: 6,
        },
        resolve: true,
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

struct Bench {
    engine: Engine,
    begin: Instant,
    now: Instant,
    /// Seconds from the begin, and the message.
    told: Vec<(u64, Message)>,
    answers: bool,
}

impl Bench {
    fn new(plan: AlertPlan) -> Self {
        let begin = Instant::now();
        Self {
            engine: Engine::new(Arc::new(plan)),
            begin,
            now: begin,
            told: Vec::new(),
            answers: true,
        }
    }

    fn hear(&mut self, event: Event) {
        self.engine.hear(&Arc::new(event), self.now);
    }

    fn health(&mut self, pool: &str, server: &str, up: bool) {
        let event = match up {
            true => Event::info(Kind::Health, "server is up").to("up"),
            false => Event::warning(Kind::Health, "server is down: refused").to("down"),
        };
        self.hear(event.pool(pool).server(server));
    }

    fn order(&mut self, pool: &str, server: &str, to: &str) {
        let event = Event::info(Kind::Order, "ordered").to(to);
        self.hear(event.pool(pool).server(server));
    }

    /// Second by second, as the task does.
    fn pass(&mut self, count: u64) {
        for _ in 0..count {
            self.now += seconds(1);
            if let Some(message) = self.engine.message(false, self.now)
                && self.answers
            {
                self.engine.settled(self.now);
                self.told.push(((self.now - self.begin).as_secs(), message));
            }
        }
    }

    fn statuses(&self) -> Vec<(u64, Status)> {
        let told = self.told.iter();
        told.map(|(at, message)| (*at, message.status)).collect()
    }
}

#[test]
fn a_server_that_goes_down_is_one_message_and_another_when_it_is_up() {
    let mut bench = Bench::new(plan());
    bench.health("hive", "hs2-1", false);
    bench.pass(100);
    assert_eq!(bench.statuses(), [(10, Status::Firing)]);
    let title = &bench.told[0].1.title;
    assert_eq!(title, "hive/hs2-1: server is down: refused");
    bench.health("hive", "hs2-1", true);
    bench.pass(100);
    assert_eq!(bench.statuses()[1..], [(101, Status::Resolved)]);
    assert_eq!(bench.told[1].1.open, 0);
    bench.pass(1000);
    assert_eq!(bench.told.len(), 2);
}

#[test]
fn two_hundred_servers_that_flap_for_five_minutes_are_few_messages() {
    let mut bench = Bench::new(plan());
    for turn in 0..100 {
        for server in 0..200 {
            bench.health(
                &format!("pool-{}", server % 20),
                &format!("s{server}"),
                turn % 2 == 1,
            );
        }
        bench.pass(3);
    }
    bench.pass(120);
    let count = bench.told.len();
    assert!((2..=8).contains(&count), "{count} messages");
    let (_, second) = &bench.told[1];
    assert!(second.alerts[0].times > 5, "{second:?}");
    assert_eq!(second.alerts.len() + second.more, 200);
    let (_, last) = &bench.told[count - 1];
    assert_eq!((last.status, last.open), (Status::Resolved, 0));
    assert_eq!(bench.engine.groups.len(), 20);
    assert_eq!(
        bench
            .engine
            .groups
            .values()
            .map(Group::troubles)
            .sum::<usize>(),
        0
    );
}

#[test]
fn a_flap_is_one_entry_that_counts() {
    let mut bench = Bench::new(plan());
    bench.health("hive", "hs2-1", false);
    bench.pass(11);
    for _ in 0..14 {
        bench.health("hive", "hs2-1", true);
        bench.pass(1);
        bench.health("hive", "hs2-1", false);
        bench.pass(2);
    }
    bench.pass(100);
    assert_eq!(
        bench.statuses(),
        [(10, Status::Firing), (70, Status::Firing)]
    );
    let entry = &bench.told[1].1.alerts[0];
    assert_eq!(entry.times, 14);
    assert!(
        bench.told[1].1.text.contains("(14 times in 58s)"),
        "{}",
        bench.told[1].1.text
    );
}

#[test]
fn what_was_over_before_anybody_was_told_is_one_resolved_message() {
    let mut bench = Bench::new(plan());
    bench.health("hive", "hs2-1", false);
    bench.pass(3);
    bench.health("hive", "hs2-1", true);
    bench.pass(100);
    assert_eq!(bench.statuses(), [(10, Status::Resolved)]);
}

#[test]
fn pools_that_fail_one_after_the_other_share_messages_when_there_are_many() {
    let mut bench = Bench::new(plan());
    for pool in 0..120 {
        bench.health(&format!("pool-{pool}"), "s", false);
        bench.pass(1);
    }
    bench.pass(120);
    let within = |from: u64| {
        let told = bench.told.iter();
        told.filter(|(at, _)| (from..from + 60).contains(at))
            .count()
    };
    assert!(
        (0..200).all(|from| within(from) <= 6),
        "{:?}",
        bench.statuses()
    );
    let entries: usize = bench
        .told
        .iter()
        .map(|(_, one)| one.alerts.len() + one.more)
        .sum();
    assert_eq!(entries, 120, "each is told once");
}

#[test]
fn a_receiver_that_was_away_hears_how_things_are_not_how_they_came() {
    let mut bench = Bench::new(plan());
    bench.health("hive", "told", false);
    bench.pass(11);
    bench.answers = false;
    for turn in 0..500 {
        bench.health("hive", "flaps", turn % 2 == 1);
        bench.pass(7);
    }
    bench.health("hive", "told", true);
    bench.health("hive", "down", false);
    bench.pass(60);
    bench.answers = true;
    bench.pass(1);
    assert_eq!(bench.told.len(), 2);
    let message = &bench.told[1].1;
    let shown: Vec<_> = message
        .alerts
        .iter()
        .map(|one| (one.server.as_deref(), one.status, one.times))
        .collect();
    assert_eq!(
        shown,
        [
            (Some("down"), Status::Firing, 1),
            (Some("flaps"), Status::Resolved, 250),
            (Some("told"), Status::Resolved, 0),
        ]
    );
    bench.pass(500);
    assert_eq!(bench.told.len(), 2, "no backlog");
}

#[test]
fn memory_is_bounded_while_a_receiver_is_away() {
    let mut bench = Bench::new(plan());
    for number in 0..TROUBLES + 500 {
        bench.health("hive", &format!("s{number}"), false);
        bench.hear(Event::warning(Kind::SessionEnded, "ended").pool("hive"));
    }
    assert_eq!(
        bench
            .engine
            .groups
            .values()
            .map(Group::troubles)
            .sum::<usize>(),
        TROUBLES
    );
    assert_eq!(bench.engine.dropped(), 500 + (TROUBLES as u64 + 500 - 100));
    let message = bench
        .engine
        .message(true, bench.now)
        .expect("there is news");
    assert!(message.alerts.len() <= 20 && message.text.len() < 40_000);
}

#[test]
fn a_server_under_maintenance_is_no_news_until_it_is_back_and_still_down() {
    let mut bench = Bench::new(plan());
    bench.order("hive", "hs2-1", "maintenance");
    bench.health("hive", "hs2-1", false);
    bench.pass(100);
    bench.health("hive", "hs2-1", true);
    bench.health("hive", "hs2-1", false);
    bench.pass(100);
    assert_eq!(bench.statuses(), []);
    bench.order("hive", "hs2-1", "ready");
    bench.pass(100);
    assert_eq!(bench.statuses(), [(210, Status::Firing)]);
    bench.health("hive", "hs2-1", true);
    bench.pass(100);
    assert_eq!(bench.told.len(), 2);
}

#[test]
fn a_server_that_left_the_file_is_no_trouble_any_more() {
    let mut bench = Bench::new(plan());
    bench.health("hive", "hs2-1", false);
    bench.pass(100);
    bench.engine.prune(|_, server| server.is_none(), bench.now);
    bench.pass(100);
    assert_eq!(bench.statuses()[1..], [(101, Status::Resolved)]);
    assert!(bench.told[1].1.text.contains("not configured any more"));
}

#[test]
fn a_new_receiver_hears_of_what_is_wrong_and_not_of_what_was() {
    let mut bench = Bench::new(plan());
    bench.health("hive", "over", false);
    bench.health("hive", "over", true);
    bench.health("hive", "down", false);
    bench.hear(Event::warning(Kind::Certificate, "ends soon"));
    bench.engine.forget_what_is_over();
    bench.pass(100);
    assert_eq!(bench.told.len(), 1);
    assert_eq!(bench.told[0].1.alerts.len(), 1);
}

#[test]
fn what_is_told_is_what_was_asked_for() {
    let scope = |plan: &mut AlertPlan| {
        plan.about.kinds = vec![Kind::ReloadRefused, Kind::Order];
        plan.about.severity = Severity::Info;
        plan.resolve = false;
    };
    let mut chosen = plan();
    scope(&mut chosen);
    let mut bench = Bench::new(chosen);
    bench.health("hive", "hs2-1", false);
    bench.hear(Event::error(Kind::ReloadRefused, "faulty"));
    bench.order("hive", "hs2-2", "drain");
    bench.pass(20);
    assert_eq!(bench.told.len(), 1);
    let kinds: Vec<_> = bench.told[0].1.alerts.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ["reload-refused", "order"]);
    bench.hear(Event::info(Kind::Reload, "reloaded"));
    bench.pass(200);
    assert_eq!(
        bench.told.len(),
        1,
        "resolve is off, and reloads were not asked for"
    );
    let mut other = plan();
    other.about.pools = vec![PoolName::new("hive")];
    let mut bench = Bench::new(other);
    bench.health("impala", "i-1", false);
    bench.hear(Event::error(Kind::ReloadRefused, "faulty"));
    bench.pass(100);
    assert!(bench.told.is_empty());
}

#[test]
fn what_lasts_is_told_again_where_that_is_wished() {
    let mut again = plan();
    again.pace.repeat = Some(seconds(300));
    let mut bench = Bench::new(again);
    bench.health("hive", "hs2-1", false);
    bench.pass(700);
    let at: Vec<_> = bench.statuses().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [10, 310, 610]);
    bench.health("hive", "hs2-1", true);
    bench.pass(700);
    assert_eq!(bench.told.len(), 4);
}
