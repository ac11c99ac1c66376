//! howdah as process 1 of a container: it buries orphans, hears the container's stop, and stays while successors serve.
//!
//! In a pid namespace of its own, as root; elsewhere that is said and skipped.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::eventually;
use crate::support::{Frame, Howdah, Site, TERM, exchange, plain, program, raw, run, soon};

const NAMESPACES: [&str; 4] = ["--fork", "--pid", "--mount-proc", "--kill-child"];

/// Whether this machine lets us make what a container is made of.
fn allowed() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(NAMESPACES).arg("true").stderr(Stdio::null());
    let may = unshare.status().is_ok_and(|status| status.success());
    if !may {
        eprintln!("SKIPPED: no pid namespace can be made here");
    }
    may
}

/// As process 1 of a pid namespace.
fn contained(command: Command) -> Command {
    before("unshare", &NAMESPACES.map(str::to_owned), &command)
}

/// The same command behind another one.
fn before(program: &str, words: &[String], command: &Command) -> Command {
    let mut all = Command::new(program);
    all.args(words)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => all.env(name, value),
            None => all.env_remove(name),
        };
    }
    all.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    all
}

/// The number of process 1, as it is seen out here.
async fn first(howdah: &Howdah) -> u32 {
    let parent = howdah.pid();
    let children = format!("/proc/{parent}/task/{parent}/children");
    let child = || fs::read_to_string(&children).unwrap().trim().parse().ok();
    eventually!(child().is_some());
    child().unwrap()
}

/// In the namespaces of that process.
fn inside(first: u32, command: &Command) -> Command {
    let words = ["--target", &first.to_string(), "--pid", "--mount", "--"];
    before("nsenter", &words.map(str::to_owned), command)
}

/// Whose parent is `parent`, by number and state; also those who have ended and were not buried.
fn children(parent: u32) -> Vec<(u32, char)> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut words = rest.split(' ');
        let state = words.next()?.chars().next()?;
        let of: u32 = words.next()?.parse().ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        (of == parent).then_some((pid, state))
    });
    all.collect()
}

/// Sessions one after the other, until told to stop; how many there were.
fn clients(howdah_at: std::net::SocketAddr, over: Arc<AtomicBool>) -> tokio::task::JoinHandle<u32> {
    let count = AtomicU32::new(0);
    tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            let mut stream = TcpStream::connect(howdah_at).await.unwrap();
            exchange(&mut stream, "served").await;
            count.fetch_add(1, Ordering::Relaxed);
        }
        count.into_inner()
    })
}

#[tokio::test]
async fn process_1_buries_orphans_and_stays_for_its_successors() {
    if !allowed() {
        return;
    }
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("front", &[server.address()], "");
    let mut howdah = Site::new().spawn(&config, contained);
    let first = first(&howdah).await;
    howdah.serves().await;

    // An orphan, whose end comes when we say so.
    let mut orphan = Command::new("sh");
    orphan.args(["-c", "exec 3<&0; (cat <&3 >/dev/null 2>&1 &)"]);
    let mut orphan = inside(first, &orphan);
    let mut orphan = orphan.stdin(Stdio::piped()).spawn().unwrap();
    let mut life = orphan.stdin.take().unwrap();
    life.write_all(b"x").unwrap();
    assert!(orphan.wait().unwrap().success());
    eventually!(children(first).len() == 1);
    drop(life);
    let ended = Instant::now();
    eventually!(children(first).is_empty());
    assert!(
        ended.elapsed() < Duration::from_secs(2),
        "{:?}",
        ended.elapsed()
    );

    // Another takes over in there, and nobody notices.
    let mut session = howdah.connect("front").await;
    exchange(&mut session, "before").await;
    let over = Arc::new(AtomicBool::new(false));
    let load = clients(howdah.address("front").await, Arc::clone(&over));
    for generation in ["process 1 ", "process "] {
        let mut upgrade = program();
        upgrade
            .args(["upgrade", "--force", "--config"])
            .arg(howdah.configuration());
        upgrade.env("RUNTIME_DIRECTORY", howdah.dir());
        let output = run(inside(first, &upgrade)).await;
        let told = String::from_utf8_lossy(&output.stdout);
        let from = format!("took over from {generation}");
        assert!(told.contains(&from), "{output:?}");
    }
    exchange(&mut session, "with the first one").await;
    drop(session);
    // It has nothing left, and stays all the same.
    eventually!(howdah.status().await["predecessors"].is_null());
    over.store(true, Ordering::Relaxed);
    assert!(soon(load).await.unwrap() > 0);
    assert!(!howdah.has_ended());
    // The one between has ended, and is buried.
    eventually!(matches!(children(first)[..], [(_, state)] if state != 'Z'));

    // The container's stop is the successor's.
    drains_on_sigterm(howdah, first).await;
}

#[tokio::test]
async fn process_1_alone_drains_on_sigterm() {
    if !allowed() {
        return;
    }
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Site::new().spawn(&plain("front", &[server.address()], ""), contained);
    let first = first(&howdah).await;
    howdah.serves().await;
    drains_on_sigterm(howdah, first).await;
}

/// Told to its process 1, from outside.
async fn drains_on_sigterm(mut howdah: Howdah, first: u32) {
    let mut session = howdah.connect("front").await;
    exchange(&mut session, "open").await;
    let first = rustix::process::Pid::from_raw(first.cast_signed()).unwrap();
    rustix::process::kill_process(first, TERM).unwrap();
    eventually!(howdah.status().await["state"] == "draining");
    exchange(&mut session, "drains").await;
    drop(session);
    assert_eq!(howdah.exit().await.code(), Some(0));
}
