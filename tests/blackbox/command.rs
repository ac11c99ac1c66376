//! Probes that are programs, run while howdah itself is locked in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::eventually;
use crate::support::{Frame, Howdah, Site, at_once, raw};

/// Does what the file `says` beside it says; its arguments and its id are kept there.
const SCRIPT: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 9
echo "$*" > asked
echo "$$ $(cut -d' ' -f8 /proc/$$/stat)" > id
. ./says
"#;

struct Script {
    folder: PathBuf,
}

impl Script {
    fn write(folder: &Path, says: &str) -> Self {
        let path = folder.join("check-it");
        fs::write(&path, SCRIPT).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let script = Self {
            folder: folder.to_owned(),
        };
        script.says(says);
        script
    }

    /// From its next run on.
    fn says(&self, what: &str) {
        let new = self.folder.join("new");
        fs::write(&new, what).unwrap();
        fs::rename(new, self.folder.join("says")).unwrap();
    }

    fn kept(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(name)).ok()?;
        text.ends_with('\n').then(|| text.trim_end().to_owned())
    }

    fn config(&self, server: &str, arguments: &str, more: &str) -> String {
        let program = self.folder.join("check-it");
        format!(
            r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "tcp"
servers = [{{ name = "one", address = "{server}" }}]
probe = {{ type = "command", command = ["{}", {arguments}], interval = "200ms", fast_interval = "100ms", rise = 1, fall = 1{more} }}
"#,
            program.display()
        )
    }
}

async fn detail(howdah: &Howdah) -> String {
    let server = howdah.server("back", "one").await;
    server["last_probe"]["detail"]
        .as_str()
        .unwrap_or("")
        .to_owned()
}

#[tokio::test]
async fn the_exit_code_is_the_verdict_and_the_first_line_the_detail() {
    let server = raw::named(&Frame::default(), "one").unwrap();
    let site = Site::new();
    let script = Script::write(site.path(), "echo fine; echo more; exit 0");
    let address = server.address().to_string();
    let arguments = r#""{host}", "{port}", "{pool}/{server}""#;
    let howdah = site.start(&script.config(&address, arguments, "")).await;
    let locks = howdah.log().so_far().join("\n");
    assert!(
        locks.contains("\"seccomp\":\"on\"") || locks.contains("not to be had"),
        "{locks}"
    );
    howdah.healthy("back", "one", "up").await;
    let port = server.address().port();
    assert_eq!(
        script.kept("asked").unwrap(),
        format!("127.0.0.1 {port} back/one")
    );
    assert_eq!(detail(&howdah).await, "fine");
    for (says, health, expected) in [
        ("echo full; exit 1", "alive", "exit code 1: full"),
        ("exit 3", "down", "exit code 3"),
        ("exit 0", "up", ""),
        ("echo no >&2; exit 2", "down", "exit code 2: no"),
        ("kill -SEGV $$", "down", "ended by signal 11"),
        ("yes | head -c 10000000; exit 1", "alive", "exit code 1: y"),
        (
            "printf 'a\\033[31mb'; exit 1",
            "alive",
            "exit code 1: a\\u{1b}[31mb",
        ),
    ] {
        script.says(says);
        howdah.healthy("back", "one", health).await;
        eventually!(detail(&howdah).await == expected);
    }
}

#[tokio::test]
async fn one_that_does_not_end_is_ended_with_its_children() {
    let server = raw::named(&Frame::default(), "one").unwrap();
    let site = Site::new();
    let script = Script::write(site.path(), "sleep 1000 & echo $! > child; sleep 1000");
    let config = script.config(
        &server.address().to_string(),
        "\"x\"",
        ", timeout = \"300ms\"",
    );
    let howdah = site.start(&config).await;
    howdah.healthy("back", "one", "down").await;
    assert!(detail(&howdah).await.contains("still running after 300ms"));
    eventually!(script.kept("child").is_some());
    script.says("exit 0");
    howdah.healthy("back", "one", "up").await;
    let child: i32 = script.kept("child").unwrap().parse().unwrap();
    eventually!(test_kill_process(Pid::from_raw(child).unwrap()).is_err());
}

#[tokio::test]
async fn what_a_program_leaves_behind_holds_nobody_up() {
    let server = raw::named(&Frame::default(), "one").unwrap();
    let site = Site::new();
    let script = Script::write(
        site.path(),
        "sleep 1000 & echo $! > child; echo fine; exit 0",
    );
    let address = server.address().to_string();
    let howdah = site.start(&script.config(&address, "\"x\"", "")).await;
    howdah.healthy("back", "one", "up").await;
    assert_eq!(detail(&howdah).await, "fine");
    script.says("exit 0");
    eventually!(detail(&howdah).await.is_empty());
    let child: i32 = script.kept("child").unwrap().parse().unwrap();
    eventually!(test_kill_process(Pid::from_raw(child).unwrap()).is_err());
}

/// More servers than programs may run at once, and every program hangs.
#[tokio::test]
async fn a_whole_pool_whose_programs_hang_goes_down_and_comes_back() {
    let standins: Vec<_> = (0..80)
        .map(|_| raw::named(&Frame::default(), "one").unwrap())
        .collect();
    let site = Site::new();
    let script = Script::write(site.path(), "exit 0");
    let servers: Vec<String> = (standins.iter())
        .map(|one| format!("\"{}\"", one.address()))
        .collect();
    let config = script.config("127.0.0.1:1", "\"x\"", ", timeout = \"300ms\"");
    let one = "{ name = \"one\", address = \"127.0.0.1:1\" }";
    assert!(config.contains(one));
    let config = config.replace(one, &servers.join(", "));
    let config = config.replace(
        "interval = \"200ms\", fast_interval = \"100ms\"",
        "interval = \"2s\", fast_interval = \"1s\"",
    );
    let howdah = site.start(&config).await;
    let all = async |health: &str| {
        let status = howdah.status().await;
        let servers = status["pools"][0]["servers"].as_array().unwrap().clone();
        servers.iter().all(|server| server["health"] == health)
    };
    eventually!(all("up").await);
    script.says("sleep 1000");
    eventually!(all("down").await);
    script.says("exit 0");
    eventually!(all("up").await);
}

#[tokio::test]
async fn a_stop_leaves_nothing_behind() {
    let server = raw::named(&Frame::default(), "one").unwrap();
    let site = Site::new();
    let script = Script::write(site.path(), "exit 0");
    let address = server.address().to_string();
    let config = script.config(&address, "\"x\"", ", timeout = \"200s\"");
    let mut howdah = site.start(&config).await;
    howdah.healthy("back", "one", "up").await;
    script.says("echo yes > sleeps; sleep 1000");
    eventually!(script.kept("sleeps").is_some());
    let id = script.kept("id").unwrap();
    let id: i32 = id.split(' ').next().unwrap().parse().unwrap();
    howdah.signal(Signal::TERM);
    assert!(howdah.exit().await.success());
    let gone = async {
        while test_kill_process(Pid::from_raw(id).unwrap()).is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    at_once(gone).await;
}

#[tokio::test]
async fn a_command_that_is_new_is_not_run_before_the_next_start() {
    let server = raw::named(&Frame::default(), "one").unwrap();
    let site = Site::new();
    let script = Script::write(site.path(), "exit 0");
    let address = server.address().to_string();
    let howdah = site.start(&script.config(&address, "\"old\"", "")).await;
    howdah.healthy("back", "one", "up").await;
    let output = howdah.reload(&script.config(&address, "\"new\"", "")).await;
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("probe.command needs a restart"),
        "{output:?}"
    );
    assert_eq!(
        howdah.status().await["needs_restart"],
        serde_json::json!(["probe.command"])
    );
    eventually!(
        detail(&howdah)
            .await
            .contains("the command is new: start howdah again")
    );
    assert_eq!(
        howdah.server("back", "one").await["health"],
        "up",
        "nobody asked it"
    );
    assert_eq!(script.kept("asked").unwrap(), "old");
    let output = howdah.reload(&script.config(&address, "\"old\"", "")).await;
    assert!(output.status.success(), "{output:?}");
    script.says("exit 2");
    howdah.healthy("back", "one", "down").await;
}

#[tokio::test]
async fn without_the_process_that_runs_them_servers_stay_as_they_are() {
    let server = raw::named(&Frame::default(), "one").unwrap();
    let site = Site::new();
    let script = Script::write(site.path(), "echo $PPID > runner; exit 0");
    let config = script.config(&server.address().to_string(), "\"x\"", "");
    let howdah = site.start(&config).await;
    howdah.healthy("back", "one", "up").await;
    eventually!(script.kept("runner").is_some());
    let runner: i32 = script.kept("runner").unwrap().parse().unwrap();
    kill_process(Pid::from_raw(runner).unwrap(), Signal::KILL).unwrap();
    eventually!(
        detail(&howdah)
            .await
            .contains("the process that runs commands has ended")
    );
    assert_eq!(howdah.server("back", "one").await["health"], "up");
    let log = howdah.log().so_far().join("\n");
    assert!(log.contains("probes of type command say nothing until howdah is started again"));
}
