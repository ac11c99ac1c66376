//! The file: a year of it, and whatever may be wrong with one.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use fastrand::Rng;
use tempfile::TempDir;

use super::keep::Keep;
use super::open::open;
use super::rows::Rows;
use super::writer::Writer;
use super::{Found, Query};
use crate::availability::calendar::{Moment, Step};
use crate::availability::ledger::Seen;
use crate::availability::model::{Batch, Model};
use crate::availability::period::Period;
use crate::availability::target::{Kind, Target};
use crate::plan::{PoolName, ServerName};
use crate::telemetry::journal::{Event, Kind as What};
use crate::telemetry::sketch::LiveSketch;
use crate::telemetry::timelines::{Figures, POINTS, STEP, Timelines};
use crate::telemetry::{Metrics, Times};

const HOUR: Duration = Duration::from_secs(3600);

/// A store without its thread.
struct Desk(Writer);

impl Desk {
    fn at(path: &Path) -> Self {
        let failures = Metrics::new().history_failures();
        Self(Writer::new(
            Some(path.into()),
            Keep::ON_DISK,
            Default::default(),
            failures,
        ))
    }

    fn mark(&mut self, batch: Batch) {
        self.0.mark(batch, false);
    }

    fn found(&mut self, step: Step) -> Found {
        let query = Query {
            targets: vec![hive()],
            step,
            from: Moment::default(),
            to: Moment::of_millis(u64::MAX),
        };
        self.0.find(&query).remove(0)
    }
}

fn hive() -> Target {
    Target::new(Kind::Pool, "hive")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary directory")
}

fn start() -> Moment {
    Moment::of_millis(1_793_491_200_000)
}

/// One hour of one pool, up.
fn an_hour() -> Batch {
    let mut model = Model::new(start());
    model.see(&hive(), Seen::Up);
    model.advance(start().plus(HOUR));
    model.take()
}

fn watched(found: &Found) -> Duration {
    found
        .periods
        .iter()
        .map(|(_, period)| period.spans.watched)
        .sum()
}

fn aside(folder: &TempDir) -> Vec<String> {
    let files = fs::read_dir(folder.path()).expect("a folder");
    let names = files.map(|file| {
        file.expect("listed")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    names.filter(|name| name.contains(".aside-")).collect()
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = folder();
    let path = folder.path().join("history.redb");
    let mut desk = Desk::at(&path);
    desk.mark(an_hour());
    drop(desk);
    let mut desk = Desk::at(&path);
    for step in [Step::Hour, Step::Day, Step::Month] {
        assert_eq!(watched(&desk.found(step)), HOUR, "{step}");
    }
    let again = an_hour();
    desk.mark(again);
    assert_eq!(watched(&desk.found(Step::Day)), 2 * HOUR, "marks add up");
    assert!(aside(&folder).is_empty());
}

#[test]
fn the_last_hour_of_time_lines_is_there_after_a_restart_and_nothing_older() {
    let folder = folder();
    let path = folder.path().join("history.redb");
    let (mut desk, lines) = (Desk::at(&path), Timelines::default());
    let (pool, server) = (PoolName::new("hive"), ServerName::new("hs2"));
    let mut reached = 0;
    for step in 0..500u32 {
        let now = start().plus(step * STEP);
        let figures = Figures {
            active: step.into(),
            ..Figures::default()
        };
        let wall = UNIX_EPOCH + Duration::from_millis(now.millis());
        lines.sample(wall, [(&pool, &server, figures)]);
        if step % 3 == 2 || step == 499 {
            let piece = lines.save(reached);
            reached = piece.as_ref().map_or(reached, |piece| piece.end);
            desk.mark(Batch {
                at: now,
                lines: piece,
                ..Batch::default()
            });
        }
    }
    drop(desk);
    let rows = Rows::open(&path).expect("a history");
    let after = Timelines::default();
    after.restore(&rows.lines().expect("read"));
    let (all, wanted) = (after.of(POINTS, |_, _| true), lines.of(POINTS, |_, _| true));
    assert_eq!(all, wanted);
    assert_eq!(rows.pieces().expect("counted"), 121, "those of an hour");
}

#[test]
fn what_is_no_history_is_set_aside_and_a_new_one_begins() {
    let good = {
        let folder = folder();
        let path = folder.path().join("history.redb");
        Desk::at(&path).mark(an_hour());
        fs::read(&path).expect("it is there")
    };
    let cut = good[..good.len() / 2].to_vec();
    let mut rng = Rng::with_seed(7);
    let mut torn = good.clone();
    torn.iter_mut()
        .skip(4096)
        .for_each(|byte| *byte = rng.u8(..));
    for (what, bytes) in [
        (
            "a text",
            b"[history]\nfile = \"history.redb\"\n".repeat(500),
        ),
        ("a short text", b"hello".to_vec()),
        ("cut in half", cut),
        ("overwritten", torn),
    ] {
        let folder = folder();
        let path = folder.path().join("history.redb");
        fs::write(&path, &bytes).expect("writes");
        let mut desk = Desk::at(&path);
        desk.mark(an_hour());
        assert_eq!(watched(&desk.found(Step::Hour)), HOUR, "{what}");
        drop(desk);
        assert_eq!(
            watched(&Desk::at(&path).found(Step::Hour)),
            HOUR,
            "{what}, again"
        );
        let aside = aside(&folder);
        assert_eq!(aside.len(), 1, "{what}: {aside:?}");
        let kept = fs::read(folder.path().join(&aside[0])).expect("it is there");
        assert_eq!(kept.len(), bytes.len(), "{what}");
    }
}

#[test]
fn a_byte_that_changed_anywhere_is_never_a_reason_not_to_start() {
    let folder = folder();
    let path = folder.path().join("history.redb");
    Desk::at(&path).mark(an_hour());
    let good = fs::read(&path).expect("it is there");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    for _ in 0..40 {
        let mut bytes = good.clone();
        let place = rng.usize(..bytes.len());
        bytes[place] ^= 1 << rng.u8(..8);
        fs::write(&path, &bytes).expect("writes");
        let mut desk = Desk::at(&path);
        desk.mark(an_hour());
        assert!(watched(&desk.found(Step::Hour)) >= HOUR, "byte {place}");
    }
}

#[test]
fn a_file_of_a_newer_howdah_is_set_aside() {
    let folder = folder();
    let path = folder.path().join("history.redb");
    let newer = redb::Database::create(&path).expect("made");
    let about: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("about");
    let writing = newer.begin_write().expect("writes");
    writing
        .open_table(about)
        .expect("a table")
        .insert("format", 99)
        .expect("inserts");
    writing.commit().expect("commits");
    drop(newer);
    assert!(open(&path).is_some());
    assert_eq!(aside(&folder).len(), 1);
}

#[test]
fn the_second_howdah_of_a_file_keeps_its_history_in_memory() {
    let folder = folder();
    let path = folder.path().join("history.redb");
    let mut first = Desk::at(&path);
    first.mark(an_hour());
    let mut second = Desk::at(&path);
    assert_eq!(watched(&second.found(Step::Hour)), Duration::ZERO);
    second.mark(an_hour());
    assert_eq!(watched(&second.found(Step::Hour)), HOUR);
    assert_eq!(watched(&first.found(Step::Hour)), HOUR);
    assert!(aside(&folder).is_empty(), "nobody takes it from the first");
}

#[test]
fn a_folder_that_is_not_there_is_no_reason_not_to_start() {
    let mut desk = Desk::at(Path::new("/nonexistent/history.redb"));
    desk.mark(an_hour());
    assert_eq!(watched(&desk.found(Step::Hour)), HOUR);
}

#[test]
fn what_cannot_be_written_waits_and_is_written_when_it_can() {
    let folder = folder();
    let path = folder.path().join("history.redb");
    let mut desk = Desk::at(&path);
    desk.0.fail("a test asked for it");
    assert_eq!(desk.0.failures(), 1);
    // Somebody else has the file meanwhile.
    let other = Rows::open(&path).expect("free");
    desk.mark(an_hour());
    assert_eq!(desk.0.failures(), 2);
    assert_eq!(
        watched(&desk.found(Step::Hour)),
        HOUR,
        "counted all the same"
    );
    drop(other);
    desk.mark(Batch {
        at: start().plus(HOUR),
        ..Batch::default()
    });
    drop(desk);
    assert_eq!(watched(&Desk::at(&path).found(Step::Hour)), HOUR);
}

/// An hour of a pool that has much to do: forty buckets of each sketch.
fn busy(rng: &mut Rng) -> Period {
    let live = Times::<LiveSketch>::default();
    for _ in 0..100 {
        let took = Duration::from_micros(1 << rng.u32(5..22)).mul_f64(1.0 + rng.f64());
        for sketch in [&live.connect, &live.first_byte, &live.turn] {
            sketch.observe(took);
        }
    }
    Period {
        served: rng.u64(..100_000),
        failed: rng.u64(..9),
        times: Times {
            connect: live.connect.take(),
            first_byte: live.first_byte.take(),
            turn: live.turn.take(),
        },
        ..Period::default()
    }
}

#[test]
fn a_year_of_ten_pools_and_ten_listeners_is_small_and_bounded() {
    let folder = folder();
    let path = folder.path().join("history.redb");
    let mut desk = Desk::at(&path);
    let targets: Vec<Target> = (0..10)
        .flat_map(|one| {
            [Kind::Pool, Kind::Listener].map(|kind| Target::new(kind, &format!("hive-{one}")))
        })
        .collect();
    let (mut model, mut rng) = (Model::new(start()), Rng::with_seed(11));
    let hours: Vec<_> = (0..16).map(|_| busy(&mut rng)).collect();
    let began = Instant::now();
    let mut seq = 0;
    for hour in 1..=365 * 24u32 {
        for target in &targets {
            let seen = match rng.u8(..) {
                0 => Seen::Down {
                    cause: "hs2-1: connection refused; ".repeat(4),
                    planned: rng.bool(),
                },
                _ => Seen::Up,
            };
            model.see(target, seen);
            let mut figures = hours[rng.usize(..hours.len())].clone();
            if target.kind == Kind::Listener {
                figures.times = Times::default();
            }
            model.add(target, &figures);
        }
        model.advance(start().plus(HOUR * hour));
        // Once a day, and at the end as often as a file is fragmented by.
        if hour % 24 == 0 || hour > 365 * 24 - 100 {
            let mut batch = model.take();
            for _ in 0..60 {
                seq += 1;
                let text = "hs2-1.example.com:10000 went down: connection refused, as was written at length";
                let mut event = Event::warning(What::Health, text)
                    .pool("hive")
                    .server("hs2-1");
                event.seq = seq;
                batch.events.push(event.into());
            }
            desk.mark(batch);
        }
    }
    let written = began.elapsed();
    let size = fs::metadata(&path).expect("it is there").len();
    println!("a year: {size} bytes, written in {written:?}");
    assert!(size < 50 * 1024 * 1024, "{size} bytes");
    drop(desk);
    let mut desk = Desk::at(&path);
    let query = |step| Query {
        targets: targets.clone(),
        step,
        from: Moment::default(),
        to: Moment::of_millis(u64::MAX),
    };
    let rows = |desk: &mut Desk, step| desk.0.find(&query(step))[0].periods.len();
    assert_eq!(rows(&mut desk, Step::Hour), 35 * 24, "hours of 35 days");
    assert_eq!(rows(&mut desk, Step::Day), 365);
    assert!((12..=13).contains(&rows(&mut desk, Step::Month)));
    let compacted = fs::metadata(&path).expect("it is there").len();
    assert!(
        compacted <= size,
        "{compacted} bytes after it was opened again"
    );
}
