//! The file as a former howdah, a disk and another howdah leave it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tokio::sync::{mpsc, watch};

use super::format::Damage;
use super::writer::{Wanted, Writer};
use super::{Memory, StateFile, StateView, decode, disk, encode};
use crate::plan::ServerName;
use crate::pool::{Change, Order, OrderMemo, Origin, Pool, Remembered, StickyMemo, Who};
use crate::telemetry::Metrics;

fn memory(clients: &[[u8; 4]]) -> Memory {
    let order = OrderMemo {
        server: "hs2-1".into(),
        admin: "draining".into(),
        ordered: Some(Who {
            by: "uid 0".into(),
            at: 1_800_000_000_000,
        }),
        left: Some(60_000),
        weight: 3,
        planned: 1,
        weighed: None,
    };
    let known = Remembered {
        orders: vec![order],
        verdicts: Vec::new(),
        sticky: vec![StickyMemo {
            server: "hs2-2".into(),
            clients: clients
                .iter()
                .map(|one| ((*one).into(), Some(1_000)))
                .collect(),
        }],
    };
    Memory {
        generation: 7,
        pid: 4711,
        howdah: "0.1.0".into(),
        saved_at: 1_800_000_000_123,
        pools: BTreeMap::from([("hive \"1\"".into(), known)]),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_what_was_changed_is_not(clients: Vec<[u8; 4]>, at: prop::sample::Index, to: u8) {
        let memory = memory(&clients);
        let mut bytes = encode(&memory);
        prop_assert_eq!(decode(&bytes), Ok(memory.clone()));
        let at = at.index(bytes.len());
        prop_assert!(at + 2 > bytes.len() || decode(&bytes[..at]).is_err(), "cut");
        bytes[at] = to;
        if let Ok(read) = decode(&bytes) {
            prop_assert_eq!(read, memory);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes).is_err());
    }
}

#[test]
fn each_damage_has_its_word() {
    let good = String::from_utf8(encode(&memory(&[]))).expect("text");
    let of = |text: &str| decode(text.as_bytes()).expect_err("no memory");
    assert_eq!(of(""), Damage::Foreign);
    assert_eq!(of("[pool]\nname = 1\n"), Damage::Foreign);
    assert_eq!(of("{\"format\":\"else\",\"version\":1}"), Damage::Foreign);
    assert_eq!(
        of("{\"format\":\"howdah-state\",\"version\":2}"),
        Damage::Version(2)
    );
    assert_eq!(
        of("{\"format\":\"howdah-state\",\"version\":0}"),
        Damage::Version(0)
    );
    for (from, to) in [
        ("\"generation\":7", "\"generation\":8"),
        ("60000", "60001"),
        ("4711", "4712"),
        ("0.1.0", "0.1.1"),
    ] {
        let changed = of(&good.replacen(from, to, 1));
        assert_eq!(
            changed.to_string(),
            "is damaged: its checksum is wrong",
            "{from}"
        );
    }
    let cut = of(&good[..good.len() - 9]);
    assert!(cut.to_string().starts_with("is damaged: "), "{cut}");
    assert_eq!(
        decode(&vec![b' '; super::format::MOST + 1]),
        Err(Damage::TooLarge)
    );
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_and_not_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    assert!(matches!(disk::load(&path), Ok(None)));
    for number in 0..5 {
        fs::write(&path, format!("nonsense {number}")).expect("writes");
        let unread = disk::load(&path).expect_err("nonsense").to_string();
        assert!(
            unread.starts_with("is no state file of howdah; it is kept as "),
            "{unread}"
        );
        // Names are as fine as the clock's milliseconds.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let names = names(folder.path());
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("state.json.damaged-20")),
        "{names:?}"
    );
    let newest = fs::read_to_string(folder.path().join(&names[2])).expect("reads");
    assert_eq!(newest, "nonsense 4");
    fs::create_dir(&path).expect("a folder");
    assert!(disk::load(&path).is_err() && path.is_dir());
}

#[test]
fn a_howdah_that_ended_while_it_wrote_leaves_the_former_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    let whole = memory(&[[10, 0, 0, 1]]);
    disk::write(&path, &encode(&whole)).expect("writes");
    // No process has so large a number.
    let half = folder.path().join("state.json.999999999.new");
    fs::write(&half, &encode(&whole)[..100]).expect("writes");
    let living = folder
        .path()
        .join(format!("state.json.{}.new", std::process::id()));
    fs::write(&living, "").expect("writes");
    assert_eq!(disk::load(&path).ok().flatten(), Some(whole));
    disk::tidy(&path);
    assert!(!half.exists() && living.exists());
    assert!(disk::write(&folder.path().join("gone/state.json"), b"").is_err());
    assert_eq!(
        disk::author(&path).map(|head| (head.generation, head.pid)),
        Some((7, 4711))
    );
}

/// A pool of one server, without a probe.
fn pool(metrics: &Metrics) -> Arc<Pool> {
    let (pool, keeper) = Pool::new(crate::pool::plan_of("p", &["a"]), metrics);
    tokio::spawn(keeper.run());
    pool
}

/// Sooner than what changes by itself is written.
async fn soon(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{what} did not come"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn order(pool: &Pool, order: Order) {
    let change = Change::Order {
        server: ServerName::new("a"),
        order,
        given: Origin::by("uid 7"),
    };
    pool.send(change).await.expect("a member");
}

#[tokio::test]
async fn an_order_is_written_at_once_and_a_disk_that_cannot_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("later/state.json");
    let metrics = Metrics::new();
    let pool = pool(&metrics);
    let (state, memory) = StateFile::open(Some(&path), &metrics).expect("a thread");
    assert!(memory.is_none());
    let (view, pools) = (state.view(), [Arc::clone(&pool)]);
    state.follow(Some(&path), &pools);
    soon("a failure", || view.now().error.is_some()).await;
    let error = view.now().error.clone().unwrap_or_default();
    assert!(error.contains("; make the folder: install -d "), "{error}");
    order(&pool, Order::Maintenance).await;
    order(&pool, Order::Drain).await;
    fs::create_dir(folder.path().join("later")).expect("a folder");
    order(&pool, Order::Maintenance).await;
    soon("the file", || view.now().saved_at.is_some()).await;
    let written = |path: &Path| {
        let read = disk::load(path).ok().flatten()?;
        let order = read.pools.get("p")?.orders.first()?.clone();
        Some((order.admin, order.ordered.map(|who| who.by)))
    };
    soon("the order", || {
        written(&path) == Some(("maintenance".into(), Some("uid 7".into())))
    })
    .await;
    assert_eq!(view.now().error, None);
    let told = metrics
        .journal()
        .newest(9, |event| event.kind.as_str() == "state");
    let told: Vec<_> = told
        .events
        .iter()
        .map(|event| event.severity.as_str())
        .collect();
    assert_eq!(told, ["warning", "info"]);

    // Another path, by a reload.
    let other = folder.path().join("other.json");
    state.follow(Some(&other), &pools);
    soon("the other file", || written(&other).is_some()).await;
    assert_eq!(view.now().file.as_deref(), Some(other.as_path()));
    order(&pool, Order::Ready).await;
    soon("nothing ordered", || written(&other).is_none()).await;
    assert!(written(&path).is_some(), "the former one stays as it was");
}

#[tokio::test]
async fn a_howdah_that_began_later_has_the_last_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    let metrics = Metrics::new();
    let pool = pool(&metrics);
    let (state, _) = StateFile::open(Some(&path), &metrics).expect("a thread");
    let view = state.view();
    state.follow(Some(&path), &[Arc::clone(&pool)]);
    soon("the file", || view.now().saved_at.is_some()).await;
    let former = disk::author(&path).expect("ours");
    let newer = Memory {
        generation: former.generation + 1,
        pid: 1,
        ..memory(&[])
    };
    disk::write(&path, &encode(&newer)).expect("writes");
    order(&pool, Order::Drain).await;
    soon("the word of another", || view.now().error.is_some()).await;
    let error = view.now().error.clone().unwrap_or_default();
    assert!(error.starts_with("process 1, "), "{error}");
    state.close(Duration::from_secs(4)).await;
    assert_eq!(disk::load(&path).ok().flatten(), Some(newer.clone()));

    // And whoever begins after that goes on from there.
    let (_, memory) = StateFile::open(Some(&path), &metrics).expect("a thread");
    assert_eq!(memory, Some(newer));
}

/// In containers that share a disk each is process 1.
#[tokio::test]
async fn a_howdah_of_the_same_number_that_began_later_has_the_last_word_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    let metrics = Metrics::new();
    let pool = pool(&metrics);
    let (state, _) = StateFile::open(Some(&path), &metrics).expect("a thread");
    let view = state.view();
    state.follow(Some(&path), &[Arc::clone(&pool)]);
    soon("the file", || view.now().saved_at.is_some()).await;
    let former = disk::author(&path).expect("ours");
    let newer = Memory {
        generation: former.generation + 1,
        pid: former.pid,
        ..memory(&[])
    };
    disk::write(&path, &encode(&newer)).expect("writes");
    order(&pool, Order::Drain).await;
    soon("the word of another", || view.now().error.is_some()).await;
    assert_eq!(disk::load(&path).ok().flatten(), Some(newer));
}

#[tokio::test(start_paused = true)]
async fn news_of_a_pool_do_not_put_the_file_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    let metrics = Metrics::new();
    let pool = pool(&metrics);
    let (wanted, follows) = watch::channel(Wanted::default());
    let (_closes, closing) = mpsc::channel(1);
    let writer = Writer::new(7, StateView::default(), &metrics);
    tokio::spawn(writer.serve(follows, closing));
    wanted.send_replace(Wanted {
        file: Some(path.clone()),
        pools: vec![Arc::clone(&pool)],
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    fs::remove_file(&path).expect("it was written");
    for _ in 0..40 {
        let plan = Arc::clone(pool.load().plan());
        pool.send(Change::Plan(plan)).await.expect("a keeper");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(path.exists(), "for twenty seconds");
}

#[test]
fn a_pipe_in_its_place_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    let kind = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).expect("a pipe");
    let (done, waits) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send((disk::load(&path).is_err(), disk::author(&path))));
    let read = waits.recv_timeout(Duration::from_secs(4));
    assert_eq!(read, Ok((true, None)));
}

/// Prints what a large table costs: `HOWDAH_TEST_STATE_CLIENTS=100000`.
#[tokio::test]
async fn a_large_table_is_written_and_read() {
    let count = std::env::var("HOWDAH_TEST_STATE_CLIENTS");
    let count: u32 = count.map_or(2_000, |count| count.parse().expect("a number"));
    let metrics = Metrics::new();
    let (pool, keeper) = Pool::new(
        crate::pool::sticky_plan_of("p", &["a"], 1_000_000),
        &metrics,
    );
    tokio::spawn(keeper.run());
    for number in 0..count {
        let client = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
        let learned = pool.learn(
            client.into(),
            &ServerName::new("a"),
            Duration::from_secs(50),
        );
        assert!(learned);
    }
    let began = Instant::now();
    let memory = super::gather(&[Arc::clone(&pool)], 1);
    let gathered = began.elapsed();
    let bytes = encode(&memory);
    let encoded = began.elapsed();
    let folder = tempfile::tempdir().expect("a folder");
    disk::write(&folder.path().join("state.json"), &bytes).expect("writes");
    let written = began.elapsed();
    let read = decode(&bytes).expect("ours");
    println!(
        "{count} clients: {} bytes; gathered {gathered:?}, encoded {:?}, written {:?}, read {:?}",
        bytes.len(),
        encoded - gathered,
        written - encoded,
        began.elapsed() - written
    );
    assert_eq!(read, memory);
}

/// It holds addresses of clients, and whoever may write beside it must not choose what is written over.
#[test]
fn only_its_owner_reads_the_file_and_no_link_is_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    let other = folder.path().join("other");
    fs::write(&other, "somebody's").expect("writes");
    let new = format!("state.json.{}.new", std::process::id());
    symlink(&other, folder.path().join(&new)).expect("links");
    disk::write(&path, b"ours").expect("writes");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read(&path).expect("reads"), b"ours");
    assert_eq!(fs::read(&other).expect("reads"), b"somebody's");
    // What cannot be put in its place leaves nothing behind.
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("by a folder")).expect("made");
    assert!(disk::write(&taken, b"ours").is_err());
    assert_eq!(names(folder.path()), ["other", "state.json", "taken"]);
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_older() {
    use std::time::SystemTime;
    let memory = memory(&[]);
    let saved = SystemTime::UNIX_EPOCH + Duration::from_millis(memory.saved_at);
    let second = Duration::from_secs(1);
    assert_eq!(memory.age(saved + second), second);
    assert_eq!(memory.age(saved - second), Duration::ZERO);
}

/// A writer of its own, on the clock of the test; it wants that file from now on.
fn writing(
    generation: u64,
    path: &Path,
    pool: &Arc<Pool>,
    metrics: &Metrics,
) -> (watch::Sender<Wanted>, impl Sized) {
    let (wanted, follows) = watch::channel(Wanted::default());
    let (closes, closing) = mpsc::channel(1);
    let writer = Writer::new(generation, StateView::default(), metrics);
    tokio::spawn(writer.serve(follows, closing));
    wanted.send_replace(Wanted {
        file: Some(path.to_owned()),
        pools: vec![Arc::clone(pool)],
    });
    (wanted, closes)
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_written_is_owed_and_what_runs_by_itself_is_no_news() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("later/state.json");
    let metrics = Metrics::new();
    let pool = pool(&metrics);
    let drain = Change::Order {
        server: ServerName::new("a"),
        order: Order::Drain,
        given: Origin {
            until: Some(tokio::time::Instant::now() + Duration::from_secs(3600)),
            ..Origin::by("uid 7")
        },
    };
    pool.send(drain).await.expect("a member");
    let _writing = writing(7, &path, &pool, &metrics);
    tokio::time::sleep(Duration::from_secs(1)).await;
    fs::create_dir(folder.path().join("later")).expect("a folder");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(path.exists(), "without news");
    fs::remove_file(&path).expect("removed");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!path.exists(), "its minutes run, and nothing else changed");
}

#[tokio::test(start_paused = true)]
async fn of_two_that_began_at_once_the_one_that_wrote_first_has_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    let metrics = Metrics::new();
    let pool = pool(&metrics);
    for (generation, pid, is_ours) in [
        (8, 1, true),
        (7, 1, false),
        (7, std::process::id(), true),
        (6, 1, false),
    ] {
        let former = Memory {
            generation: 7,
            pid,
            ..memory(&[])
        };
        disk::write(&path, &encode(&former)).expect("writes");
        let _writing = writing(generation, &path, &pool, &metrics);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let written = disk::load(&path).ok().flatten().expect("a memory");
        assert_eq!(written != former, is_ours, "{generation} {pid}");
    }
}

/// Also where the clock was far ahead when the former one was written.
#[tokio::test]
async fn each_start_has_a_larger_generation_and_the_end_writes_what_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    let former = Memory {
        generation: u64::MAX - 7,
        ..memory(&[])
    };
    disk::write(&path, &encode(&former)).expect("writes");
    let metrics = Metrics::new();
    let plan = crate::pool::sticky_plan_of("p", &["a"], 100);
    let (pool, keeper) = Pool::new(plan, &metrics);
    tokio::spawn(keeper.run());
    let (state, memory) = StateFile::open(Some(&path), &metrics).expect("a thread");
    assert_eq!(memory, Some(former));
    state.follow(Some(&path), &[Arc::clone(&pool)]);
    let view = state.view();
    soon("the file", || view.now().saved_at.is_some()).await;
    let author = disk::author(&path).expect("ours");
    assert_eq!(author.generation, u64::MAX - 6);
    let minute = Duration::from_secs(50);
    assert!(pool.learn([10, 0, 0, 1].into(), &ServerName::new("a"), minute));
    state.close(Duration::from_secs(4)).await;
    let written = disk::load(&path).ok().flatten().expect("a memory");
    assert_eq!(written.pools["p"].sticky[0].clients.len(), 1);
}

#[test]
fn a_table_that_the_file_cannot_hold_keeps_those_with_the_longest_time() {
    let bound = super::format::MOST / 64;
    let client = |number: usize| {
        let number = u32::try_from(number).expect("few");
        std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(number))
    };
    let mut clients: Vec<_> = (0..bound)
        .map(|number| (client(number), Some(10)))
        .collect();
    clients[1].1 = None;
    clients.extend((bound..bound + 100).map(|number| (client(number), Some(20))));
    let mut large = memory(&[]);
    let known = large.pools.values_mut().next().expect("a pool");
    known.sticky[0].clients = clients;
    let kept = super::bounded(large);
    let kept = &kept.pools.values().next().expect("a pool").sticky[0].clients;
    assert_eq!(kept.len(), bound);
    assert_eq!(kept[0], (client(1), None), "it has a session");
    assert!(kept[1..=100].iter().all(|(_, left)| *left == Some(20)));
}
