//! Both logs, where they may go: files that are rotated or have no room, syslog, the journal.

mod message;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};

use self::message::{Message, entry};
use crate::support::howdah::http;
use crate::support::{Frame, StandInListener, at_once, exchange, free_address, program, raw, soon};

/// A howdah whose own log goes elsewhere, so that its ports are chosen before.
struct Quiet {
    child: Child,
    admin: SocketAddr,
    listener: SocketAddr,
    dir: tempfile::TempDir,
    _server: StandInListener,
}

impl Quiet {
    /// `log` is the table, in which `DIR` is the folder of the test.
    async fn start(dir: tempfile::TempDir, log: &str, around: impl Fn(&Path) -> Command) -> Self {
        let server = raw::echo(&Frame::default()).unwrap();
        let (admin, listener) = (free_address(), free_address());
        let log = log.replace("DIR", &dir.path().display().to_string());
        let config = format!(
            "[admin]\nbind = \"{admin}\"\n[log]\n{log}\n\
             [[listener]]\nname = \"echo\"\nbind = \"{listener}\"\npool = \"echo\"\n\
             [pool.echo]\nservice = \"tcp\"\nprobe = \"none\"\nservers = [\"{}\"]\n",
            server.address()
        );
        let file = dir.path().join("howdah.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = around(dir.path());
        let command = command.arg("run").arg("--config").arg(file);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let quiet = Self {
            child,
            admin,
            listener,
            dir,
            _server: server,
        };
        crate::eventually!(TcpStream::connect(admin).await.is_ok());
        crate::eventually!(http(admin, "GET", "/readyz", "", &[]).await.0 == 200);
        quiet
    }

    async fn session(&self) {
        let mut client = soon(TcpStream::connect(self.listener)).await.unwrap();
        exchange(&mut client, "x").await;
    }

    /// Lines that the log counts as lost.
    async fn lost(&self, log: &str) -> u64 {
        let (_, text) = http(self.admin, "GET", "/metrics", "", &[]).await;
        let sample = format!("howdah_log_lines_lost_total{{log=\"{log}\"}} ");
        let mut found = text.lines().filter_map(|line| line.strip_prefix(&sample));
        found.next().map_or(0, |number| number.parse().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::TempDir::with_prefix("howdah-test").unwrap()
}

fn plainly(_: &Path) -> Command {
    program()
}

async fn datagram(socket: &UnixDatagram) -> Vec<u8> {
    let mut room = vec![0; 200_000];
    let length = at_once(socket.recv(&mut room)).await.unwrap();
    room.truncate(length);
    room
}

/// The next message of that kind.
async fn next(socket: &UnixDatagram, kind: &str) -> Message {
    loop {
        let message = Message::read(&datagram(socket).await);
        if message.kind == kind {
            return message;
        }
    }
}

#[tokio::test]
async fn syslog_gets_messages_of_rfc_5424_also_after_it_started_anew() {
    let dir = folder();
    let path = dir.path().join("devlog");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let log = "format = \"text\"\nfacility = \"local3\"\n\
               target = \"syslog://DIR/devlog\"\naccess = \"syslog://DIR/devlog\"";
    let howdah = Quiet::start(dir, log, plainly).await;
    let confined = next(&daemon, "confined").await;
    assert_eq!(confined.facility, 19);
    assert_eq!(confined.process, howdah.child.id().to_string());
    assert!(confined.text.starts_with("confined user="), "{confined:?}");
    howdah.session().await;
    let message = next(&daemon, "session").await;
    let line: Value = serde_json::from_str(&message.text).expect("the line as files get it");
    assert_eq!((message.facility, message.severity), (19, 6));
    for name in ["listener", "client", "pool", "server", "reason", "session"] {
        assert_eq!(
            message.get(name),
            line[name].as_str(),
            "{name}: {message:?}"
        );
    }
    assert_eq!(message.get("bytes_from_client"), Some("1"));
    assert_eq!(message.get("sni"), None);

    drop(daemon);
    std::fs::remove_file(&path).unwrap();
    for _ in 0..20 {
        howdah.session().await;
    }
    let daemon = UnixDatagram::bind(&path).unwrap();
    let mut seen = BTreeSet::new();
    while seen.len() < 20 {
        let message = next(&daemon, "session").await;
        assert!(
            seen.insert(message.get("session").map(str::to_owned)),
            "twice"
        );
    }
    assert_eq!(
        (howdah.lost("access").await, howdah.lost("process").await),
        (0, 0)
    );
}

#[tokio::test]
async fn syslog_over_udp_counts_what_nobody_took() {
    let daemon = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let log = format!("access = \"syslog://{}\"", daemon.local_addr().unwrap());
    let howdah = Quiet::start(folder(), &log, plainly).await;
    howdah.session().await;
    let mut room = [0; 9000];
    let length = at_once(daemon.recv(&mut room)).await.unwrap();
    let message = Message::read(&room[..length]);
    assert_eq!((message.facility, message.get("pool")), (3, Some("echo")));
    drop(daemon);
    crate::eventually!({
        howdah.session().await;
        howdah.lost("access").await >= 5
    });
}

#[tokio::test]
async fn the_journal_gets_entries_with_fields() {
    let dir = folder();
    let journal = UnixDatagram::bind(dir.path().join("socket")).unwrap();
    let log = "target = \"journald://DIR/socket\"\naccess = \"journald://DIR/socket\"";
    let howdah = Quiet::start(dir, log, plainly).await;
    let (confined, own) = loop {
        let entry = entry(&datagram(&journal).await);
        let own: Value = serde_json::from_str(&entry["MESSAGE"]).expect("format = \"json\"");
        if own["message"] == "confined" {
            break (entry, own);
        }
    };
    assert_eq!(confined["HOWDAH_SECCOMP"], own["seccomp"]);
    howdah.session().await;
    let session = loop {
        let entry = entry(&datagram(&journal).await);
        if entry.contains_key("HOWDAH_SESSION") {
            break entry;
        }
    };
    for (name, value) in [
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "howdah"),
        ("HOWDAH_POOL", "echo"),
        ("HOWDAH_REASON", "client-closed"),
    ] {
        assert_eq!(session[name], value);
    }
    let line: Value = serde_json::from_str(&session["MESSAGE"]).expect("the line");
    assert_eq!(line["session"], session["HOWDAH_SESSION"]);
}

/// What logrotate does, again and again while sessions end: renames, and sends SIGUSR1.
#[tokio::test]
async fn a_rotation_under_sessions_loses_no_line_and_doubles_none() {
    const TURNS: usize = 20;
    let log = "target = \"DIR/howdah.log\"\naccess = \"DIR/access.log\"";
    let howdah = Quiet::start(folder(), log, plainly).await;
    let path = |name: &str| howdah.dir.path().join(name);
    let mut sessions = 0;
    for turn in 0..TURNS {
        for name in ["howdah.log", "access.log"] {
            std::fs::rename(path(name), path(&format!("{name}.{turn}"))).unwrap();
        }
        howdah.signal(Signal::USR1);
        crate::eventually!({
            howdah.session().await;
            sessions += 1;
            path("howdah.log").exists() && path("access.log").exists()
        });
    }
    let lines = |name: &str| {
        let rotated = (0..TURNS).map(|turn| format!("{name}.{turn}"));
        let all = rotated.chain([name.to_owned()]);
        let text = all.map(|name| std::fs::read_to_string(path(&name)).unwrap());
        text.collect::<Vec<_>>().concat()
    };
    crate::eventually!(lines("access.log").lines().count() >= sessions);
    let (access, own) = (lines("access.log"), lines("howdah.log"));
    let id =
        |line: &str| serde_json::from_str::<Value>(line).expect("whole")["session"].to_string();
    let distinct: BTreeSet<_> = access.lines().map(id).collect();
    assert_eq!(
        (access.lines().count(), distinct.len()),
        (sessions, sessions)
    );
    assert_eq!(own.matches("log files are opened again").count(), TURNS);
}

/// The locks hold the folder that the start found, and not its name: howdah says where it can be heard that the file is
/// lost, and counts.
#[tokio::test]
async fn a_folder_that_was_made_again_is_told_of_on_standard_error_and_its_lines_are_counted() {
    let dir = folder();
    let (logs, said) = (dir.path().join("logs"), dir.path().join("said"));
    std::fs::create_dir(&logs).unwrap();
    let log = "target = \"DIR/logs/howdah.log\"\naccess = \"DIR/logs/access.log\"";
    let heard = |dir: &Path| {
        let mut command = program();
        command.stderr(std::fs::File::create(dir.join("said")).unwrap());
        command
    };
    let howdah = Quiet::start(dir, log, heard).await;
    howdah.session().await;
    std::fs::remove_dir_all(&logs).unwrap();
    // What stands in the way where there is no Landlock.
    for name in ["howdah.log", "access.log"] {
        std::fs::create_dir_all(logs.join(name)).unwrap();
    }
    howdah.signal(Signal::USR1);
    let told = || std::fs::read_to_string(&said).unwrap_or_default();
    crate::eventually!(told().contains("cannot be opened again"));
    crate::eventually!({
        howdah.session().await;
        howdah.lost("access").await > 0 && howdah.lost("process").await > 0
    });
}

/// A disk of 64 KiB: lines are lost and counted, sessions are not, and with room again lines come again.
#[tokio::test]
async fn a_full_disk_costs_lines_that_are_counted_and_nothing_else() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("small")).unwrap();
    let small = |dir: &Path| {
        let mut command = Command::new("unshare");
        let root = rustix::process::geteuid().is_root();
        command.args(if root { &["-m"][..] } else { &["-m", "-r"] });
        let mount = "mount -t tmpfs -o size=64k tmpfs \"$0\" && exec \"$@\"";
        command.args(["sh", "-c", mount]).arg(dir.join("small"));
        command.arg(program().get_program());
        command
    };
    let log = "access = \"DIR/small/access.log\"";
    let howdah = Quiet::start(dir, log, small).await;
    // As the process sees it: the disk is mounted there alone.
    let seen = format!("/proc/{}/root", howdah.child.id());
    let inside = |name: &str| {
        let path = howdah.dir.path().join("small").join(name);
        PathBuf::from(format!("{seen}{}", path.display()))
    };
    let written = |name: &str| {
        let text = std::fs::read_to_string(inside(name)).unwrap_or_default();
        let whole = |line: &&str| serde_json::from_str::<Value>(line).is_ok();
        text.lines().filter(whole).count() as u64
    };
    let mut sessions = 0;
    while howdah.lost("access").await < 20 {
        for _ in 0..20 {
            howdah.session().await;
        }
        sessions += 20;
        assert!(sessions < 2000, "a disk of 64 KiB takes them all?");
    }
    crate::eventually!(written("access.log") + howdah.lost("access").await == sessions);
    let before = howdah.lost("access").await;
    std::fs::remove_file(inside("access.log")).unwrap();
    howdah.signal(Signal::USR1);
    crate::eventually!(inside("access.log").exists());
    for _ in 0..5 {
        howdah.session().await;
    }
    crate::eventually!(written("access.log") == 5);
    assert_eq!(howdah.lost("access").await, before);
}
