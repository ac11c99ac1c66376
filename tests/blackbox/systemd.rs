//! What a service manager sees: when howdah serves, reads a file, drains, who it is by now, that it is alive; and the sockets that
//! it opened for howdah.
//!
//! sd_notify(3), `WATCHDOG_USEC` and sd_listen_fds(3) are spoken here as systemd speaks them; systemd itself starts howdah in
//! `tests/real/test_package.py`.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::unistd::Pid;
use rustix::time::{ClockId, clock_gettime};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::eventually;
use crate::support::{
    Frame, HUP, Howdah, Manager, Site, StandInListener, TERM, at_once, exchange, plain, program,
    raw, run, soon,
};

fn echo() -> (String, StandInListener) {
    let server = raw::echo(&Frame::default()).unwrap();
    (plain("front", &[server.address()], ""), server)
}

/// A listener whose server takes connections and never answers: it waits for the first verdict.
async fn undecided(name: &str) -> (String, tokio::net::TcpListener) {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = plain(name, &[silent.local_addr().unwrap()], "")
        .replace("service = \"tcp\"", "service = \"hiveserver2\"")
        .replace(
            "probe = \"none\"",
            "probe = { timeout = \"2m\", interval = \"5m\" }",
        );
    (config, silent)
}

fn started(manager: &Manager, config: &str, watchdog: u64) -> Howdah {
    Site::new().spawn(config, |command| manager.starts(command, watchdog))
}

#[tokio::test]
async fn it_is_ready_when_the_last_listener_serves_and_not_before() {
    let site = Site::new();
    let manager = Manager::in_folder(site.path());
    let (config, _server) = echo();
    let (waits, silent) = undecided("hive").await;
    let mut howdah = site.spawn(&format!("{config}{waits}"), |command| {
        manager.starts(command, 0)
    });
    let mut session = howdah.connect("front").await;
    exchange(&mut session, "this one serves").await;
    let asked = soon(silent.accept()).await.unwrap();
    let said = manager.until_now().await;
    assert!(said.is_empty(), "{said:?}");

    drop((asked, silent));
    let (_, ready) = manager.hears(0, |said| said.has("READY=1")).await;
    assert_eq!(ready.pid, howdah.pid());
    assert_eq!(ready.value("STATUS"), Some("serving"));
    // The number that a container knows is of no use outside.
    assert_eq!(ready.value("MAINPID"), None);
    assert_eq!(manager.until_now().await.len(), 1);

    howdah.signal(TERM);
    let (_, stopping) = manager.hears(1, |said| said.has("STOPPING=1")).await;
    let status = stopping.value("STATUS").unwrap();
    assert!(status.contains("draining, 1 session"), "{status}");
    drop(session);
    assert_eq!(howdah.exit().await.code(), Some(0));
}

fn monotonic() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// sd_notify(3): whoever says RELOADING=1 must say READY=1 when it is over, however it went, or the unit hangs.
#[tokio::test]
async fn each_reload_begins_and_ends_also_one_that_is_refused() {
    let manager = Manager::new();
    let (config, _server) = echo();
    let howdah = started(&manager, &config, 0);
    let (mut at, _) = manager.hears(0, |said| said.has("READY=1")).await;
    let faulty = format!("{config}\n[pool.nonsense]\n");
    for (config, status) in [
        (&config, None),
        (&faulty, Some("nonsense")),
        (&config, None),
    ] {
        howdah.configure(config);
        let before = monotonic();
        howdah.signal(HUP);
        let (next, reloading) = manager.hears(at, |_| true).await;
        assert!(reloading.has("RELOADING=1"), "{reloading:?}");
        let began: i64 = reloading.value("MONOTONIC_USEC").unwrap().parse().unwrap();
        assert!((before..=monotonic()).contains(&began), "{began}");
        let (next, over) = manager.hears(next, |_| true).await;
        assert!(over.has("READY=1"), "{over:?}");
        let said = over.value("STATUS").unwrap();
        match status {
            None => assert_eq!(said, "serving"),
            Some(why) => assert!(
                said.starts_with("serving; a reload was refused") && said.contains(why),
                "{said}"
            ),
        }
        at = next;
    }
    assert_eq!(manager.until_now().await.len(), at);
}

#[tokio::test]
async fn a_successor_is_the_main_process_and_has_the_watchdog_alone() {
    let manager = Manager::new();
    let (config, _server) = echo();
    let old = started(&manager, &config, 450_000);
    let mut session = old.connect("front").await;
    exchange(&mut session, "stays").await;
    let (at, _) = manager.hears(0, |said| said.beats()).await;
    let new = old.takeover_by(|command| manager.starts(command, 0));
    let (at, ready) = manager.hears(at, |said| said.has("READY=1")).await;
    assert_eq!(ready.pid, new.pid());
    assert_eq!(ready.value("MAINPID"), Some(new.pid().to_string().as_str()));
    manager
        .hears(at, |said| said.pid == new.pid() && said.beats())
        .await;

    // It tells its successor what it has only when it has given everything up.
    eventually!(new.status().await["predecessors"][0]["sessions"] == 1);
    let mut at = manager.until_now().await.len();
    for _ in 0..4 {
        let (next, said) = manager.hears(at, |said| said.beats()).await;
        // One that drains must not speak for one that hangs.
        assert_eq!(said.pid, new.pid(), "the old one beats too");
        at = next;
    }
    exchange(&mut session, "still the old one's").await;
}

/// `NotifyAccess=all`: its word counts for the unit, which would be stopped.
#[tokio::test]
async fn a_successor_that_gives_up_does_not_say_that_the_unit_stops() {
    let manager = Manager::new();
    let (config, _server) = echo();
    let howdah = started(&manager, &config, 0);
    let (at, _) = manager.hears(0, |said| said.has("READY=1")).await;
    let (waits, silent) = undecided("hive").await;
    howdah.configure(&format!("{config}{waits}"));
    let mut failing = howdah.takeover_by(|command| manager.starts(command, 0));
    // It has the sockets, and waits for the servers of the new pool.
    let _asked = soon(silent.accept()).await.unwrap();
    failing.signal(TERM);
    failing.exit().await;
    exchange(&mut howdah.connect("front").await, "as before").await;
    let said = manager.until_now().await.split_off(at);
    assert!(said.is_empty(), "{said:?}");
}

/// A process outside the unit, which would see its main process end.
#[tokio::test]
async fn an_upgrade_by_hand_of_a_service_is_refused_with_the_way_to_do_it() {
    let manager = Manager::new();
    let (config, _server) = echo();
    let howdah = started(&manager, &config, 0);
    howdah.serves().await;
    let mut upgrade = program();
    upgrade
        .args(["upgrade", "--force", "--config"])
        .arg(howdah.configuration())
        .env("RUNTIME_DIRECTORY", howdah.dir());
    let output = run(upgrade).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("systemctl reload"), "{told}");
    exchange(&mut howdah.connect("front").await, "as before").await;
}

#[tokio::test]
async fn it_beats_more_than_twice_within_the_time_of_the_watchdog() {
    let manager = Manager::new();
    let (config, _server) = echo();
    let (patience, beats) = (1_200_000, 5);
    let _howdah = started(&manager, &config, patience);
    let mut heard: Vec<Instant> = Vec::new();
    let mut at = 0;
    while heard.len() < beats {
        let (next, said) = manager.hears(at, |said| said.beats()).await;
        (at, heard) = (next, [heard, vec![said.at]].concat());
    }
    // One may be late on a busy machine.
    let mut between: Vec<Duration> = heard.windows(2).map(|two| two[1] - two[0]).collect();
    between.sort_unstable();
    let half = Duration::from_micros(patience / 2);
    assert!(between[between.len() / 2] < half, "{between:?}");
}

/// Meant for another process, as its parent may have been the service.
#[tokio::test]
async fn a_watchdog_of_another_process_is_not_ours() {
    let manager = Manager::new();
    let (config, _server) = echo();
    let howdah = Site::new().spawn(&config, |command| {
        let mut command = manager.starts(command, 30_000);
        command.env("WATCHDOG_PID", "1");
        command
    });
    howdah.serves().await;
    manager.hears(0, |said| said.has("READY=1")).await;
    sleep(Duration::from_millis(150)).await;
    let said = manager.until_now().await;
    assert_eq!(said.len(), 1, "{said:?}");
}

/// Stops one thread of a process, and no other.
struct Held(Pid);

impl Held {
    /// `None` where the kernel does not let us.
    async fn hold(howdah: &Howdah, thread: u32) -> Option<Self> {
        let held = Pid::from_raw(thread.cast_signed());
        if let Err(error) = ptrace::seize(held, ptrace::Options::empty()) {
            eprintln!("SKIPPED: no thread may be traced here: {error}");
            return None;
        }
        ptrace::interrupt(held).unwrap();
        let held = Self(held);
        let state = format!("/proc/{}/task/{thread}/stat", howdah.pid());
        eventually!(fs::read_to_string(&state).unwrap().contains(") t "));
        Some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = ptrace::detach(self.0, None);
    }
}

/// The control thread has the process's number, and its name.
fn thread_of(howdah: &Howdah, name: &str) -> u32 {
    let threads = fs::read_dir(format!("/proc/{}/task", howdah.pid())).unwrap();
    let named = threads.flatten().find(|thread| {
        let comm = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        comm.trim() == name
    });
    let named = named.unwrap_or_else(|| panic!("no thread {name}"));
    named.file_name().to_string_lossy().parse().unwrap()
}

/// All others run on: the admin thread answers, and its number is that of a living process.
#[tokio::test]
async fn a_control_thread_or_a_worker_that_hangs_silences_the_watchdog() {
    let manager = Manager::new();
    let (config, _server) = echo();
    let howdah = started(
        &manager,
        &format!("[global]\nworkers = 2\n{config}"),
        450_000,
    );
    manager.hears(0, |said| said.beats()).await;
    for thread in ["howdah", "worker-1"] {
        let held = Held::hold(&howdah, thread_of(&howdah, thread)).await;
        let Some(held) = held else { return };
        let before = manager.until_now().await.len();
        assert_eq!(howdah.http("GET", "/healthz", "").await.0, 200);
        // Four times as long as from one beat to the next; a worker may have answered before it was held.
        sleep(Duration::from_millis(600)).await;
        let said = manager.until_now().await.split_off(before);
        assert!(said.len() <= 1, "{thread} hangs: {said:?}");
        drop(held);
        manager
            .hears(before + said.len(), |said| said.beats())
            .await;
    }
}

/// `sd_listen_fds(3)`: what a service manager opened comes from descriptor 3 on; `pid` is whom it is meant for.
fn given(command: Command, first: OwnedFd, second: OwnedFd, pid: &str, count: u32) -> Command {
    let script = format!(
        "exec 3<&0 4>&1 5</dev/null 0</dev/null 1>/dev/null; \
         LISTEN_PID={pid} LISTEN_FDS={count} LISTEN_FDNAMES=one:two:three exec \"$@\""
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::from(first)).stdout(Stdio::from(second));
    shell.stderr(Stdio::piped());
    shell
}

fn socket() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn copy(socket: &TcpListener) -> OwnedFd {
    socket.try_clone().unwrap().into()
}

fn said(howdah: &Howdah, word: &str) -> Option<String> {
    let lines = howdah.log().so_far();
    lines.into_iter().find(|line| line.contains(word))
}

#[tokio::test]
async fn sockets_of_the_service_manager_are_used_by_their_address_and_survive() {
    let (front, front_at) = socket();
    let (admin, admin_at) = socket();
    let (config, _server) = echo();
    let config = config.replace("127.0.0.1:0", &front_at.to_string());
    let config = format!("{config}\n[admin]\nbind = \"{admin_at}\"\n[log]\nformat = \"json\"\n");
    // It waits before howdah is there.
    let mut early = TcpStream::connect(front_at).await.unwrap();
    early.write_all(b"early").await.unwrap();
    let old = Site::new().spawn(&config, |command| {
        given(command, copy(&admin), copy(&front), "$$", 3)
    });
    let mut heard = [0; 5];
    soon(tokio::io::AsyncReadExt::read_exact(&mut early, &mut heard))
        .await
        .unwrap();
    assert_eq!(&heard, b"early");
    assert_eq!(old.address("front").await, front_at);
    assert_eq!(old.admin().await, admin_at);
    // The third is no socket at all.
    old.serves().await;
    let stray = said(&old, "service manager").expect("the third is named");
    assert!(stray.contains("three"), "{stray}");

    // One that takes over has them from there, whatever it is given besides.
    let new = old.takeover_by(|command| given(command, copy(&front), copy(&admin), "$$", 2));
    new.serves().await;
    assert!(said(&new, "one at").is_some_and(|line| line.contains("of no use")));
    exchange(&mut new.connect("front").await, "the same sockets").await;
    exchange(&mut early, "and the old session").await;
    drop((early, old));
    new.signal(rustix::process::Signal::KILL);
    // Nobody serves; the service manager still has the sockets, and nobody is refused.
    let mut late = TcpStream::connect(front_at).await.unwrap();
    let again = new.beside(&["run"], |command| {
        given(command, copy(&front), copy(&admin), "$$", 2)
    });
    exchange(&mut late, "late").await;
    assert!(again.status().await["predecessors"].is_null());
}

#[tokio::test]
async fn a_socket_that_no_listener_has_is_named_and_closed_and_datagrams_wait_too() {
    let (stray, stray_at) = socket();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let datagrams_at = datagrams.local_addr().unwrap();
    let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = plain("front", &[server.local_addr().unwrap()], "")
        .replace("127.0.0.1:0", &datagrams_at.to_string())
        .replace("service = \"tcp\"", "service = \"udp\"")
        .replace(
            "pool = \"front\"\n",
            "pool = \"front\"\nprotocol = \"udp\"\n",
        );
    let client = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.send_to(b"early", datagrams_at).await.unwrap();
    let howdah = Site::new().spawn(&config, |command| {
        given(command, stray.into(), datagrams.into(), "$$", 2)
    });
    let mut room = [0; 16];
    let (count, _) = soon(server.recv_from(&mut room)).await.unwrap();
    assert_eq!(&room[..count], b"early");
    howdah.serves().await;
    let told = said(&howdah, &stray_at.to_string()).expect("it is named");
    assert!(told.contains("one") && told.contains("closed"), "{told}");
    let refused = at_once(TcpStream::connect(stray_at)).await;
    assert!(refused.is_err(), "somebody still listens at {stray_at}");
}

#[tokio::test]
async fn sockets_that_are_meant_for_another_process_are_left_alone() {
    let (front, front_at) = socket();
    let (other, _) = socket();
    let (config, _server) = echo();
    let config = config.replace("127.0.0.1:0", &front_at.to_string());
    let mut howdah = Site::new().spawn(&config, |command| {
        given(command, copy(&front), copy(&other), "1", 2)
    });
    assert_eq!(howdah.exit().await.code(), Some(1));
    let text = String::from_utf8(howdah.log().all_of_it().await).unwrap();
    assert!(text.contains("in use"), "{text}");
    assert!(!text.contains("service manager"), "{text}");
}
