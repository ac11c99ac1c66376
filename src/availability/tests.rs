//! The model and the store together, on a simulated clock.

use std::time::Duration;

use fastrand::Rng;

use super::calendar::{Moment, Step};
use super::ledger::{Outage, Seen, State};
use super::model::{Batch, Former, Model, NOT_RUNNING, STOPPED};
use super::period::{Period, Spans};
use super::report::{RECENT, Report, TargetReport, Window, build};
use super::store::{Keep, Memory, Query};
use super::target::{Kind, Target};
use crate::plan::Goal;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn pool() -> Target {
    Target::new(Kind::Pool, "hive")
}

fn front() -> Target {
    Target::new(Kind::Listener, "front")
}

fn down(cause: &str, planned: bool) -> Seen {
    let cause = cause.to_owned();
    Seen::Down { cause, planned }
}

/// 2026-11-01, in the middle of an hour.
fn start() -> Moment {
    Moment::of_millis(1_793_491_200_000 + 1_234_567)
}

/// What is asked at the end of everything.
fn report(model: &mut Model, memory: &mut Memory, goal: Option<Goal>, length: Duration) -> Report {
    let batch = model.take();
    let window = Window::ending(batch.at, length, Keep::ON_DISK);
    let query = Query {
        targets: vec![pool(), front()],
        step: window.rows,
        from: window.from,
        to: window.to,
    };
    let found = memory.ask(batch, &query);
    build(window, &[(pool(), goal), (front(), goal)], found).expect("both are known")
}

fn of(report: &Report, kind: Kind) -> &TargetReport {
    let mut targets = report.targets.iter();
    targets
        .find(|one| one.kind == kind.as_str())
        .expect("it is there")
}

fn overlap(outage: &Outage, from: Moment, to: Moment) -> Duration {
    let end = outage.end.unwrap_or(to).min(to);
    end.since(outage.start.max(from))
}

/// Some outages one after another, the last perhaps unended.
fn outages(rng: &mut Rng, from: Moment, to: Moment) -> Vec<Outage> {
    let mut all = Vec::new();
    let mut at = from;
    loop {
        let start = at.plus(Duration::from_millis(rng.u64(1..4 * 86_400_000)));
        let most = [500, 60_000, 7_200_000, 172_800_000][rng.usize(0..4)];
        let end = start.plus(Duration::from_millis(rng.u64(1..=most)));
        if start >= to {
            return all;
        }
        all.push(Outage {
            start,
            end: Some(end).filter(|end| *end <= to),
            cause: format!("no. {}", all.len()),
            planned: rng.bool(),
        });
        at = end;
    }
}

/// What a watcher would have seen, with looks and marks at any moment between.
fn live(
    model: &mut Model,
    memory: &mut Memory,
    target: &Target,
    all: &[Outage],
    to: Moment,
    rng: &mut Rng,
) {
    let mut at = start();
    let mut turns = Vec::new();
    for outage in all {
        turns.push((outage.start, down(&outage.cause, outage.planned)));
        turns.extend(outage.end.map(|end| (end, Seen::Up)));
    }
    model.see(target, Seen::Up);
    for (moment, seen) in turns.into_iter().chain([(to, Seen::Up)]) {
        while at < moment {
            at = at
                .plus(Duration::from_millis(rng.u64(1..10_800_000)))
                .min(moment);
            model.advance(at);
            if rng.u8(..) < 64 {
                memory.mark(model.take());
            }
        }
        if moment < to {
            model.see(target, seen);
        }
    }
}

#[test]
fn outages_of_known_length_in_a_simulated_month_give_the_exact_percent() {
    let seed = std::env::var("HOWDAH_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("HOWDAH_TEST_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    for _ in 0..20 {
        let to = start().plus(31 * DAY + Duration::from_millis(rng.u64(..86_400_000)));
        let all = outages(&mut rng, start(), to);
        let (mut model, mut memory) = (Model::new(start()), Memory::default());
        live(&mut model, &mut memory, &pool(), &all, to, &mut rng);
        let goal = Goal::of_thousandths(99_900);
        let report = report(&mut model, &mut memory, goal, 30 * DAY);
        let found = of(&report, Kind::Pool);

        let from = Step::Hour.floor(to.minus(30 * DAY));
        let sum = |planned: bool| -> Duration {
            let kind = all.iter().filter(|one| one.planned == planned);
            kind.map(|one| overlap(one, from, to)).sum()
        };
        let (failed, planned) = (sum(false).as_secs_f64(), sum(true).as_secs_f64());
        let counted = to.since(from).as_secs_f64() - planned;
        let percent = 100.0 * (counted - failed) / counted;
        assert_eq!(found.down_seconds, failed);
        assert_eq!(found.planned_seconds, planned);
        assert_eq!(found.unwatched_seconds, 0.0);
        assert!((found.available_percent.expect("watched") - percent).abs() < 1e-9);
        let budget = to.since(from).as_secs_f64() / 1000.0 - failed;
        assert!((found.budget_left_seconds.expect("a goal") - budget).abs() < 0.001);
        let told: Vec<_> = (found.outages.iter())
            .map(|one| {
                (
                    one.start.clone(),
                    one.end.clone(),
                    one.cause.clone(),
                    one.planned,
                )
            })
            .collect();
        let inside = all
            .iter()
            .filter(|one| one.end.is_none_or(|end| end > from));
        let expected: Vec<_> = inside
            .map(|one| {
                (
                    one.start.rfc3339(),
                    one.end.map(Moment::rfc3339),
                    one.cause.clone(),
                    one.planned,
                )
            })
            .collect();
        assert_eq!(told, expected);
        // The days of the report are the same time once more.
        let days: f64 = found.periods.iter().map(|one| one.down_seconds).sum();
        assert!(
            (days - failed).abs() < 1e-6,
            "{days} in days, {failed} in all"
        );
    }
}

#[test]
fn a_killed_howdah_was_an_outage_of_its_listeners_and_nobody_knows_of_its_pools() {
    let (mut model, mut memory) = (Model::new(start()), Memory::default());
    for target in [pool(), front()] {
        model.see(&target, Seen::Up);
    }
    model.advance(start().plus(2 * HOUR));
    memory.mark(model.take());
    // Half a minute that nobody wrote, then five minutes until somebody started it.
    let began = start().plus(2 * HOUR + Duration::from_secs(330));
    let mut model = Model::new(began);
    model.resume(memory.former().expect("marked"), began, |_| true);
    for target in [pool(), front()] {
        model.see(&target, Seen::Up);
    }
    model.advance(began.plus(HOUR));
    let report = report(&mut model, &mut memory, None, DAY);
    let (hive, front) = (of(&report, Kind::Pool), of(&report, Kind::Listener));
    assert_eq!((hive.watched_seconds, hive.down_seconds), (10_800.0, 0.0));
    assert!(hive.outages.is_empty());
    assert_eq!(
        (front.watched_seconds, front.down_seconds),
        (11_130.0, 330.0)
    );
    let [outage] = front.outages.as_slice() else {
        panic!("{:?}", front.outages);
    };
    assert_eq!(
        (outage.cause.as_str(), outage.planned, outage.seconds),
        (NOT_RUNNING, false, 330.0)
    );
}

#[test]
fn a_stop_by_order_is_planned_from_the_closed_listener_to_the_next_start() {
    let (mut model, mut memory) = (Model::new(start()), Memory::default());
    for target in [pool(), front()] {
        model.see(&target, Seen::Up);
    }
    model.advance(start().plus(HOUR));
    model.see(&front(), down(STOPPED, true));
    model.advance(start().plus(HOUR + Duration::from_secs(10)));
    memory.close(model.take());
    let began = start().plus(HOUR + Duration::from_secs(100));
    let mut model = Model::new(began);
    let former = memory.former().expect("marked");
    assert!(former.clean);
    model.resume(former, began, |_| true);
    let report = report(&mut model, &mut memory, None, DAY);
    let front = of(&report, Kind::Listener);
    assert_eq!((front.down_seconds, front.planned_seconds), (0.0, 100.0));
    assert_eq!(front.outages.len(), 1, "one outage: {:?}", front.outages);
    assert_eq!(
        (front.outages[0].seconds, front.available_percent),
        (100.0, Some(100.0))
    );
    assert_eq!(of(&report, Kind::Pool).planned_seconds, 0.0);
}

#[test]
fn an_outage_that_lasted_when_howdah_was_killed_ends_with_what_is_known() {
    let began = start().plus(2 * HOUR);
    let mut model = Model::new(began);
    let outage = Outage {
        start: start(),
        end: None,
        cause: "hs2: refused".into(),
        planned: false,
    };
    let former = Former {
        at: start().plus(HOUR),
        clean: false,
        states: vec![
            (pool(), State::Down(outage.clone())),
            (front(), State::Down(outage)),
            (Target::new(Kind::Listener, "gone"), State::Up),
        ],
    };
    model.resume(former, began, |target| &*target.name != "gone");
    let mut memory = Memory::default();
    let report = report(&mut model, &mut memory, None, DAY);
    let ends = |kind| -> Vec<f64> {
        of(&report, kind)
            .outages
            .iter()
            .map(|one| one.seconds)
            .collect()
    };
    assert_eq!(ends(Kind::Pool), [3600.0]);
    assert_eq!(ends(Kind::Listener), [3600.0, 3600.0]);
    assert_eq!(
        of(&report, Kind::Listener).down_seconds,
        3600.0,
        "the first hour was counted by the former"
    );
}

#[test]
fn nobody_has_a_verdict_yet_is_no_outage_of_one_that_is_new_and_one_of_one_that_served() {
    let undecided = || Seen::Undecided {
        cause: "no verdict yet".into(),
    };
    let mut model = Model::new(start());
    model.see(&pool(), undecided());
    model.advance(start().plus(HOUR));
    assert_eq!(model.state(&pool()), State::Unwatched);
    model.see(&pool(), Seen::Up);
    model.see(&pool(), undecided());
    assert!(
        matches!(model.state(&pool()), State::Down(outage) if outage.cause == "no verdict yet")
    );
    assert!(!model.see(&pool(), undecided()), "the same still");
    // From work by order to a failure is another outage.
    model.advance(start().plus(2 * HOUR));
    assert!(model.see(&pool(), down("all in maintenance", true)));
    assert!(!model.see(&pool(), down("another word", true)));
    model.retain(|_| false);
    assert_eq!(model.state(&pool()), State::Unwatched);
    let Batch { counted, .. } = model.take();
    let kinds: Vec<_> = counted[0]
        .1
        .outages
        .iter()
        .map(|one| (one.planned, one.end.is_some()))
        .collect();
    assert_eq!(
        kinds,
        [(false, false), (false, true), (true, false), (true, true)]
    );
}

#[test]
fn what_a_clock_leaps_over_was_not_watched() {
    let (mut model, mut memory) = (Model::new(start()), Memory::default());
    model.see(&pool(), down("down", false));
    model.advance(start().plus(HOUR));
    model.jump(start().plus(10 * HOUR));
    model.advance(start().plus(11 * HOUR));
    model.jump(start().plus(5 * HOUR));
    model.advance(start().plus(6 * HOUR));
    let report = report(&mut model, &mut memory, None, DAY);
    let hive = of(&report, Kind::Pool);
    assert_eq!(
        (hive.watched_seconds, hive.down_seconds),
        (10_800.0, 10_800.0)
    );
    assert_eq!(
        hive.outages.len(),
        2,
        "one of them is later than now: {:?}",
        hive.outages
    );
}

#[test]
fn sessions_are_a_share_of_those_that_count() {
    let (mut model, mut memory) = (Model::new(start()), Memory::default());
    model.see(&pool(), Seen::Up);
    model.add(
        &pool(),
        &Period {
            served: 999,
            failed: 1,
            ..Period::default()
        },
    );
    memory.mark(model.take());
    model.advance(start().plus(HOUR));
    model.add(
        &pool(),
        &Period {
            served: 1000,
            ..Period::default()
        },
    );
    let report = report(&mut model, &mut memory, None, DAY);
    assert_eq!(of(&report, Kind::Pool).sessions_percent, Some(99.95));
    assert_eq!(of(&report, Kind::Listener).sessions_percent, None);
    assert_eq!(Spans::default().available(), None);
}

#[test]
fn a_window_begins_with_a_row_of_the_finest_that_is_kept_for_so_long() {
    let to = start();
    let window = |length: Duration| Window::ending(to, length, Keep::ON_DISK);
    for (length, rows, shown) in [
        (HOUR, Step::Hour, Step::Hour),
        (2 * DAY, Step::Hour, Step::Hour),
        (RECENT, Step::Hour, Step::Day),
        (40 * DAY, Step::Day, Step::Day),
        (365 * DAY, Step::Day, Step::Month),
        (3 * 365 * DAY, Step::Month, Step::Month),
    ] {
        let found = window(length);
        assert_eq!((found.rows, found.shown), (rows, shown), "{length:?}");
        assert!(found.from <= to.minus(length) && rows.floor(found.from) == found.from);
    }
}
